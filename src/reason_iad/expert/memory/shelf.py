"""What is kept of each image, so that a memory can be chosen anew when an image is removed.

A memory forgets what is near to what it has; when the image that this came from goes, others' patches have to stand
in. They are found on the shelf. A shelf on disk holds one file per image, named by the hash of its content: files
are written and removed, never changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Protocol

import torch

from reason_iad.errors import MemoryBankError
from reason_iad.expert.memory.objects import Shape, packed, read_object, write_object


class Kept(NamedTuple):
    """Patches of one image.

    Attributes:
        features: (k, c) float32, averaged over neighbours, not standardised.
        places: (k, 2) float32.
    """

    features: torch.Tensor
    places: torch.Tensor


class Shelf(Protocol):
    """Holds what is kept of images. What was put can be got from then on."""

    def put(self, kept: Kept) -> str:
        """Keep it, and return its key: the hash of its content, the same on every shelf."""
        ...

    def get(self, key: str, patches: int, channels: int) -> Kept:
        """What was kept.

        Raises:
            MemoryBankError: it is not there, damaged, or of another size.
        """
        ...


class RamShelf:
    """A shelf in memory: for tests, and for a few images."""

    def __init__(self) -> None:
        self._held: dict[str, Kept] = {}

    def put(self, kept: Kept) -> str:
        """Keep it."""
        _, key = packed(kept._asdict())
        self._held.setdefault(key, kept)
        return key

    def get(self, key: str, patches: int, channels: int) -> Kept:
        """What was kept."""
        if key not in self._held:
            raise MemoryBankError("The patches of an image are not on this shelf; build the memory anew.")
        return self._held[key]


class DiskShelf:
    """A shelf in a folder.

    Args:
        folder: where the files are; it is made when something is put.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, kept: Kept) -> str:
        """Write a file, unless it is there."""
        return write_object(self.folder, kept._asdict())

    def get(self, key: str, patches: int, channels: int) -> Kept:
        """Read a file, and check it."""
        shapes: dict[str, Shape] = {
            "features": (torch.float32, (patches, channels)),
            "places": (torch.float32, (patches, 2)),
        }
        return Kept(**read_object(self.folder, key, shapes))
