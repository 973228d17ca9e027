"""Copies of everything that a service has to keep, made while it runs, and a service made of such a copy.

    manifest.jsonl      what the copy is, and one line per file with its hash; written last
    service.db          the database, or database.dump of PostgreSQL
    pictures/ products/ as in the data folder

The database is copied first. Pictures are there before the rows that name them, so every picture that the copied
database needs is found, unless it was deleted meanwhile because it was too old. The files of a product are there
before its state names them, and its state is read first.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

from pydantic import ValidationError

from reason_iad.errors import OutputError, ServiceError
from reason_iad.files import hold, read_lines, replacing, sync_folder
from reason_iad.products.editing import counted
from reason_iad.products.storing import HISTORY, STATE
from reason_iad.schema import Record
from reason_iad.service.keeping import postgresql
from reason_iad.service.options import LOCK, NAME

if TYPE_CHECKING:
    from reason_iad.service.settings import Settings

MANIFEST, SQLITE, DUMP = "manifest.jsonl", "service.db", "database.dump"
TOPS = frozenset({SQLITE, DUMP, NAME, "pictures", "products"})
"""What there may be in a copy."""
VERSION = 1
BLOCK = 2**20
LONGEST_LINE = 10_000


class Head(Record):
    """The first line of the manifest.

    Attributes:
        version: of the form of the copy.
        made: seconds since 1970, UTC.
        database: 'sqlite' or 'postgresql'.
        files: how many lines follow.
    """

    version: int
    made: float
    database: str
    files: int


class Entry(Record):
    """A file of the copy.

    Attributes:
        path: relative, with '/'.
        sha256: of its content.
    """

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy holds.

    Attributes:
        pictures, products: how many there are.
        damaged: pictures whose content is not what it was when they came.
    """

    pictures: int
    products: int
    damaged: int

    def in_words(self) -> str:
        """What it holds."""
        return f"the database, {counted(self.pictures, 'picture')} and {counted(self.products, 'product')}"


def back_up(settings: Settings, target: Path) -> Copied:
    """Copy a service that may be running. Files are linked where that is possible, and copied otherwise.

    Args:
        settings: of the service.
        target: a folder that does not exist yet; it is there as a whole or not at all.

    Raises:
        ServiceError: there is no service, or its database cannot be copied.
        OutputError: the copy cannot be written.
    """
    if not settings.pictures.is_dir() and not (settings.data / NAME).exists():
        raise ServiceError("There is no service in this data folder. Check --data.")
    if target.exists():
        raise OutputError(f"'{target}' exists already. Choose a folder that does not.")
    making = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        making.mkdir(mode=0o700)  # it holds hashes of passwords
        entries = [_database(settings, making)]
        entries += _plain(settings.data / NAME, making / NAME, NAME)
        pictures = list(_pictures(settings.pictures, making))
        products = list(_products(settings.products, making))
        _write_manifest(making, settings, [*entries, *pictures, *products])
        making.rename(target)
        sync_folder(target.parent)
    except OSError as error:
        raise OutputError(
            f"The copy cannot be written ({error.strerror or error}). Choose another folder."
        ) from None
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return _counted([*entries, *pictures, *products])


def restore(source: Path, settings: Settings) -> Copied:
    """Make a service of a copy.

    Args:
        source: the folder of the copy.
        settings: of the service; its data folder and its PostgreSQL database are empty.

    Raises:
        ServiceError: the data folder is used or not empty, or the copy is damaged.
        OutputError: the data folder cannot be written.
    """
    head, entries = read_manifest(source)
    if (head.database == "sqlite") != (not settings.database):
        is_file = "The database of this copy is a file. Leave --database out."
        raise ServiceError(is_file if settings.database else "This copy needs PostgreSQL. Give --database.")
    _require_free(settings.data)
    data = settings.data
    making = data.with_name(f".{data.name}.{secrets.token_hex(8)}.tmp")
    try:
        data.parent.mkdir(parents=True, exist_ok=True)
        making.mkdir()
        for entry in entries:
            _take_back(source, making, entry)
        if head.database == "postgresql":
            postgresql.load(settings.database, making / DUMP)
            (making / DUMP).unlink()
        with contextlib.suppress(FileNotFoundError):
            data.rmdir()
        making.rename(data)
        sync_folder(data.parent)
    except OSError as error:
        raise OutputError(f"The data folder cannot be written: {error.strerror or error}.") from None
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return _counted(entries)


