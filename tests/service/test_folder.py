"""A watched folder: complete files only, none missed, none twice, whatever happens."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.parts import plate, save
from tests.service.serving import make_product, until

from reason_iad.errors import ServiceError
from reason_iad.products import Products
from reason_iad.service.database import Database
from reason_iad.service.database.tables import Event, Inspection
from reason_iad.service.flow import Flow
from reason_iad.service.keeping.pictures import PictureStore
from reason_iad.service.settings import Limits, Settings
from reason_iad.service.sources import Intake
from reason_iad.service.sources.folder import FolderTable

pytest.importorskip("watchfiles")


@pytest.fixture
def address(tmp_path: Path) -> str:
    """SQLite only: what the database has to do with it is tested with both elsewhere."""
    return f"sqlite:///{tmp_path / 'service.db'}"


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    make_product(tmp_path / "data", count=1)
    (tmp_path / "incoming").mkdir()
    return tmp_path / "incoming"


@contextmanager
def watched(incoming: Path, database: Database, *, waiting: int = 100, **options: object) -> Iterator[None]:
    """The folder is watched while the block runs."""
    table = FolderTable.model_validate(
        {"kind": "folder", "product": "plate", "folder": incoming, "settle_s": 0.2, **options}
    )
    data = incoming.parent / "data"
    pictures = PictureStore(data / "pictures")
    source = table.open("line", Intake(database, Products(data / "products"), pictures, Limits(waiting=waiting)))
    stop = threading.Event()
    thread = threading.Thread(target=source.run, args=(stop,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


def names(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.scalars(select(Inspection.name).order_by(Inspection.id)))


def stored(incoming: Path) -> list[Path]:
    """The pictures that are kept."""
    return list((incoming.parent / "data" / "pictures").glob("??/*"))


def refused(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.scalars(select(Event.about).filter_by(what="refused").order_by(Event.id)))


def test_files_that_are_there_and_files_that_come_are_taken(incoming: Path, database: Database) -> None:
    save(plate(1), incoming / "before.png")
    with watched(incoming, database):
        until(lambda: names(database) == ["before.png"])
        (incoming / "shift 1").mkdir()
        save(plate(2), incoming / "shift 1" / "later.png")
        save(plate(1), incoming / "same picture.png")
        until(lambda: len(names(database)) == 3)
    assert set(names(database)) == {"before.png", "same picture.png", "shift 1/later.png"}


def test_after_a_restart_nothing_is_missed_and_nothing_is_twice(incoming: Path, database: Database) -> None:
    save(plate(1), incoming / "a.png")
    with watched(incoming, database):
        until(lambda: len(names(database)) == 1)
    save(plate(2), incoming / "b.png")
    with watched(incoming, database):
        until(lambda: len(names(database)) == 2)
        save(plate(3), incoming / "a.png")  # the camera uses the name again
        until(lambda: len(names(database)) == 3)
    with watched(incoming, database):
        time.sleep(0.8)
    assert names(database) == ["a.png", "b.png", "a.png"]


def test_other_content_of_the_same_size_and_time_is_another_part(incoming: Path, database: Database) -> None:
    path = incoming / "a.bmp"
    save(plate(1), path)
    os.utime(path, (1000, 1000))
    with watched(incoming, database):
        until(lambda: len(names(database)) == 1)
        save(plate(2), incoming / "aside.txt.bmp")
        until(lambda: len(names(database)) == 2)
        with path.open("r+b") as file:
            file.write((incoming / "aside.txt.bmp").read_bytes())
        until(lambda: len(names(database)) == 3)
        os.utime(path, (1000, 1000))
        until(lambda: names(database) == ["a.bmp", "aside.txt.bmp", "a.bmp", "a.bmp"])


def test_a_file_that_is_still_written_waits(incoming: Path, database: Database) -> None:
    save(plate(1), incoming.parent / "whole.png")
    content = (incoming.parent / "whole.png").read_bytes()
    with watched(incoming, database, settle_s=3.0), (incoming / "a.png").open("wb") as file:
        for begin in range(0, len(content), len(content) // 6):
            file.write(content[begin : begin + len(content) // 6])
            file.flush()
            time.sleep(0.15)
            assert names(database) == [] and refused(database) == []
        until(lambda: names(database) == ["a.png"])
    assert refused(database) == []


def test_what_is_no_part_is_left_alone(incoming: Path, database: Database, tmp_path: Path) -> None:
    save(plate(1), tmp_path / "secret.png")
    (incoming / "link.png").symlink_to(tmp_path / "secret.png")
    (incoming / "folder").symlink_to(tmp_path / "data")
    os.mkfifo(incoming / "pipe.png")
    (incoming / "notes.txt").write_text("x")
    save(plate(2), incoming / ".hidden.png")
    (incoming / "broken.png").write_bytes(b"no picture")
    (incoming / "picture.heic").write_bytes(b"no picture either")
    (incoming / "empty.png").touch()
    with watched(incoming, database):
        until(lambda: len(refused(database)) == 2)
        time.sleep(0.5)
        save(plate(3), incoming / "broken.png")  # repaired
        until(lambda: names(database) == ["broken.png"])
    assert set(refused(database)) == {"broken.png", "picture.heic"}


def test_a_file_that_stays_empty_is_told_once_and_taken_when_it_is_written(
    incoming: Path, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    empty = incoming / "empty.png"
    empty.touch()
    (incoming / "new.png").touch()  # somebody may be about to write into it
    os.utime(empty, (time.time() - 3600, time.time() - 3600))
    with watched(incoming, database):
        until(lambda: refused(database) == ["empty.png"])
        assert "The source 'line' brought 'empty.png'. The file is empty." in caplog.text
        save(plate(1), empty)
        until(lambda: names(database) == ["empty.png"])
    assert refused(database) == ["empty.png"]


def test_files_are_deleted_only_after_they_were_accepted(incoming: Path, database: Database) -> None:
    for seed in range(3):
        save(plate(seed), incoming / f"{seed}.png")
    with watched(incoming, database, waiting=2, then="delete"):
        until(lambda: len(names(database)) == 2 and len(list(incoming.iterdir())) == 1)
        time.sleep(0.6)
        assert len(list(incoming.iterdir())) == 1, "too many wait: the third one stays until there is room"
        assert len(stored(incoming)) == 2, "nothing is written for a part that has to wait"
    with watched(incoming, database, waiting=9, then="delete"):
        until(lambda: len(names(database)) == 3)
        until(lambda: not list(incoming.iterdir()))
    assert len(stored(incoming)) == 3


def test_a_product_that_does_not_exist_yet_is_waited_for(
    incoming: Path, database: Database, tmp_path: Path
) -> None:
    from reason_iad.service.configuration import Configuration

    table = FolderTable(kind="folder", product="bracket", folder=incoming, settle_s=0.1)
    settings = Settings(tmp_path / "data", configuration=Configuration(sources={"line": table}))
    flow = Flow(settings, database, Products(settings.products), PictureStore(settings.pictures))
    save(plate(1), incoming / "a.png")
    flow.start()
    until(lambda: flow.states()[0].words == "There is no product 'bracket' yet.")
    make_product(tmp_path / "data", "bracket", count=1)
    until(lambda: names(database) == ["a.png"])
    until(lambda: flow.states()[0].works)
    flow.stop()


def test_a_kill_between_accepting_and_deleting_is_made_good(incoming: Path, database: Database) -> None:
    save(plate(1), incoming / "a.png")
    with watched(incoming, database):
        until(lambda: len(names(database)) == 1)
    with watched(incoming, database, then="delete"):
        until(lambda: not list(incoming.iterdir()))
    assert len(names(database)) == 1


def test_a_folder_that_is_not_there_is_told_and_used_when_it_comes(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reason_iad.service.flow.SHORTEST_S", 0.1)
    from reason_iad.service.configuration import Configuration

    make_product(tmp_path / "data", count=1)
    table = FolderTable(kind="folder", product="plate", folder=tmp_path / "drive", settle_s=0.1)
    settings = Settings(tmp_path / "data", configuration=Configuration(sources={"line": table}))
    flow = Flow(settings, database, Products(settings.products), PictureStore(settings.pictures))
    flow.start()
    until(lambda: "is not there" in flow.states()[0].words)
    (tmp_path / "drive").mkdir()
    save(plate(1), tmp_path / "drive" / "a.png")
    until(lambda: names(database) == ["a.png"])
    until(lambda: flow.states()[0].works)
    with pytest.raises(ServiceError, match="nothing to trigger"):
        flow.trigger("line", None, None)
    with pytest.raises(ServiceError, match="There is no source"):
        flow.trigger("other", None, None)
    flow.stop()
