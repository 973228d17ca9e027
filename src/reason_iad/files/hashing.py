"""The hash by which a file's content is known again."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

_BLOCK = 2**20


def file_sha256(path: Path) -> str | None:
    """SHA-256 of a file's content in hexadecimal digits; None for anything but a file that can be read."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return None  # opening a pipe would wait for ever
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except (OSError, ValueError):
        return None
    return digest.hexdigest()