def read_manifest(source: Path) -> tuple[Head, list[Entry]]:
    """What a copy holds.

    Raises:
        ServiceError: it is no copy, or it is damaged.
    """
    try:
        lines = read_lines(source / MANIFEST, longest=LONGEST_LINE)
        head = Head.model_validate_json(next(lines, ""))
        entries = [Entry.model_validate_json(line) for line in lines]
    except OutputError:
        raise ServiceError(f"'{source}' is not a copy of a service: it has no {MANIFEST}.") from None
    except ValidationError:
        raise ServiceError(f"The file {MANIFEST} of the copy is damaged. Use another copy.") from None
    if head.version != VERSION:
        raise ServiceError("The copy was made by a newer version of the program. Update this one.")
    if len(entries) != head.files:
        raise ServiceError(f"The file {MANIFEST} of the copy is damaged. Use another copy.")
    for entry in entries:
        parts = PurePosixPath(entry.path).parts
        if not parts or parts[0] not in TOPS or ".." in parts or "\\" in entry.path:
            raise ServiceError("The copy names a file that does not belong to a service. Use another copy.")
    return head, entries


def _database(settings: Settings, making: Path) -> Entry:
    if settings.database:
        postgresql.dump(settings.database, making / DUMP)
        return Entry(path=DUMP, sha256=_hash(making / DUMP))
    source = settings.data / SQLITE
    if not source.is_file():
        raise ServiceError("There is no database in this data folder. If it is in PostgreSQL, give --database.")
    address = f"{source.absolute().as_uri()}?mode=ro"
    try:
        with (
            contextlib.closing(sqlite3.connect(address, uri=True, timeout=30)) as old,
            contextlib.closing(sqlite3.connect(making / SQLITE)) as new,
        ):
            old.backup(new)  # in one step: whoever writes meanwhile is not held up, and not seen
            new.execute("PRAGMA journal_mode=DELETE")
            (said,) = new.execute("PRAGMA quick_check").fetchone()
    except sqlite3.Error as error:
        raise ServiceError(f"The database cannot be copied: {error}.") from None
    if said != "ok":
        raise ServiceError(f"The database is damaged: {said}.")
    with (making / SQLITE).open("rb+") as file:
        os.fsync(file.fileno())
    return Entry(path=SQLITE, sha256=_hash(making / SQLITE))


def _pictures(pictures: Path, making: Path) -> Iterator[Entry]:
    for folder in sorted(pictures.glob("[0-9a-f][0-9a-f]")):
        target = making / "pictures" / folder.name
        target.mkdir(parents=True, exist_ok=True)
        for path in sorted(folder.iterdir()):
            with contextlib.suppress(FileNotFoundError):  # it was too old
                sha256 = path.name if _linked(path, target / path.name) else _copy(path, target / path.name)
                yield Entry(path=f"pictures/{folder.name}/{path.name}", sha256=sha256)
        sync_folder(target)


def _products(products: Path, making: Path) -> Iterator[Entry]:
    for product in sorted(products.glob("*/")):
        if product.name.startswith(".") or not (product / STATE).is_file():
            continue
        target = making / "products" / product.name
        try:
            entries = list(_product(product, target))
        except FileNotFoundError:
            entries = []
        if not (product / STATE).is_file():  # it was deleted meanwhile
            shutil.rmtree(target, ignore_errors=True)
            continue
        yield from entries


