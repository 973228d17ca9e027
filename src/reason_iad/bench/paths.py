"""Paths as lists and files of questions state them, also if those were written on Windows."""

from __future__ import annotations

import os
from pathlib import Path

from reason_iad.bench.detect.inventory import leads_outside


class WrittenPaths:
    """Reads paths with '/' for their backslashes, where that is what was meant.

    Args:
        root: the folder that they are relative to.

    Attributes:
        turned: how many were read so.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.turned = 0

    def plain(self, path: str) -> str:
        """The path with '/', if there is a file of that name inside the folder, and none of the very name."""
        if "\\" not in path or (os.sep != "\\" and _exists(self.root / path)):
            return path
        turned = path.replace("\\", "/")
        if not _exists(self.root / turned) or leads_outside(self.root / turned, self.root):
            return path
        self.turned += 1
        return turned

    def notes(self, where: str) -> tuple[str, ...]:
        """The sentence that tells it, if there is something to tell.

        Args:
            where: what the paths stand in.
        """
        if not self.turned:
            return ()
        paths = "1 path" if self.turned == 1 else f"{self.turned} paths"
        return (f"{paths} in {where} had backslashes, as Windows writes them. They were read with '/'.",)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
