"""Kills a worker or the server at random moments, and counts what was lost and what came twice.

    python benchmarks/service_kills.py --kills 200 [--postgresql [URL]]

While parts are sent with keys, reviewed, and taught to their product, one process is killed after the other
(`kill -9`): a worker, the whole server, or, with PostgreSQL, the connections to the database. One kill in five
hits a server that begins on a database of the first form. Whoever sends tries again with the same key until it has
an answer. At the end, every part that was accepted has to be there once, every review and every change that was
answered has to be there, every picture has to be whole, and every product has to open.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reason_iad.service.settings import Limits, Settings

sys.path.insert(0, str(Path(__file__).parent.parent))  # the tests know how to start a server

from tests.service.killing import TAUGHT, Line, People, first_database, kill_a_start, strike, troubles
from tests.service.serving import Served, empty_database, make_product, own_postgresql, until

STARTS = 5
"""One kill in so many hits a server that begins."""


@contextmanager
def server_of(given: str | None) -> Iterator[str]:
    """Address of a PostgreSQL server, up to the name of the database; empty: SQLite."""
    if given == "own":
        with own_postgresql() as server:
            yield server
    else:
        yield given or ""


def during_work(data: Path, postgresql: str, kills: int, chance: random.Random) -> list[str]:
    """Kill while parts are inspected and reviewed and products are changed; what is wrong in the end."""
    make_product(data)
    make_product(data, TAUGHT, count=1)
    done: Counter[str] = Counter()
    begin = time.monotonic()
    with Served(data, "--workers", "2", database=postgresql, limits=Limits(waiting=2000)) as server:
        lines = [Line(server, name) for name in ("left", "right")]
        people = People(server, lines, chance)
        for number in range(1, kills + 1):
            time.sleep(chance.uniform(0.05, 3.0))
            done[strike(server, people, chance, postgresql)] += 1
            if number % 10 == 0:
                print(f"  {number} kills after {time.monotonic() - begin:.0f} s", flush=True)
        for line in lines:
            line.end()
        until(server.finished, 1800, server.said)
        parts = sum(len(line.accepted) for line in lines)
        print(f"killed: {dict(sorted(done.items()))}")
        print(
            f"{parts} parts were accepted, {people.answered.total()} of {people.asked.total()} reviews and "
            f"{len(people.revisions)} changes of a product answered", flush=True,
        )  # fmt: skip
        return troubles(server, lines, people)


def during_starts(folder: Path, server: str, kills: int, chance: random.Random) -> list[str]:
    """Kill servers that begin on a database of the first form; what is wrong afterwards."""
    wrong = []
    for number in range(kills):
        data = folder / str(number) / "data"
        data.mkdir(parents=True)
        database = empty_database(server) if server else ""
        first_database(Settings(data, database).database_url)
        with_none = Served(data, "--workers", "0", database=database)
        wrong += kill_a_start(with_none, chance)
    print(f"killed: {kills} servers that began on a database of the first form", flush=True)
    return wrong


def main() -> None:
    """Kill, and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--postgresql", nargs="?", const="own", metavar="URL",
                        help="a server, as postgresql://USER@HOST/; without URL, one of our own")  # fmt: skip
    options = parser.parse_args()
    chance, starts = random.Random(options.seed), options.kills // STARTS
    with tempfile.TemporaryDirectory() as folder, server_of(options.postgresql) as server:
        wrong = during_starts(Path(folder), server, starts, chance)
        database = empty_database(server) if server else ""
        wrong += during_work(Path(folder) / "data", database, options.kills - starts, chance)
    print(f"{len(wrong)} troubles")
    for each in wrong[:20]:
        print(f"  {each}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
