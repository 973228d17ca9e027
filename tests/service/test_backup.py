"""Copies of a service: made while it works, whole or not at all, and checked when they are taken back."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select
from tests.parts import plate, save
from tests.service.serving import make_product, new_database

from reason_iad.cli import main
from reason_iad.errors import OutputError, ReasonIADError, ServiceError
from reason_iad.files import hold
from reason_iad.products import Products
from reason_iad.service.database import Database, queue
from reason_iad.service.database.tables import Inspection
from reason_iad.service.keeping import backup
from reason_iad.service.keeping.pictures import PictureStore
from reason_iad.service.server import LOCK, opened
from reason_iad.service.settings import Settings
from reason_iad.service.sinks import Message


@pytest.fixture
def settings(tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    """A service with a product and three parts."""
    made = Settings(tmp_path / "data", address_of(request))
    make_product(made.data, count=2)
    with opened(made) as (database, _):
        for seed in range(3):
            accept(made, database, seed, tmp_path)
    return made


def address_of(request: pytest.FixtureRequest) -> str:
    """An empty PostgreSQL database if the test asks for one."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return ""
    return new_database(request)


def accept(settings: Settings, database: Database, seed: int, folder: Path) -> int:
    save(plate(seed), folder / "part.png")
    stored = PictureStore(settings.pictures).take([(folder / "part.png").read_bytes()], 2**20)
    return queue.accept(database, queue.Part("plate", stored, f"{seed}.png", "http"), 10_000)[0]


def count(settings: Settings) -> int:
    database = Database(settings.database_url)
    with database.reading() as session:
        found = session.scalar(select(func.count()).select_from(Inspection))
        for row in session.scalars(select(Inspection)):
            assert PictureStore(settings.pictures).path(row.picture).is_file()
    database.close()
    return int(found or 0)


def test_a_copy_is_taken_back_as_it_was(settings: Settings, tmp_path: Path) -> None:
    copied = backup.back_up(settings, tmp_path / "copy")
    assert (copied.pictures, copied.products, copied.damaged) == (3, 1, 0)
    assert (tmp_path / "copy").stat().st_mode & 0o77 == 0, "it holds hashes of passwords"
    new = Settings(tmp_path / "new")
    assert backup.restore(tmp_path / "copy", new) == copied
    assert count(new) == 3
    assert Products(new.products).open("plate").state == Products(settings.products).open("plate").state
    with opened(new) as (database, name):
        assert accept(new, database, 9, tmp_path) == 4
        assert name == (settings.data / "server-name").read_text()
    assert count(settings) == 3 and not list(tmp_path.glob(".*.tmp"))


def ids(settings: Settings) -> dict[int, str]:
    """What sinks would get as ids, by number."""
    with opened(settings) as (database, _), database.reading() as session:
        found = session.scalars(select(Inspection)).all()
        session.expunge_all()
        for row in found:
            row.outcome = "pass"
        return {row.id: Message.of(row, "control").id for row in found}


def test_ids_that_sinks_have_got_are_not_given_again_after_a_restore(settings: Settings, tmp_path: Path) -> None:
    backup.back_up(settings, tmp_path / "copy")
    with opened(settings) as (database, _):
        accept(settings, database, 7, tmp_path)
    before, new = ids(settings), Settings(tmp_path / "new")
    backup.restore(tmp_path / "copy", new)
    assert ids(new) == {number: before[number] for number in (1, 2, 3)}, "what was on its way is still dropped"
    with opened(new) as (database, _):
        assert accept(new, database, 7, tmp_path) == 4
    assert ids(new)[4] != before[4]


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_a_copy_of_postgresql(settings: Settings, tmp_path: Path) -> None:
    backup.back_up(settings, tmp_path / "copy")
    with pytest.raises(ServiceError, match="needs PostgreSQL"):
        backup.restore(tmp_path / "copy", Settings(tmp_path / "new"))
    with pytest.raises(ServiceError, match="not empty"):
        backup.restore(tmp_path / "copy", Settings(tmp_path / "new", settings.database))
    assert not (tmp_path / "new").exists()
    server, _, _ = settings.database.rpartition("/")
    import psycopg

    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute("CREATE DATABASE restored")
    new = Settings(tmp_path / "new", f"{server}/restored")
    backup.restore(tmp_path / "copy", new)
    assert count(new) == 3 and not (new.data / "database.dump").exists()


