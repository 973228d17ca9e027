"""JSON lines: appended so that a crash costs at most the last line, and read without what a crash left of it."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from reason_iad.errors import OutputError
from reason_iad.files import words
from reason_iad.files.writing import BINARY, write_all


def append_lines(path: str | Path, *lines: str) -> None:
    """Append lines (JSON texts without line breaks) in one write, and wait until they are on the disk.

    What is left of a line that was cut off is removed first.

    Raises:
        OutputError: they cannot be written (the file is then as before), or the file ends in something that is
            not JSON and therefore is not ours to continue.
    """
    path = Path(path)
    if any("\n" in line or "\r" in line for line in lines):
        raise ValueError("a line must not contain a line break")
    content = b"".join(line.encode("utf-8", "replace") + b"\n" for line in lines)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | BINARY, 0o666)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                write_all(descriptor, content)
                return
            end, prefix = _mend_tail(descriptor, path)
            try:
                write_all(descriptor, prefix + content)
                os.fsync(descriptor)
            except BaseException:  # also when interrupted
                os.ftruncate(descriptor, end)
                raise
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        raise OutputError(words.cannot_write(path, error)) from None


def read_lines(path: str | Path, *, longest: int = -1) -> Iterator[str]:
    """The lines of a JSON-lines file, one by one, however large it is; empty ones are skipped.

    A last line that was cut off is left out.

    Args:
        path: the file.
        longest: bytes that a line may have; -1: any number.

    Raises:
        OutputError: it is missing, is no regular file, cannot be read, or a line is longer.
    """
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise OutputError(f"'{words.name(path)}' is no file; name a file with one result per line.")
        with Path(path).open("rb") as file:
            while line := file.readline(longest + 1 if longest >= 0 else -1):
                if len(line) > longest >= 0:
                    raise OutputError(
                        f"A line of '{words.name(path)}' is too long for a result; choose another file."
                    )
                if line.strip() and (line.endswith(b"\n") or _is_json(line)):
                    yield line.removesuffix(b"\n").decode("utf-8", "replace")
    except (OSError, ValueError) as error:
        raise OutputError(words.cannot_read(path, error)) from None


def _mend_tail(descriptor: int, path: Path) -> tuple[int, bytes]:
    """Cut a torn last line off; returns the length to fall back to and what must precede the next line.

    A prefix of a JSON object is never itself valid JSON, so a torn line is told apart exactly from a whole
    one that merely lacks its newline.
    """
    end = os.lseek(descriptor, 0, os.SEEK_END)
    tail = _tail(descriptor, end)
    if not tail:
        return end, b""
    if _is_json(tail):
        return end, b"\n"
    if not tail.startswith(b"{"):
        raise OutputError(f"'{words.name(path)}' is not a JSON-lines file; choose another file to append to.")
    os.ftruncate(descriptor, end - len(tail))
    return end - len(tail), b""


def _tail(descriptor: int, end: int) -> bytes:
    """Bytes after the last newline, read backwards in blocks."""
    tail = b""
    while end > 0 and b"\n" not in tail:
        start = max(0, end - 65536)
        os.lseek(descriptor, start, os.SEEK_SET)
        tail = os.read(descriptor, end - start) + tail
        end = start
    return tail.rpartition(b"\n")[2]


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
