"""Pictures on disk, each in a file named by the hash of its content. No name that people give becomes a path."""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from reason_iad.errors import ImageError, OutputError
from reason_iad.files import sync_folder
from reason_iad.images import FORMATS, check_header

YOUNG_S = 3600.0
"""Seconds for which a picture that has just come is never deleted: its part may not be accepted yet."""
_LEAVING = threading.Lock()
"""One server has a data folder, so that a lock of its process is enough."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A picture that is on the disk."""

    sha256: str
    bytes: int
    width: int
    height: int
    format: str


class PictureStore:
    """A folder of pictures.

    Args:
        folder: where they are; it is made when it is needed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def take(self, chunks: Iterable[bytes], most: int) -> Stored:
        """Keep a picture. When this returns, it is on the disk.

        Args:
            chunks: its content.
            most: bytes that it may have.

        Raises:
            ImageError: it is no picture that can be inspected, or too large; nothing is left of it.
            OutputError: it cannot be written.
        """
        arriving = self.folder / "arriving"
        try:
            arriving.mkdir(parents=True, exist_ok=True)
            path = arriving / secrets.token_hex(16)
            try:
                digest, size = _write(path, chunks, most)
                stored = _looked_at(path, digest, size)
                target = self.path(digest)
                with _LEAVING:
                    known = target.exists()
                    if known:
                        os.utime(target)  # so that `forget` leaves it alone until the part is accepted
                    else:
                        target.parent.mkdir(exist_ok=True)
                        path.replace(target)
                if not known:
                    sync_folder(target.parent)
                return stored
            finally:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"The picture cannot be kept: {error.strerror or error}. Check the disk.") from None

    def take_template(self, chunks: Iterable[bytes], most: int) -> Stored:
        """Keep the template of a part, which is a picture like any other; errors say which of the two it is."""
        try:
            return self.take(chunks, most)
        except ImageError as error:
            raise ImageError(f"The template cannot be used. {error}") from None

    def path(self, sha256: str) -> Path:
        """Where a picture is, whether it is there or not."""
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise ImageError("A picture is named by 64 hexadecimal digits.")
        return self.folder / sha256[:2] / sha256

    def forget(self, sha256: str) -> None:
        """Delete a picture that no part needs, unless it came again a short while ago."""
        path = self.path(sha256)
        with _LEAVING, suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > YOUNG_S:
                path.unlink()

    def sweep(self) -> None:
        """Delete what was left when a process was killed while a picture arrived."""
        for path in (self.folder / "arriving").glob("*"):
            path.unlink(missing_ok=True)


def _write(path: Path, chunks: Iterable[bytes], most: int) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with path.open("xb") as file:
        for chunk in chunks:
            size += len(chunk)
            if size > most:
                raise ImageError(f"The picture has more than {most // 2**20} MiB; crop it or save it compressed.")
            digest.update(chunk)
            file.write(chunk)
        if not size:
            raise ImageError("The picture is empty (zero bytes); send it again.")
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest(), size


def _looked_at(path: Path, digest: str, size: int) -> Stored:
    """What the header says. Messages name no file: it is a picture that somebody sent."""
    try:
        check_header(path)
    except ImageError as error:
        said = (
            str(error).replace(f"The file or folder '{path}'", "The picture").replace(f"The image '{path}'", "It")
        )
        raise ImageError(said) from None
    with Image.open(path, formats=FORMATS) as image:
        return Stored(digest, size, image.width, image.height, str(image.format))
