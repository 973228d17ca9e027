"""Products as one ZIP file, to be mailed. What comes by mail is hostile until it was checked.

An archive holds one folder with `product.json`, `history.jsonl` and exactly the files that the state names, each
with the hash that the state says. Derived data, and pictures that only the history knows, stay at home. The same
product gives the same archive, byte for byte.
"""

from __future__ import annotations

import hashlib
import io
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Protocol

from reason_iad.errors import ProductError
from reason_iad.files import replacing, write_atomic
from reason_iad.images import MAX_FILE_BYTES, check_header, printable
from reason_iad.products.product import Product
from reason_iad.products.state import KNOWLEDGE, Change, FileRecord, State
from reason_iad.products.storing import (
    HISTORY,
    MOST_BYTES,
    STATE,
    make_folder,
    parse_history,
    parse_state,
    sync_folders,
)

MOST_FILES = 100_000
MOST_TOGETHER = 64 * 2**30
"""Files, and bytes, that an archive may hold."""

_BLOCK = 2**20
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)
"""What reading an archive raises that was cut off, encrypted, or made to harm."""


def export(product: Product, file: Path) -> None:
    """Write a product into a ZIP file; one that is there is replaced in one step.

    Raises:
        ProductError: a file of the product is missing or was changed.
        OutputError: the archive cannot be written; an old one is then unchanged.
    """
    state = product.state.model_copy(update={"name": product.name})
    texts = {STATE: state.text(), HISTORY: _lines(product.history())}
    with replacing(file) as target, zipfile.ZipFile(target, "w", allowZip64=True) as archive:
        for name, text in texts.items():
            archive.writestr(_entry(product.name, name), text)
        for record in _records(state):
            with archive.open(_entry(product.name, record.file), "w", force_zip64=True) as entry:
                _copy(_open_file(product.folder / record.file), entry, record, str(product.folder))


class Parcel(Protocol):
    """A product that comes from elsewhere.

    Attributes:
        name: what it was called.
        state: what its `product.json` says.
    """

    name: str
    state: State

    def open(self, file: str) -> Source:
        """A file of it.

        Raises:
            ProductError: it is missing.
        """
        ...