def test_a_copy_that_is_made_while_parts_come_is_whole(settings: Settings, tmp_path: Path) -> None:
    stop, numbers = threading.Event(), []
    database = Database(settings.database_url)
    (tmp_path / "coming").mkdir()

    def work() -> None:
        seed = 100
        while not stop.is_set():
            seed += 1
            numbers.append(accept(settings, database, seed, tmp_path / "coming"))
            save(plate(seed), tmp_path / "coming" / "good.png")
            Products(settings.products).open("plate").with_good(tmp_path / "coming" / "good.png")

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for number in range(4):
            while len(numbers) < 2 * number + 1:
                pass
            backup.back_up(settings, tmp_path / f"copy {number}")
    finally:
        stop.set()
        thread.join()
        database.close()
    for number in range(4):
        new = Settings(tmp_path / f"new {number}")
        backup.restore(tmp_path / f"copy {number}", new)
        assert 3 < count(new) <= 3 + len(numbers)
        product = Products(new.products).open("plate")
        assert all(each.path.is_file() for each in product.good)
        product.with_good(tmp_path / "coming" / "part.png")  # it can still be changed


def test_a_folder_that_is_used_or_not_empty_is_refused(settings: Settings, tmp_path: Path) -> None:
    backup.back_up(settings, tmp_path / "copy")
    with pytest.raises(OutputError, match="exists already"):
        backup.back_up(settings, tmp_path / "copy")
    with pytest.raises(ServiceError, match="not empty"):
        backup.restore(tmp_path / "copy", settings)
    held = hold(settings.data / LOCK)
    with pytest.raises(ServiceError, match="A server uses"):
        backup.restore(tmp_path / "copy", settings)
    held.release()
    (tmp_path / "empty").mkdir()
    backup.restore(tmp_path / "copy", Settings(tmp_path / "empty"))
    assert count(Settings(tmp_path / "empty")) == 3


@pytest.mark.parametrize("damage", ["changed", "missing", "link", "outside", "short", "newer", "no manifest"])
def test_a_damaged_copy_is_refused_and_nothing_is_left(settings: Settings, tmp_path: Path, damage: str) -> None:
    copy = tmp_path / "copy"
    backup.back_up(settings, copy)
    manifest, picture = copy / backup.MANIFEST, next((copy / "pictures").glob("*/*"))
    lines = manifest.read_text().splitlines()
    if damage == "changed":
        content = picture.read_bytes()
        picture.unlink()  # it is linked
        picture.write_bytes(content[:-1] + b"x")
    elif damage == "missing":
        picture.unlink()
    elif damage == "link":
        picture.rename(tmp_path / "secret")
        picture.symlink_to(tmp_path / "secret")
    elif damage == "outside":
        manifest.write_text("\n".join([*lines[:-1], '{"path": "products/../../x", "sha256": ""}']) + "\n")
    elif damage == "short":
        manifest.write_text("\n".join(lines[:-1]) + "\n")
    elif damage == "newer":
        manifest.write_text("\n".join([lines[0].replace('"version":1', '"version":2'), *lines[1:]]) + "\n")
    else:
        manifest.unlink()
    with pytest.raises(ServiceError):
        backup.restore(copy, Settings(tmp_path / "new"))
    assert not (tmp_path / "new").exists() and not list(tmp_path.glob(".*.tmp"))


def test_a_picture_that_is_damaged_on_the_disk_is_told(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", lambda *_, **__: (_ for _ in ()).throw(OSError("another disk")))
    next(settings.pictures.glob("[0-9a-f]*/*")).write_bytes(b"damaged")
    assert backup.back_up(settings, tmp_path / "copy").damaged == 1
    assert backup.restore(tmp_path / "copy", Settings(tmp_path / "new")).damaged == 1


def test_commands(settings: Settings, tmp_path: Path) -> None:
    run = CliRunner()
    ended = run.invoke(main, ["backup", str(tmp_path / "copy"), "--data", str(settings.data)])
    assert ended.exit_code == 0 and "the database, 3 pictures and 1 product." in ended.stderr, ended.output
    ended = run.invoke(main, ["restore", str(tmp_path / "copy"), "--data", str(tmp_path / "new")])
    assert ended.exit_code == 0, ended.output
    ended = run.invoke(main, ["backup", str(tmp_path / "other"), "--data", str(tmp_path / "nothing")])
    assert ended.exit_code == 2 and "There is no service" in ended.stderr
    with pytest.raises(ReasonIADError):
        backup.read_manifest(tmp_path)
