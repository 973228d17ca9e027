"""The images among files and folders, and those that are left out because they cannot be read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from reason_iad.errors import ImageError
from reason_iad.images.formats import HAS_HEIC
from reason_iad.images.kinds import IMAGE_SUFFIXES, is_image_name, is_litter, is_unread_name
from reason_iad.images.loading import printable

NAMED = 3
"""Images that a message names; the others are counted."""
_HEIC = (".heic", ".heif", ".hif")


def find_images(paths: Iterable[str | Path], tell: Callable[[str], object] | None = None) -> list[Path]:
    """List the images among files and folders, each once, in a stable order.

    A file is kept whatever its suffix, and even if it does not exist: `load_image` says what is wrong with it
    and the others go on. A folder is searched recursively for `IMAGE_SUFFIXES`, sorted. Hidden files and
    folders are skipped, and so are those that systems leave there, such as thumbnails and deleted files
    (`kinds.is_litter`). Links to folders are not followed.

    Args:
        paths: files and folders.
        tell: is told, in one sentence, which images were left out because their format cannot be read.

    Raises:
        ImageError: a folder holds no image or cannot be read.
    """
    found: dict[str, Path] = {}
    left_out: list[Path] = []
    for path in map(Path, paths):
        files = [path]
        if path.is_dir():
            every = sorted(_walk(path))
            files = [file for file in every if is_image_name(file.name)]
            unread = [file for file in every if is_unread_name(file.name)]
            if not files:
                raise ImageError(_nothing(path, unread))
            left_out += unread
        for file in files:
            found.setdefault(os.path.abspath(file), file)  # noqa: PTH100 - lexical, links stay as given
    if tell is not None and left_out:
        tell(left_out_words(left_out))
    return list(found.values())


def unread_images(folder: Path) -> list[Path]:
    """The images below a folder that are left out because their format cannot be read, sorted.

    Raises:
        ImageError: a folder cannot be read.
    """
    return sorted(file for file in _walk(folder) if is_unread_name(file.name))


def left_out_words(images: Sequence[Path]) -> str:
    """Which images were left out and what to do, for people."""
    return f"Left out: {_counted(images)}. {_advice(images)}"


def _nothing(folder: Path, unread: Sequence[Path]) -> str:
    """Why a folder is no use."""
    if unread:
        return f"The folder '{printable(folder)}' holds only {_counted(unread)}. {_advice(unread)}"
    return (
        f"The folder '{printable(folder)}' holds no image; "
        f"put files there that end in one of: {', '.join(sorted(IMAGE_SUFFIXES))}."
    )


def _counted(images: Sequence[Path]) -> str:
    names = ", ".join(printable(image.name) for image in images[:NAMED])
    more = f" and {len(images) - NAMED} more" if len(images) > NAMED else ""
    number = "1 image of a format" if len(images) == 1 else f"{len(images)} images of formats"
    return f"{number} that cannot be read ({names}{more})"


def _advice(images: Sequence[Path]) -> str:
    """What to do with images of formats that cannot be read."""
    heic = any(image.suffix.lower() in _HEIC for image in images) and not HAS_HEIC
    them = "it" if len(images) == 1 else "them"
    save = f"Save {them} as PNG, TIFF or JPEG"
    return f'{save}, or install what reads HEIC: pip install "reason-iad[heic]"' if heic else f"{save}."


def _walk(folder: Path) -> Iterator[Path]:
    """All files below a folder that are no litter."""

    def refuse(error: OSError) -> None:
        raise ImageError(f"The folder '{printable(error.filename)}' cannot be read; check its permissions.")

    for root, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not is_litter(name)]
        yield from (Path(root, name) for name in names if not is_litter(name))