class Source(Protocol):
    """A file that is read from its beginning to its end."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""
        ...

    def close(self) -> None:
        """Read no more."""
        ...


class Target(Protocol):
    """A file that is written."""

    def write(self, content: bytes, /) -> object:
        """Add to it."""
        ...


@contextmanager
def opened(source: Path) -> Iterator[Parcel]:
    """A product in a ZIP file or in a folder, of which the state was checked, and of an archive its list of files.

    Raises:
        ProductError: it is none, or is damaged.
    """
    if source.is_dir():
        yield _Folder(source)
        return
    with _archive(source) as archive:
        yield _Archive(archive, printable(source))


def unpack(parcel: Parcel, folder: Path, name: str) -> None:
    """Write a product into an empty folder. Every file is checked: its hash, and that it is what it should be.

    Raises:
        ProductError: a file is missing or has another content.
        ImageError, KnowledgeError: a file is no picture, or no knowledge.
        OutputError: it cannot be written.
    """
    history = _read(parcel, HISTORY)
    lines = [line for line in history.decode("utf-8", "replace").split("\n") if line.strip()]
    changes = parse_history(lines, HISTORY)
    for record in _records(parcel.state):
        target = folder / record.file
        make_folder(folder, target.parent)
        with replacing(target, sync_name=False) as file:
            _copy(parcel.open(record.file), file, record, parcel.name)
        if not record.file.startswith(f"{KNOWLEDGE}/"):
            check_header(target)
    sync_folders(folder / record.file for record in parcel.state.files())
    kept = [change for change in changes if change.revision <= parcel.state.revision]
    write_atomic(folder / HISTORY, _lines(kept))
    write_atomic(folder / STATE, parcel.state.model_copy(update={"name": name}).text())
    _check_knowledge(Product.read(folder))


def _archive(source: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(source)
    except FileNotFoundError:
        raise ProductError(f"'{printable(source)}' does not exist. Check the path.") from None
    except OSError as error:
        raise ProductError(f"'{printable(source)}' cannot be read ({error.strerror or error}).") from None
    except _DAMAGED:
        raise ProductError(
            f"'{printable(source)}' is not a ZIP file that can be read. Export the product again."
        ) from None


class _Folder:
    """The folder of a product; what its state does not name is left alone."""

    def __init__(self, folder: Path) -> None:
        self.product = Product.read(folder)
        self.name, self.state = self.product.name, self.product.state

    def open(self, file: str) -> Source:
        if file == HISTORY:  # without what a killed process left
            return io.BytesIO(_lines(self.product.history()).encode())
        return _open_file(self.product.folder / file)


class _Archive:
    """A ZIP file whose entries are those of a product, and no others."""

    def __init__(self, archive: zipfile.ZipFile, where: str) -> None:
        self._archive, self._where = archive, where
        entries = archive.infolist()
        if len(entries) > MOST_FILES or sum(entry.file_size for entry in entries) > MOST_TOGETHER:
            raise self._refused(f"it holds more than {MOST_FILES} files or {MOST_TOGETHER // 2**30} GiB")
        names = [entry.filename for entry in entries if not entry.is_dir()]
        tops = {name.partition("/")[0] for name in names}
        self._top = next(iter(tops), "")
        if len(tops) != 1 or f"{self._top}/{STATE}" not in names:
            raise self._refused(f"it is no product: it has not one folder with '{STATE}' in it")
        self._entries = {entry.filename: entry for entry in entries if not entry.is_dir()}
        for entry in entries:
            mode = stat.S_IFMT(entry.external_attr >> 16)
            if mode not in (0, stat.S_IFREG, stat.S_IFDIR) or entry.flag_bits & 1:
                raise self._refused(f"'{printable(entry.filename)}' is a link, or is encrypted")
        if len(self._entries) != len(names):
            raise self._refused("it holds two files of one name")
        self.state = parse_state(_bounded(self.open(STATE), STATE, where), f"{where}: {STATE}")
        self.name = self.state.name
        self._check_names()

    def open(self, file: str) -> Source:
        entry = self._entries.get(f"{self._top}/{file}")
        if entry is None:
            raise self._refused(f"'{file}' is missing")
        try:
            return _Reading(self._archive.open(entry), self._where)
        except _DAMAGED:
            raise self._refused(f"'{file}' cannot be read") from None

    def _check_names(self) -> None:
        wanted = {record.file for record in self.state.files()} | {STATE, HISTORY}
        found = {name.partition("/")[2] for name in self._entries}
        if extra := sorted(found - wanted):
            raise self._refused(f"'{printable(extra[0])}' does not belong to the product")
        if missing := sorted(wanted - found):
            raise self._refused(f"'{missing[0]}' is missing")

    def _refused(self, why: str) -> ProductError:
        return ProductError(f"'{self._where}' is refused, because {why}. Export the product again.")


class _Reading:
    """An entry of an archive; whatever reading it raises means that the archive is damaged."""

    def __init__(self, entry: IO[bytes], where: str) -> None:
        self._entry, self._where = entry, where

    def read(self, size: int, /) -> bytes:
        try:
            return self._entry.read(size)
        except _DAMAGED:
            raise ProductError(f"'{self._where}' is damaged. Export the product again.") from None

    def close(self) -> None:
        self._entry.close()


def _records(state: State) -> list[FileRecord]:
    """The files of a state, each once, in the order of their names."""
    return sorted({record.file: record for record in state.files()}.values(), key=lambda record: record.file)


def _entry(name: str, file: str) -> zipfile.ZipInfo:
    """An entry without a date or an owner; pictures are compressed already."""
    entry = zipfile.ZipInfo(f"{name}/{file}", date_time=(1980, 1, 1, 0, 0, 0))
    entry.create_system, entry.external_attr = 3, (stat.S_IFREG | 0o644) << 16
    return entry


def _lines(changes: Iterable[Change]) -> str:
    return "".join(f"{change.model_dump_json(exclude_none=True)}\n" for change in changes)


def _open_file(path: Path) -> Source:
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise ProductError(f"'{printable(path)}' is no ordinary file. Restore it from a copy.")
        return path.open("rb")
    except OSError as error:
        raise ProductError(
            f"'{printable(path)}' cannot be read ({error.strerror}). Restore it from a copy."
        ) from None


def _copy(source: Source, target: Target, record: FileRecord, where: str) -> None:
    """Copy a file, and refuse it if its content is another than the state says."""
    digest, length = hashlib.sha256(), 0
    with closing(source):
        while block := source.read(_BLOCK):
            length += len(block)
            if length > MAX_FILE_BYTES:
                raise ProductError(f"'{record.file}' in '{where}' is larger than {MAX_FILE_BYTES // 2**20} MiB.")
            digest.update(block)
            target.write(block)
    if digest.hexdigest() != record.sha256:
        raise ProductError(
            f"'{record.file}' in '{where}' has another content than '{STATE}' says. Restore it from a copy."
        )


def _read(parcel: Parcel, file: str) -> bytes:
    return _bounded(parcel.open(file), file, parcel.name)


def _bounded(source: Source, file: str, where: str) -> bytes:
    with closing(source):
        content = source.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ProductError(f"'{file}' in '{where}' is larger than {MOST_BYTES // 2**20} MiB.")
    return content


def _check_knowledge(product: Product) -> None:
    from reason_iad.knowledge import import_mmad, read_documents

    files = [product.folder / record.file for record in product.state.knowledge]
    if len(files) == 1 and files[0].suffix == ".json":
        import_mmad(files[0])
    elif files:
        read_documents(files)
