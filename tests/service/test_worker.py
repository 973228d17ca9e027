"""A worker: what becomes of parts that it cannot inspect at the first attempt."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.parts import plate, save
from tests.service.serving import until

from reason_iad.service.database import Database, queue
from reason_iad.service.database.queue import Finding, Job
from reason_iad.service.database.tables import DONE, FAILED, WAITING, Delivery, Inspection
from reason_iad.service.faults import Unavailable
from reason_iad.service.keeping.pictures import PictureStore
from reason_iad.service.settings import Limits, Settings
from reason_iad.service.work.worker import Lost, Means, Worker

FOUND = Finding("pass", 0.1, 0.5, None, None, "As good parts.", "{}")


@pytest.fixture
def part(database: Database, tmp_path: Path) -> int:
    """A part that waits."""
    save(plate(1), tmp_path / "part.png")
    stored = PictureStore(tmp_path / "pictures").take([(tmp_path / "part.png").read_bytes()], 2**20)
    return queue.accept(database, queue.Part("plate", stored, "part", "http"), 10)[0]


@pytest.fixture
def run(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Inspection]:
    """Runs a worker until something is true; gives the part as it is then."""
    monkeypatch.setattr("reason_iad.service.work.worker.LOST_S", 0.02)

    def run(
        inspect: Callable[[Job], Finding | str], true: Callable[[], bool], **means_: Callable[[str], None]
    ) -> Inspection:
        stop = threading.Event()
        means = Means(inspect, lambda: lambda product, outcome: ("control",), **means_)
        settings = Settings(tmp_path, limits=Limits(attempts=3))
        worker = Worker(settings, "w", database, means, stop, lambda: None, lambda: None)
        thread = threading.Thread(target=worker.run)
        thread.start()
        until(true)
        stop.set()
        thread.join(20)
        assert not thread.is_alive()
        with database.reading() as session:
            return session.scalars(select(Inspection)).one()

    return run


def state(database: Database) -> str:
    with database.reading() as session:
        return session.scalars(select(Inspection.state)).one()


def test_a_product_is_made_ready_before_one_of_its_parts_is_taken(
    part: int, database: Database, run: Callable[..., Inspection]
) -> None:
    seen = []
    row = run(
        lambda job: FOUND,
        lambda: state(database) == DONE,
        prepare=lambda product: seen.append((product, state(database))),
    )
    assert seen == [("plate", WAITING)] and row.attempts == 1, "whoever learns a product holds no part meanwhile"


def test_a_part_that_ends_whoever_inspects_it_is_given_up(
    part: int, database: Database, run: Callable[..., Inspection]
) -> None:
    begun = []

    def inspect(job: Job) -> Finding:
        begun.append(job.attempt)
        raise Lost("It ended.")

    row = run(inspect, lambda: state(database) == FAILED)
    assert begun == [1, 2, 3] and row.id == part and "begun 3 times" in (row.error or "")
    with database.reading() as session:
        assert session.scalars(select(Delivery.sink)).all() == ["control"], "sinks are told once"


def test_what_cannot_be_fetched_now_is_tried_again_and_is_no_fault_of_the_part(
    part: int, database: Database, run: Callable[..., Inspection]
) -> None:
    asked = []

    def inspect(job: Job) -> Finding:
        asked.append(job.attempt)
        if len(asked) < 6:
            raise Unavailable("The server cannot be reached.")
        return FOUND

    row = run(inspect, lambda: state(database) == DONE)
    assert asked == [1] * 6 and row.attempts == 1


def test_a_worker_that_stops_meanwhile_gives_the_part_back_as_if_it_had_not_begun(
    part: int, database: Database, run: Callable[..., Inspection]
) -> None:
    asked = []

    def inspect(job: Job) -> Finding:
        asked.append(job)
        raise Unavailable("The server cannot be reached.")

    row = run(inspect, lambda: len(asked) > 2)
    assert (row.state, row.attempts, row.worker) == (WAITING, 0, None)
