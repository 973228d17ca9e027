"""What is too old is deleted, and only that; a picture goes with the last part that needs it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from sqlalchemy import select, update
from tests.parts import plate, save
from tests.service.serving import until

from reason_iad.service.database import Database, queue, records
from reason_iad.service.database.tables import Delivery, Event, Inspection
from reason_iad.service.keeping import retention
from reason_iad.service.keeping.pictures import PictureStore, Stored
from reason_iad.service.settings import Settings

DAY = 86400.0


@pytest.fixture
def pictures(tmp_path: Path) -> PictureStore:
    return PictureStore(tmp_path / "pictures")


def picture(pictures: PictureStore, seed: int, folder: Path) -> Stored:
    save(plate(seed), folder / "part.png")
    return pictures.take([(folder / "part.png").read_bytes()], 2**20)


def done(database: Database, stored: Stored, outcome: str = "pass", days: float = 10, **values: object) -> int:
    """A part that was inspected so many days ago."""
    number, _ = queue.accept(database, queue.Part("plate", stored, "a.png", "http"), 1000)
    (job,) = queue.claim(database, "worker", 1, 60)
    found = queue.Finding(outcome, 0.1, 1.0, None, None, "Fine.", "{}")
    queue.finish(database, "worker", [(job, found)], lambda *_: ("sink",) if "waits" in values else ())
    values.pop("waits", None)
    with database.writing() as session:
        old = time.time() - days * DAY
        session.execute(update(Inspection).filter_by(id=number).values(finished=old, received=old, **values))
    return number


def aged(pictures: PictureStore) -> None:
    """All pictures came long ago."""
    for path in pictures.folder.glob("*/*"):
        os.utime(path, (time.time() - 20 * DAY,) * 2)


def kept(database: Database, number: int) -> bool:
    with database.reading() as session:
        assert session.get(Inspection, number) is not None, "rows stay"
        return records.result_of(session, number) is not None


def test_only_old_passed_unreviewed_delivered_parts_lose_their_result(
    database: Database, pictures: PictureStore, tmp_path: Path
) -> None:
    stored = [picture(pictures, seed, tmp_path) for seed in range(6)]
    old = done(database, stored[0])
    young = done(database, stored[1], days=1)
    bad = done(database, stored[2], "defect")
    doubtful = done(database, stored[3], "review")
    reviewed = done(database, stored[4], review="good")
    on_its_way = done(database, stored[5], waits=True)
    aged(pictures)
    assert retention.sweep(database, pictures, 5) == 1
    assert [kept(database, each) for each in (old, young, bad, doubtful, reviewed, on_its_way)] == [False] + 5 * [
        True
    ]
    assert [pictures.path(each.sha256).exists() for each in stored] == [False] + 5 * [True]
    with database.writing() as session:
        session.execute(update(Delivery).values(delivered=time.time()))
    assert retention.sweep(database, pictures, 5) == 1 and not kept(database, on_its_way)
    assert retention.sweep(database, pictures, 5) == 0
    with database.reading() as session:
        assert len(session.scalars(select(Event).filter_by(what="deleted")).all()) == 2


def test_a_picture_goes_with_the_last_part_that_needs_it(
    database: Database, pictures: PictureStore, tmp_path: Path
) -> None:
    stored = picture(pictures, 1, tmp_path)
    done(database, stored)
    later = done(database, stored, days=6)
    aged(pictures)
    assert retention.sweep(database, pictures, 7) == 1 and pictures.path(stored.sha256).exists()
    waiting, _ = queue.accept(database, queue.Part("plate", stored, "b.png", "http"), 1000)
    assert retention.sweep(database, pictures, 5) == 1 and pictures.path(stored.sha256).exists()
    assert not kept(database, later) and waiting


def test_a_picture_that_comes_again_is_not_deleted_under_it(
    database: Database, pictures: PictureStore, tmp_path: Path
) -> None:
    stored = picture(pictures, 1, tmp_path)
    done(database, stored)
    aged(pictures)
    picture(pictures, 1, tmp_path)  # it is on the disk again, its part is not accepted yet
    assert retention.sweep(database, pictures, 5) == 1
    assert pictures.path(stored.sha256).exists()


def test_many_parts_are_swept_in_several_transactions(
    database: Database, pictures: PictureStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "TOGETHER", 3)
    stored = picture(pictures, 1, tmp_path)
    for _ in range(8):
        done(database, stored)
    aged(pictures)
    assert retention.sweep(database, pictures, 5) == 8
    assert not pictures.path(stored.sha256).exists()


def test_the_server_sweeps_and_says_what_is_not_kept(
    database: Database, pictures: PictureStore, tmp_path: Path
) -> None:
    from fastapi.testclient import TestClient

    from reason_iad.service.api import make_app
    from reason_iad.service.configuration import Configuration, Retention

    stored = picture(pictures, 1, tmp_path)
    number = done(database, stored)
    aged(pictures)
    settings = Settings(tmp_path, configuration=Configuration(retention=Retention(passed_days=5)))
    with TestClient(make_app(settings, database), base_url="http://localhost") as client:
        until(lambda: not pictures.path(stored.sha256).exists())
        assert client.get(f"/v1/inspections/{number}").json()["part"]["outcome"] == "pass"
        for what in ("report", "picture"):
            answer = client.get(f"/v1/inspections/{number}/{what}")
            assert answer.status_code == 404 and "not kept any more" in answer.json()["detail"]
