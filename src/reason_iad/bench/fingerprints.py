"""What the files of a unit held when it was answered: so that a run never goes on, or is compared, with other ones.

A run's manifest knows keys and texts only; the bytes are known by each answer. So an image that could not be read
may be corrected before a run goes on, but one that was answered about may not be exchanged.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from reason_iad.bench.work import Unit
from reason_iad.files import file_sha256


class Fingerprints:
    """Hashes of the files in a folder; each file is read once.

    Args:
        images: the folder that keys are relative to.
    """

    def __init__(self, images: Path) -> None:
        self._images = images
        self._known: dict[str, str | None] = {}

    def of(self, unit: Unit) -> str | None:
        """SHA-256 of the bytes of a unit's image, templates and mask; None if one of them cannot be read."""
        hashes = [self._file(path) for path in (unit.image, *unit.templates, unit.mask) if path is not None]
        known = [each for each in hashes if each is not None]
        return hashlib.sha256("\n".join(known).encode()).hexdigest() if len(known) == len(hashes) else None

    def _file(self, path: str) -> str | None:
        if path not in self._known:
            self._known[path] = file_sha256(self._images / path)
        return self._known[path]
