"""The images among files and folders."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from reason_iad.errors import ImageError
from reason_iad.images.kinds import IMAGE_SUFFIXES, is_image_name, is_litter
from reason_iad.images.loading import printable


def find_images(paths: Iterable[str | Path]) -> list[Path]:
    """List the images among files and folders, each once, in a stable order.

    A file is kept whatever its suffix, and even if it does not exist: `load_image` says what is wrong with it
    and the others go on. A folder is searched recursively for `IMAGE_SUFFIXES`, sorted. Hidden files and
    folders are skipped, and so are those that systems leave there, such as thumbnails and deleted files
    (`kinds.is_litter`). Links to folders are not followed.

    Raises:
        ImageError: a folder holds no image or cannot be read.
    """
    found: dict[str, Path] = {}
    for path in map(Path, paths):
        for file in _walk(path) if path.is_dir() else [path]:
            found.setdefault(os.path.abspath(file), file)  # noqa: PTH100 - lexical, links stay as given
    return list(found.values())


def _walk(folder: Path) -> list[Path]:
    def refuse(error: OSError) -> None:
        raise ImageError(f"The folder '{printable(error.filename)}' cannot be read; check its permissions.")

    files: list[Path] = []
    for root, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not is_litter(name)]
        files += [Path(root, name) for name in names if is_image_name(name)]
    if not files:
        raise ImageError(
            f"The folder '{printable(folder)}' holds no image; "
            f"put files there that end in one of: {', '.join(sorted(IMAGE_SUFFIXES))}."
        )
    return sorted(files)
