"""Results out: a file is the old one or the whole new one, never half of it.

Whole files are written beside their target and moved over it. JSON lines are appended one write at a time, so
that a process that is killed loses at most the line in flight, and the next one cuts off what is left of it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from reason_iad.errors import OutputError

_BINARY = getattr(os, "O_BINARY", 0)  # Windows only
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) if hasattr(errno, "EDQUOT") else (errno.ENOSPC, errno.EFBIG)


def write_atomic(path: str | Path, data: str | bytes) -> None:
    """Replace a file in one step, so that no reader and no crash ever sees half of it.

    A link is followed, and the mode of a file that is replaced is kept. Pipes and devices ('/dev/stdout') are
    written to directly. Text is written as UTF-8; what UTF-8 cannot hold (lone surrogates) becomes '?'.

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
        _replace(Path(os.path.realpath(path)), content, mode)
    except (OSError, ValueError) as error:
        raise OutputError(_sentence(path, error)) from None


def append_line(path: str | Path, line: str) -> None:
    """Append one line (a JSON text without newlines) and wait until it is on the disk.

    Raises:
        OutputError: the line cannot be written (the file is then as before), or the file ends in something
            that is not JSON and therefore is not ours to continue.
    """
    path = Path(path)
    if "\n" in line or "\r" in line:
        raise ValueError("a line must not contain a line break")
    content = line.encode("utf-8", "replace") + b"\n"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | _BINARY, 0o666)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                _write_all(descriptor, content)
                return
            end, prefix = _mend_tail(descriptor, path)
            try:
                _write_all(descriptor, prefix + content)
                os.fsync(descriptor)
            except BaseException:
                os.ftruncate(descriptor, end)
                raise
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        raise OutputError(_sentence(path, error)) from None


def read_lines_tolerant(path: str | Path) -> list[str]:
    """Lines of a JSON-lines file, without a torn last one; empty lines are skipped, a missing file has none.

    Raises:
        OutputError: the file exists but cannot be read.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        detail = error.strerror if isinstance(error, OSError) else str(error)
        raise OutputError(f"Cannot read '{_name(path)}' to continue it: {detail}; choose another file.") from None
    *lines, tail = content.split(b"\n")
    if _is_json(tail):
        lines.append(tail)
    return [line.decode("utf-8", "replace") for line in lines if line.strip()]


def stream_lines(path: str | Path, longest: int) -> Iterator[str]:
    """The same, one by one, however large the file is.

    Args:
        path: the file.
        longest: bytes that a line may have.

    Raises:
        OutputError: it is no regular file, cannot be read, or a line is longer.
    """
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise OutputError(f"'{_name(path)}' is no file; name a file with one result per line.")
        with Path(path).open("rb") as file:
            while line := file.readline(longest + 1):
                if len(line) > longest:
                    raise OutputError(f"A line of '{_name(path)}' is too long for a result; choose another file.")
                if line.strip() and (line.endswith(b"\n") or _is_json(line)):
                    yield line.decode("utf-8", "replace")
    except (OSError, ValueError) as error:
        detail = error.strerror if isinstance(error, OSError) else str(error)
        raise OutputError(f"Cannot read '{_name(path)}': {detail}; choose another file.") from None


def _replace(target: Path, content: bytes, mode: int | None) -> None:
    temporary = target.with_name(f".{secrets.token_hex(8)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)  # minus the umask
    try:
        try:
            if mode is not None and hasattr(os, "fchmod"):
                with contextlib.suppress(OSError):  # somebody else's file in a shared folder
                    os.fchmod(descriptor, stat.S_IMODE(mode))
            _write_all(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(target)
    except BaseException:  # also when interrupted
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(target.parent)


def _write_all(descriptor: int, content: bytes) -> None:
    """Write everything; a write may be short when the disk fills up, and the next one then says so."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


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
        raise OutputError(f"'{_name(path)}' is not a JSON-lines file; choose another file to append to.")
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


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None


def _name(path: str | Path) -> str:
    return os.fsencode(path).decode("utf-8", "replace")


def _sentence(path: Path, error: OSError | ValueError) -> str:
    """What went wrong and the mend, in one sentence."""
    code = error.errno if isinstance(error, OSError) else None
    start = f"Cannot write '{_name(path)}': "
    if code == errno.ENOENT:
        return f"{start}the folder '{_name(path.parent)}' does not exist; create it first."
    if code in (errno.EACCES, errno.EPERM):
        return f"{start}permission denied; choose a folder you may write to."
    if code == errno.EROFS:
        return f"{start}the disk is read-only; choose another folder."
    if code in _FULL:
        return f"{start}the disk is full or the file would exceed a size limit; free some space."
    if code == errno.EISDIR:
        return f"{start}it is a folder; add a file name."
    if code == errno.ENOTDIR:
        return f"{start}a part of its path is a file; check the path."
    if code == errno.ENAMETOOLONG:
        return f"{start}the name is too long; choose a shorter one."
    detail = error.strerror if isinstance(error, OSError) else str(error)
    return f"{start}{detail}; choose another place."
