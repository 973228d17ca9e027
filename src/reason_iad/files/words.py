"""What is said about files that cannot be written or read: the problem, then what to do."""

from __future__ import annotations

import errno
import os
from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) if hasattr(errno, "EDQUOT") else (errno.ENOSPC, errno.EFBIG)


def name(path: str | Path) -> str:
    """A path as text that can be written as UTF-8, whatever bytes the file system holds."""
    return os.fsencode(path).decode("utf-8", "replace")


def cannot_read(path: str | Path, error: OSError | ValueError) -> str:
    """Why a file cannot be read, and what to do, in one sentence."""
    return f"Cannot read '{name(path)}': {_detail(error)}; choose another file."


def cannot_write(path: str | Path, error: OSError | ValueError) -> str:
    """Why a file cannot be written, and what to do, in one sentence."""
    path = Path(path)
    code = error.errno if isinstance(error, OSError) else None
    start = f"Cannot write '{name(path)}': "
    if code == errno.ENOENT:
        return f"{start}the folder '{name(path.parent)}' does not exist; create it first."
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
    return f"{start}{_detail(error)}; choose another place."


def _detail(error: OSError | ValueError) -> str:
    return str(error.strerror if isinstance(error, OSError) else error)
