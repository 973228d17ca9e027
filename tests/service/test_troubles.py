"""A full disk, a disk that cannot be written, a database that goes away, a clock that is set back."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event, text
from tests.service.serving import OnItsOwnDisk, Postgres, Served, make_product, new_database, own_disks, png, until

from reason_iad.service.api import make_app
from reason_iad.service.database import Database, queue
from reason_iad.service.keeping.pictures import Stored
from reason_iad.service.settings import Settings

pytestmark = pytest.mark.slow

PICTURE = Stored("a" * 64, 10, 32, 32, "PNG")
needs_disks = pytest.mark.skipif(not own_disks(), reason="needs root on Linux, to mount a small disk")


@needs_disks
def test_a_full_disk_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    with OnItsOwnDisk(tmp_path / "data", "") as server:
        before = server.send(png(1), key="before").json()["id"]
        filler = server.seen / "filler"
        with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="space"):
            while True:
                file.write(b"x" * 4096)
        answer = server.send(png(2), key="full")
        assert answer.status_code in (503, 507), answer.text
        assert "disk" in answer.json()["detail"].lower() or "database" in answer.json()["detail"].lower()
        assert str(server.data) not in answer.text
        assert server.answers("/v1/health"), "it goes on"
        filler.unlink()
        until(lambda: server.send(png(2), key="full", wait=5).status_code == 200, 20, server.said)
        until(server.finished, 30, server.said)
        assert {part["state"] for part in server.parts()} == {"done"}
        assert before in [part["id"] for part in server.parts()]


@needs_disks
def test_a_folder_that_cannot_be_written_is_said_at_the_start(tmp_path: Path) -> None:
    server = OnItsOwnDisk(tmp_path / "data", "ro")
    with pytest.raises(AssertionError):
        server.start()
    assert "read-only" in server.said()
    assert "Another server" not in server.said() and "Traceback" not in server.said()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_fails_is_a_507(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    settings = Settings(tmp_path / "data")
    make_product(settings.data)
    database = Database(settings.database_url)
    database.upgrade()

    def fails(_: int) -> None:
        raise OSError(number, os.strerror(number))

    with TestClient(make_app(settings, database), base_url="http://localhost") as client:
        asked = {"product": "plate", "wait": "0"}
        monkeypatch.setattr("os.fsync", fails)
        answer = client.post("/v1/inspections", params=asked, content=png(1))
        assert answer.status_code == 507 and os.strerror(number) in answer.json()["detail"], answer.text
        monkeypatch.undo()
        assert client.post("/v1/inspections", params=asked, content=png(1)).status_code == 202
        assert len([*settings.pictures.glob("??/*")]) == 1 and not [*settings.pictures.glob("arriving/*")]
    database.close()


def test_a_full_database_is_a_503_and_over_when_there_is_room(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "data")
    make_product(settings.data)
    database = Database(settings.database_url)
    database.upgrade()
    most = 0

    def limit(connection: object, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count={most or 2**30}")  # type: ignore[attr-defined]

    event.listen(database.engine, "checkout", limit)
    with TestClient(make_app(settings, database), base_url="http://localhost") as client:
        with database.reading() as session:
            most = int(session.scalar(text("PRAGMA page_count")) or 0)
        found = {}
        for number in range(200):
            answer = client.post("/v1/inspections", params={"product": "plate", "wait": "0", "name": "n" * 300},
                                 content=png(1), headers={"Idempotency-Key": f"{number}"})  # fmt: skip
            found[number] = answer.status_code
            if answer.status_code != 202:
                break
        assert found.popitem()[1] == 503 and "database" in answer.json()["detail"], answer.text
        most = 0
        again = client.post("/v1/inspections", params={"product": "plate", "wait": "0"}, content=png(1))
        assert again.status_code == 202
    database.close()


def test_a_database_that_goes_away_comes_back(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    address = new_database(request)
    postgres = Postgres(address)
    make_product(tmp_path / "data")
    with Served(tmp_path / "data", database=address) as server:
        accepted = [server.send(png(seed), key=f"{seed}").json()["id"] for seed in range(12)]
        postgres.stop()
        try:
            answer = server.send(png(50), key="lost")
            assert answer.status_code == 503 and answer.headers["Retry-After"], answer.text
            assert "The database cannot be used" in answer.json()["detail"] and "127.0.0.1" not in answer.text
            assert server.client.get("/v1/ready").status_code == 503
            assert server.client.get("/v1/health").status_code == 200
            time.sleep(1.5)
        finally:
            postgres.start()
        until(lambda: server.send(png(50), key="lost", wait=5).status_code == 200, 30, server.said)
        until(server.finished, 30, server.said)
        parts = server.parts()
        assert len(parts) == 13 and set(accepted) <= {part["id"] for part in parts}
        assert {part["state"] for part in parts} == {"done"}
        assert server.stop() == 0


def test_a_clock_that_is_set_back_holds_nothing_up(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    number, _ = queue.accept(database, queue.Part("plate", PICTURE, "a", "http"), 10)
    (late,) = queue.claim(database, "gone", 1, 60)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 86_400)
    assert queue.give_back(database, 3, 60) == 1, "its time is over although the clock says it lies far ahead"
    (job,) = queue.claim(database, "here", 1, 60)
    assert (job.id, job.attempt) == (number, 2)
    assert queue.give_back(database, 3, 60) == 0
    assert queue.finish(database, "gone", [(late, "late")]) == []
    assert queue.finish(database, "here", [(job, "done")]) == [number]


def test_a_clock_that_is_set_forward_does_no_part_twice(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.accept(database, queue.Part("plate", PICTURE, "a", "http"), 10)
    (first,) = queue.claim(database, "one", 1, 60)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 86_400)
    assert queue.give_back(database, 3, 60) == 1
    (second,) = queue.claim(database, "two", 1, 60)
    recorded = [queue.finish(database, "one", [(first, "a")]), queue.finish(database, "two", [(second, "b")])]
    assert recorded == [[], [second.id]]
