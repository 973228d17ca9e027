"""Lists and searches in a database of a million inspections.

    python benchmarks/service_million.py [--parts 1000000] [--postgresql URL] [--keep FILE]

The database is filled with invented parts of a year: ten products, one of them rare, 3 % defects, 2 % for a person,
a fifth of those reviewed. Then each question that the service asks is timed: the first page and one far behind.
Times are medians of five, in milliseconds, through the same functions that the HTTP routes call.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import insert, text

from reason_iad.products import Products
from reason_iad.service.database import Database, records
from reason_iad.service.database.tables import Inspection, Picture, Term
from reason_iad.service.database.terms import words_of
from reason_iad.service.keeping.pictures import PictureStore
from reason_iad.service.reviews.reviewing import Reviews, disagreement

YEAR = 365 * 24 * 3600.0
CHUNK = 10_000
TYPES, PLACES = ("scratch", "dent", "hole", "stain"), ("top left", "centre", "bottom right", "right")


def invented(number: int, count: int, now: float, chance: random.Random) -> dict[str, object]:
    """A part."""
    product = "rare" if chance.random() < 0.0005 else f"product-{number % 9}"
    outcome = chance.choices(("pass", "defect", "review", "unjudged"), (0.95, 0.03, 0.018, 0.002))[0]
    found = chance.choice(TYPES) if outcome == "defect" else None
    place = chance.choice(PLACES) if outcome == "defect" else None
    said = (
        f"The part differs from the good parts at the {place}." if place else "The part looks like the good ones."
    )
    at = now - YEAR * (1 - number / count)
    doubtful = outcome in ("review", "unjudged")
    return {
        "id": number, "product": product, "picture": "0" * 64, "name": f"line{number % 3}-{number:07d}.png",
        "source": "http", "key": f"k{number}", "received": at, "finished": at + 0.3, "state": "done", "attempts": 1,
        "outcome": outcome, "probability": 0.5, "score": 1.0, "defect_type": found, "place": place,
        "explanation": said, "sampled": chance.random() < 0.02,
        "review": chance.choice(("good", "defect")) if doubtful and chance.random() < 0.2 else None,
    }  # fmt: skip


def parts(count: int) -> Iterator[list[dict[str, object]]]:
    """Invented parts, the oldest first."""
    chance, now = random.Random(0), time.time()
    for first in range(1, count + 1, CHUNK):
        yield [invented(number, count, now, chance) for number in range(first, min(first + CHUNK, count + 1))]


def fill(database: Database, count: int) -> None:
    """Fill an empty database."""
    with database.writing() as session:
        session.execute(
            insert(Picture).values(sha256="0" * 64, bytes=1, width=64, height=64, format="PNG", added=0)
        )
    for chunk in parts(count):
        found = [
            {"word": word, "inspection": row["id"]}
            for row in chunk
            for word in words_of(*(str(row[each] or "") for each in
                                   ("name", "product", "defect_type", "place", "explanation")))
        ]  # fmt: skip
        with database.writing() as session:
            if not database.sqlite:
                session.execute(text("SET LOCAL synchronous_commit = off"))
            session.execute(insert(Inspection), chunk)
            session.execute(insert(Term), found)
    if not database.sqlite:
        with database.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE"))


def milliseconds(ask: Callable[[], object]) -> float:
    """The median of five."""
    times = []
    for _ in range(5):
        begin = time.perf_counter()
        ask()
        times.append(1000 * (time.perf_counter() - begin))
    return statistics.median(times)


def questions(database: Database, count: int) -> Iterator[tuple[str, Callable[[], object]]]:
    """What the service asks, each with its name."""
    now = time.time()
    rare_word, day = f"line{(count // 3) % 3}-{count // 3:07d}.png", 24 * 3600.0
    wanted: dict[str, dict[str, object]] = {
        "newest": {},
        "a product": {"product": "product-3"},
        "a rare product": {"product": "rare"},
        "defects of a product": {"product": "product-3", "outcome": "defect"},
        "cannot be judged": {"outcome": "unjudged"},
        "waiting": {"state": "waiting"},
        "reviewed": {"reviewed": True},
        "reviewed of a rare product": {"reviewed": True, "product": "rare"},
        "not reviewed, for a person": {"reviewed": False, "outcome": "review"},
        "a day half a year ago": {"since": now - YEAR / 2, "until": now - YEAR / 2 + day},
        "before half a year ago": {"until": now - YEAR / 2},
        "defects of a day, a product": {"since": now - YEAR / 2, "until": now - YEAR / 2 + day,
                                        "product": "product-3", "outcome": "defect"},
        "a time without parts": {"since": now + day},
        "a common word": {"text": "png"},
        "a rare word": {"text": rare_word},
        "no such word": {"text": "nothinglikethat"},
        "two common words": {"text": "scratch left"},
        "words that never meet": {"text": "scratch dent"},
        "a word in a rare product": {"text": "scratch", "product": "rare"},
        "an unfinished word": {"text": "scra"},
        "the beginning of many words": {"text": "p"},
        "a word, reviewed": {"text": "scratch", "reviewed": True},
        "a word of a day": {"text": "dent", "since": now - YEAR / 2, "until": now - YEAR / 2 + day},
    }  # fmt: skip

    def page(**asked: object) -> object:
        with database.reading() as session:
            return records.page(session, records.Wanted(**asked), 50)  # type: ignore[arg-type]

    for name, asked in wanted.items():
        yield name, lambda asked=asked: page(**asked)  # type: ignore[misc]
        yield f"{name}, far behind", lambda asked=asked: page(**asked, before=count // 3)  # type: ignore[misc]
    reviews = Reviews(database, Products("nowhere"), PictureStore(Path("nowhere")))
    yield "next to review", lambda: reviews.next("ann")
    yield "next to review of a rare product", lambda: reviews.next("bob", "rare")

    def ask(what: Callable[..., object], *options: object) -> object:
        with database.reading() as session:
            return what(session, *options)

    yield "counts of eight hours", lambda: ask(records.counts, now - 8 * 3600)
    yield "counts of a product, a month", lambda: ask(records.counts, now - YEAR / 12, "product-3")
    yield "agreement", lambda: ask(disagreement)


def main() -> None:
    """Fill, ask and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", type=int, default=1_000_000, help="in the database")
    parser.add_argument("--postgresql", metavar="URL", help="an empty database; without it, SQLite")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="SQLite file to keep, or to use again")
    parser.add_argument("--most", type=float, default=100.0, help="milliseconds that a question may take")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = options.keep or Path(folder) / "service.db"
        url = (options.postgresql or f"sqlite:///{file.resolve()}").replace(
            "postgresql://", "postgresql+psycopg://"
        )
        database = Database(url)
        database.upgrade()
        with database.reading() as session:
            there = session.query(Inspection.id).first() is not None
        if not there:
            begin = time.monotonic()
            fill(database, options.parts)
            print(f"{options.parts} parts filled in within {time.monotonic() - begin:.0f} s", flush=True)
        slow = 0
        for name, ask in questions(database, options.parts):
            took = milliseconds(ask)
            slow += took > options.most
            print(f"{took:8.1f} ms  {name}{'  (too slow)' if took > options.most else ''}", flush=True)
        database.close()
        print(f"{slow} questions took more than {options.most:g} ms")


if __name__ == "__main__":
    main()
