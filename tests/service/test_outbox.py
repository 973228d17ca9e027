"""The outbox: every outcome reaches its sinks, also when they are away for a while or the server is killed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from sqlalchemy import select, update
from tests.service.serving import until

from reason_iad.errors import ServiceError
from reason_iad.service import outbox
from reason_iad.service.configuration import Configuration, Rule
from reason_iad.service.database import Database, queue
from reason_iad.service.database.records import Wanted, counts, page
from reason_iad.service.database.series import Span, outcomes
from reason_iad.service.database.tables import Delivery, Inspection
from reason_iad.service.keeping.pictures import PictureStore, Stored
from reason_iad.service.settings import Limits, Settings
from reason_iad.service.sinks import Message
from reason_iad.service.sinks.csv import CsvTable
from reason_iad.service.work.supervisor import Supervisor

PICTURE = Stored("a" * 64, 10, 32, 32, "PNG")


def takers(product: str, outcome: str) -> tuple[str, ...]:
    return ("all", "bad") if outcome in ("defect", "failed") else ("all",)


def done(database: Database, outcome: str) -> int:
    """A part with this outcome."""
    number, _ = queue.accept(database, queue.Part("plate", PICTURE, "a.png", "http"), 1000)
    (job,) = queue.claim(database, "worker", 1, 60)
    found = queue.Finding(outcome, 0.9, 5.0, "scratch", "top left", "A scratch.", "{}")
    queue.finish(database, "worker", [(job, found if outcome != "failed" else "It cannot be read.")], takers)
    return number


def rows(database: Database) -> list[tuple[str, int, bool]]:
    with database.reading() as session:
        found = session.scalars(select(Delivery).order_by(Delivery.id)).all()
        return [(row.sink, row.inspection, row.delivered is not None) for row in found]


class Picky:
    """Takes outcomes, unless it is told to refuse them."""

    def __init__(self) -> None:
        self.got: list[Message] = []
        self.refuse: set[int] = set()
        self.away = False
        self.closed = False

    def send(self, message: Message, picture: Path) -> None:
        if self.away or message.inspection in self.refuse:
            raise ServiceError("I am away.")
        self.got.append(message)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def sink() -> Picky:
    return Picky()


def test_what_has_to_be_sent_is_written_down_with_the_result(database: Database) -> None:
    good, bad = done(database, "pass"), done(database, "defect")
    assert rows(database) == [("all", good, False), ("all", bad, False), ("bad", bad, False)]
    (one, two) = outbox.take(database, "all")
    assert (one.message.inspection, one.message.outcome) == (good, "pass")
    assert one.message.id.startswith(f"all-{good}-")
    assert two.message.defect_type == "scratch"
    assert outbox.take(database, "all") == [], "another server leaves them alone"
    assert [post.message.inspection for post in outbox.take(database, "bad")] == [bad]
    outbox.hurry(database, "all")
    assert len(outbox.take(database, "all")) == 2, "after a kill they are tried again"


def start_again(database: Database, folder: Path, *, attempts: int) -> None:
    """What a server does with parts that workers of the name 'gone-…' held before it was killed."""
    table = CsvTable(kind="csv", file=folder / "table.csv")
    rules = (Rule(sinks=("all",)), Rule(outcomes=("defect", "failed"), sinks=("bad",)))
    configuration = Configuration(sinks={"all": table, "bad": table}, rules=rules)
    settings = Settings(folder, workers=0, limits=Limits(attempts=attempts), configuration=configuration)
    supervisor = Supervisor(settings, database, "gone")
    supervisor.start()
    supervisor.stop()


def test_parts_that_failed_or_were_given_up_are_sent_too(database: Database, tmp_path: Path) -> None:
    failed = done(database, "failed")
    given_up, _ = queue.accept(database, queue.Part("plate", PICTURE, "b.png", "http"), 1000)
    queue.claim(database, "gone-1", 1, 60)
    start_again(database, tmp_path, attempts=1)
    posts = outbox.take(database, "bad")
    assert [post.message.inspection for post in posts] == [failed, given_up]
    assert posts[0].message.outcome == "failed" and posts[0].message.error == "It cannot be read."
    with database.reading() as session:
        for wanted in (Wanted(outcome="failed"), Wanted(outcome="failed", text="b.png"), Wanted(text="picture")):
            assert given_up in [row.id for row in page(session, wanted, 10)[0]], wanted
        assert {row.id for row in page(session, Wanted(outcome="failed"), 10)[0]} == {failed, given_up}
        assert counts(session, 0.0) == {"failed": 2}
        span = Span(0.0, time.time() + 1, time.time() + 1)
        assert [(each.outcome, each.parts) for each in outcomes(session, span)] == [("failed", 2)]


def test_the_same_number_is_not_the_same_outcome(database: Database) -> None:
    """Numbers begin again where a backup is restored, and a sink must not take a new part for an old one."""
    number = done(database, "defect")
    (first,) = outbox.take(database, "all")
    with database.writing() as session:
        session.execute(update(Delivery).values(next_try=0.0))
    (again,) = outbox.take(database, "all")
    assert again.message.id == first.message.id
    with database.writing() as session:
        session.execute(update(Inspection).filter_by(id=number).values(received=Inspection.received + 60))
        session.execute(update(Delivery).values(next_try=0.0))
    (other,) = outbox.take(database, "all")
    assert other.message.inspection == first.message.inspection and other.message.id != first.message.id


def test_a_result_that_comes_too_late_is_not_sent(database: Database, tmp_path: Path) -> None:
    number, _ = queue.accept(database, queue.Part("plate", PICTURE, "a.png", "http"), 1000)
    (late,) = queue.claim(database, "gone-1", 1, 60)
    start_again(database, tmp_path, attempts=3)
    assert queue.finish(database, "gone-1", [(late, "too late")], takers) == []
    assert rows(database) == [] and number


def test_everything_is_delivered_in_order_and_once(database: Database, tmp_path: Path, sink: Picky) -> None:
    numbers = [done(database, "pass") for _ in range(20)]
    deliverer = outbox.Deliverer(database, PictureStore(tmp_path), "all", sink)
    deliverer.start()
    until(lambda: len(sink.got) == 20)
    deliverer.stop()
    assert [message.inspection for message in sink.got] == numbers
    assert all(taken for _, _, taken in rows(database)) and sink.closed


def test_a_sink_that_is_away_gets_everything_later(
    database: Database, tmp_path: Path, sink: Picky, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "SHORTEST_S", 0.02)
    monkeypatch.setattr(outbox, "LOOK_S", 0.02)
    numbers = [done(database, "pass") for _ in range(3)]
    sink.away = True
    deliverer = outbox.Deliverer(database, PictureStore(tmp_path), "all", sink)
    deliverer.start()
    until(lambda: any(error for error in errors(database)))
    with database.reading() as session:
        assert outbox.waiting(session) == {"all": 3}
    sink.away = False
    until(lambda: len(sink.got) == 3)
    deliverer.stop()
    assert sorted(message.inspection for message in sink.got) == numbers
    assert errors(database) == [None] * 3


def test_one_that_is_always_refused_does_not_hold_up_the_others(
    database: Database, tmp_path: Path, sink: Picky, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "LOOK_S", 0.02)
    first, *others = [done(database, "pass") for _ in range(4)]
    sink.refuse = {first}
    deliverer = outbox.Deliverer(database, PictureStore(tmp_path), "all", sink)
    deliverer.start()
    until(lambda: len(sink.got) == 3)
    deliverer.stop()
    assert [message.inspection for message in sink.got] == others


def test_pauses_grow_up_to_a_limit(database: Database) -> None:
    done(database, "pass")
    pauses = []
    for _ in range(12):
        outbox.hurry(database, "all")
        (post,) = outbox.take(database, "all")
        outbox.settle(database, [post], [], {post.id: "away"})
        with database.reading() as session:
            pauses.append(round(session.scalars(select(Delivery)).one().next_try - time.time()))
    assert pauses[:4] == [1, 2, 4, 8] and pauses[-1] == 300


def test_a_clock_that_is_set_back_holds_up_nothing(database: Database) -> None:
    done(database, "pass")
    with database.writing() as session:
        session.scalars(select(Delivery)).one().next_try = time.time() + 86400
    assert len(outbox.take(database, "all")) == 1


def errors(database: Database) -> list[str | None]:
    with database.reading() as session:
        return list(session.scalars(select(Delivery.error).order_by(Delivery.id)))