def _product(product: Path, target: Path) -> Iterator[Entry]:
    """The state comes first and the history last, so that neither names a file that is missing."""
    paths = [product / STATE]
    for folder, below, names in os.walk(product):
        below[:] = sorted(name for name in below if not name.startswith("."))
        paths += [Path(folder, name) for name in sorted(names) if not name.startswith(".")]
    paths = [*dict.fromkeys(path for path in paths if path.name != HISTORY), product / HISTORY]
    for path in paths:
        relative = path.relative_to(product)
        copy = target / relative
        if path.is_file() and not path.is_symlink():
            copy.parent.mkdir(parents=True, exist_ok=True)
            written_once = path.parent != product
            sha256 = _hash(copy) if written_once and _linked(path, copy) else _copy(path, copy)
            yield Entry(path=f"products/{product.name}/{relative.as_posix()}", sha256=sha256)


def _plain(path: Path, target: Path, name: str) -> list[Entry]:
    return [Entry(path=name, sha256=_copy(path, target))] if path.is_file() else []


def _write_manifest(making: Path, settings: Settings, entries: list[Entry]) -> None:
    kind = "postgresql" if settings.database else "sqlite"
    head = Head(version=VERSION, made=time.time(), database=kind, files=len(entries))
    with replacing(making / MANIFEST) as file:
        for line in (head, *entries):
            file.write(line.model_dump_json().encode() + b"\n")


def _require_free(data: Path) -> None:
    """Refuse a data folder that is used or holds anything.

    Raises:
        ServiceError: it does.
    """
    if not data.exists():
        return
    try:
        hold(data / LOCK).release()
        full = any(data.iterdir())
    except OutputError:
        raise ServiceError("A server uses this data folder. Stop it, or choose another folder.") from None
    except OSError as error:
        raise ServiceError(f"The data folder cannot be read ({error.strerror}).") from None
    if full:
        raise ServiceError("The data folder is not empty. Choose a folder that is, or that does not exist.")


def _take_back(source: Path, making: Path, entry: Entry) -> None:
    """Copy a file back, if it is what it was."""
    path, target = source / entry.path, making / entry.path
    try:
        linked = Path(os.path.realpath(path)) != Path(os.path.realpath(source)) / entry.path
        if linked or not path.is_file():
            raise FileNotFoundError
        target.parent.mkdir(parents=True, exist_ok=True)
        found = _copy(path, target)
    except FileNotFoundError:
        found = ""
    if found != entry.sha256:
        raise ServiceError(f"The file '{entry.path}' of the copy is missing or damaged. Use another copy.")


def _linked(path: Path, target: Path) -> bool:
    """Give a file a second name, if both places are on the same disk."""
    try:
        os.link(path, target, follow_symlinks=False)
    except FileNotFoundError:
        raise
    except OSError:
        return False
    return True


def _copy(path: Path, target: Path) -> str:
    """Copy a file to the disk; returns the hash of what was copied."""
    with path.open("rb") as source, target.open("xb") as copy:
        digest = _hashed(source, copy)
        copy.flush()
        os.fsync(copy.fileno())
    return digest


def _hash(path: Path) -> str:
    with path.open("rb") as source:
        return _hashed(source, None)


def _hashed(source: BinaryIO, copy: BinaryIO | None) -> str:
    digest = hashlib.sha256()
    while block := source.read(BLOCK):
        digest.update(block)
        if copy is not None:
            copy.write(block)
    return digest.hexdigest()


def _counted(entries: list[Entry]) -> Copied:
    pictures = [entry for entry in entries if entry.path.startswith("pictures/")]
    products = {entry.path.split("/")[1] for entry in entries if entry.path.startswith("products/")}
    damaged = sum(not entry.path.endswith(f"/{entry.sha256}") for entry in pictures)
    return Copied(len(pictures), len(products), damaged)
