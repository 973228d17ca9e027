"""Whole files: a file is the old one or the whole new one, never half of it.

The new content is written beside the file and moved over it.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from reason_iad.errors import OutputError
from reason_iad.files import words

BINARY = getattr(os, "O_BINARY", 0)  # Windows only
_TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.tmp")


def write_atomic(path: str | Path, data: str | bytes, *, sync_name: bool = True) -> None:
    """Replace a file in one step, so that no reader and no crash ever sees half of it.

    A link is followed, and the mode of a file that is replaced is kept. Pipes and devices ('/dev/stdout') are
    written to directly. Text is written as UTF-8; what UTF-8 cannot hold (lone surrogates) becomes '?'.

    Args:
        path: the file.
        data: what is to be in it.
        sync_name: wait until its name is on the disk, as its content always is; who writes many files into one
            folder can do that once, with `sync_folder`.

    Raises:
        OutputError: the file cannot be written; an old file is then unchanged and nothing new is left.
    """
    path = Path(path)
    content = data.encode("utf-8", "replace") if isinstance(data, str) else data
    try:
        mode = _mode(path)
        if mode is not None and not stat.S_ISREG(mode):
            path.write_bytes(content)  # replacing a device file would destroy it; a folder fails here
            return
        _replace(Path(os.path.realpath(path)), content, mode, sync_name)
    except (OSError, ValueError) as error:
        raise OutputError(words.cannot_write(path, error)) from None


@contextmanager
def replacing(path: str | Path, *, sync_name: bool = True) -> Iterator[BinaryIO]:
    """The same for content that is too long to be held in memory: what is written in the block becomes the file.

    Args:
        path: the file.
        sync_name: as for `write_atomic`.

    Raises:
        OutputError: the file cannot be written; an old file is then unchanged and nothing new is left.
    """
    target = Path(path)
    try:
        mode = _mode(target)
        if mode is not None and not stat.S_ISREG(mode):
            raise OutputError(f"'{words.name(path)}' is no ordinary file; choose another name.")
        with (
            _replaced(Path(os.path.realpath(target)), mode, sync_name) as descriptor,
            os.fdopen(descriptor, "wb") as file,
        ):
            yield file
            file.flush()
            os.fsync(descriptor)
    except (OSError, ValueError) as error:
        raise OutputError(words.cannot_write(path, error)) from None


@contextmanager
def made_folder(path: Path, instead: str = "another folder") -> Iterator[None]:
    """Make a folder and those above it; at the end, remove again those of them in which nothing was left.

    Args:
        path: the folder.
        instead: what the user may choose if it cannot be made, for the message.

    Raises:
        OutputError: it cannot be made.
    """
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"The folder '{words.name(path)}' cannot be made ({error.strerror}); choose {instead}."
        ) from None
    try:
        yield
    finally:
        for folder in made:
            with contextlib.suppress(OSError):  # there is something in it
                folder.rmdir()


def write_all(descriptor: int, content: bytes) -> None:
    """Write everything; a write may be short when the disk fills up, and the next one then says so."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _replace(target: Path, content: bytes, mode: int | None, sync_name: bool) -> None:
    with _replaced(target, mode, sync_name) as descriptor:
        try:
            write_all(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _replaced(target: Path, mode: int | None, sync_name: bool) -> Iterator[int]:
    """A new file beside the target, which takes its place at the end of the block; the block closes it."""
    temporary = target.with_name(f".{secrets.token_hex(8)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY, 0o666)  # minus the umask
    try:
        if mode is not None and hasattr(os, "fchmod"):
            with contextlib.suppress(OSError):  # somebody else's file in a shared folder
                os.fchmod(descriptor, stat.S_IMODE(mode))
        yield descriptor
        temporary.replace(target)
    except BaseException:  # also when interrupted
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    if sync_name:
        sync_folder(target.parent)


def is_temporary(name: str) -> bool:
    """Whether a file of this name is new content that a killed process did not move to its place."""
    return _TEMPORARY.fullmatch(name) is not None


def sync_folder(folder: Path) -> None:
    """Make new names in a folder survive a power cut, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None
