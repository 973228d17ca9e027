"""What people give as pictures of good and defective parts, read and checked: files, folders, masks."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from reason_iad.errors import ImageError, ProductError, ReasonIADError
from reason_iad.images import (
    REMARKS,
    Depth,
    MaskFile,
    Remark,
    find_images,
    is_image_name,
    is_litter,
    is_normal_name,
    left_out_words,
    load_image,
    load_mask,
    printable,
    unread_images,
)
from reason_iad.images.kinds import MASK_ENDING, is_mask_folder, mask_stems
from reason_iad.products.names import LONGEST
from reason_iad.schema import Box

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ONE_TYPE = "defect"
"""The type of defects that nobody named."""


class Tell(Protocol):
    """Is told, in sentences, what was left out and why."""

    def __call__(self, message: str, /) -> None:
        """One sentence."""


def silent(message: str, /) -> None:
    """Tells nobody."""


@dataclass(frozen=True, slots=True)
class GivenGood:
    """A picture of a good part.

    Attributes:
        path: the file.
        view: the view or variant that it shows; None: there is only one.
    """

    path: Path
    view: str | None = None


@dataclass(frozen=True, slots=True)
class GivenDefect:
    """A picture of a defective part.

    Attributes:
        path: the file.
        type: what the defect is called.
        mask: a file in which the defect is marked: it is as large as the picture, and black elsewhere.
        box: where the defect is, in pixels.
    """

    path: str | Path
    type: str = ONE_TYPE
    mask: str | Path | None = None
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """A picture that was read.

    Attributes:
        path: the file.
        sha256: of its content.
        width, height: when it lies upright.
        depth: what became of more than 8 bits; None where there were 8.
    """

    path: Path
    sha256: str
    width: int
    height: int
    depth: Depth | None = None


def find_good(paths: Iterable[str | Path], tell: Tell = silent) -> list[GivenGood]:
    """The pictures of good parts among files and folders. Sub-folders of a folder are views.

    Raises:
        ImageError: a folder holds no picture, or cannot be read.
    """
    found: list[GivenGood] = []
    for path in map(Path, paths):
        for file in find_images([path], tell):
            inside = file.relative_to(path).parts[:-1] if path.is_dir() else ()
            if not any(map(is_mask_folder, inside)):
                view = inside[0] if inside and not is_normal_name(inside[0]) else None
                found.append(GivenGood(file, None if view is None else label(view, "view")))
    return found


def find_defects(folder: str | Path, tell: Tell = silent) -> list[GivenDefect]:
    """The pictures of defects in a folder. Sub-folders are types; pictures directly in it are of the type 'defect'.

    A mask is `x_mask.png` beside `x.png`, or a file of either name in a folder of masks: in that of the type, in
    that of the whole, or in that beside the whole, as in MVTec's sets.

    Raises:
        ProductError: there is no picture in it, or it is no folder.
        ImageError: it cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ProductError(f"'{printable(folder)}' is no folder. Give a folder with one sub-folder per type.")
    if unread := unread_images(folder):
        tell(left_out_words(unread))
    found: list[GivenDefect] = []
    for place in (folder, *_subfolders(folder)):
        if place != folder and (is_mask_folder(place.name) or is_normal_name(place.name)):
            if is_normal_name(place.name):
                tell(f"The folder '{printable(place)}' was left out: by its name it holds good parts.")
            continue
        kind = ONE_TYPE if place == folder else label(place.name, "type")
        images = _images(place) if place == folder else _without_masks(place)
        found += _with_masks(images, kind, _mask_files(folder, place), tell)
    if not found:
        raise ProductError(
            f"'{printable(folder)}' holds no picture of a defect. Put one sub-folder per type there."
        )
    return found


def read_all(given: Iterable[GivenGood] | Iterable[GivenDefect]) -> list[Read]:
    """Read and check every picture.

    Raises:
        ImageError: one or more cannot be used; the first is named, the others are counted.
    """
    read: list[Read] = []
    problems: list[ReasonIADError] = []
    for each in given:
        try:
            image = load_image(each.path)
        except ImageError as error:
            problems.append(error)
        else:
            depth = None if image.depth is None else replace(image.depth, values=None)
            read.append(Read(Path(each.path), image.sha256, image.width, image.height, depth))
    if problems:
        more = f" {len(problems) - 1} more cannot be used either." if problems[1:] else ""
        raise ImageError(f"{problems[0]}{more}")
    return read


@dataclass(frozen=True, slots=True)
class ReadMask:
    """A mask that was read.

    Attributes:
        sha256: of the file's content.
        remarks: what a person should know of how it was read.
    """

    sha256: str
    remarks: tuple[Remark, ...]


def read_mask(path: Path, image: Read) -> ReadMask:
    """Check a mask.

    Raises:
        ImageError: it cannot be read, is of another size than its picture, or marks nothing.
    """
    found = _load_marked(path, "mask", (image.width, image.height))
    return ReadMask(found.sha256, found.mask.remarks)


def tell_remarks(masks: Iterable[tuple[Path, ReadMask]], tell: Tell) -> None:
    """Say what is remarkable about masks: of each kind the first by name, the others as a number."""
    found: dict[Remark, list[Path]] = {}
    for path, mask in masks:
        for remark in mask.remarks:
            found.setdefault(remark, []).append(path)
    for remark, paths in found.items():
        others = f" The same holds for {len(paths) - 1} more." if paths[1:] else ""
        tell(f"The mask '{printable(paths[0])}' {REMARKS[remark]}.{others}")


def read_area(path: Path) -> Read:
    """Check an area: a picture in which it is marked on black.

    Raises:
        ImageError: it cannot be read, or marks nothing.
    """
    found = _load_marked(path, "area", None)
    height, width = found.mask.values.shape
    return Read(path, found.sha256, width, height)


def label(text: str, what: str) -> str:
    """The name of a view or a type.

    Raises:
        ProductError: it is empty, too long, or cannot be printed.
    """
    text = unicodedata.normalize("NFC", text.strip())
    if not text or not text.isprintable() or len(text) > LONGEST:
        raise ProductError(
            f"'{printable(text)[:LONGEST]}' cannot be the name of a {what}. Use at most {LONGEST} printable "
            "characters."
        )
    return text


def marked_pixels(path: Path) -> NDArray[np.bool_]:
    """(H, W) the pixels that a picture marks.

    Raises:
        ImageError: it cannot be read, or marks nothing.
    """
    return _load_marked(path, "area", None).mask.marked


def _load_marked(path: Path, what: str, size: tuple[int, int] | None) -> MaskFile:
    """Read a file in which a place is marked."""
    found = load_mask(path, what, size)
    if not found.mask.marked.any():
        raise ImageError(f"The {what} '{printable(path)}' is black everywhere. Mark the place in white.")
    return found


def _subfolders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not is_litter(path.name))


def _images(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if is_image_name(path.name) and path.is_file())
    except OSError as error:
        raise ImageError(f"The folder '{printable(folder)}' cannot be read ({error.strerror}).") from None


def _without_masks(folder: Path) -> list[Path]:
    """The images in a folder and those below it, but for folders of masks."""
    found = find_images([folder])
    return [file for file in found if not any(map(is_mask_folder, file.relative_to(folder).parts[:-1]))]


def _mask_files(folder: Path, place: Path) -> dict[str, Path]:
    """Name of a mask, suffix aside, to the file; the nearest folder counts."""
    homes = _mask_folders(place)
    if place != folder:
        homes += [home / place.name for around in (folder, folder.parent) for home in _mask_folders(around)]
    found: dict[str, Path] = {}
    for home in homes:
        for file in _images(home) if home.is_dir() else []:
            found.setdefault(file.stem, file)
    return found


def _mask_folders(folder: Path) -> list[Path]:
    try:
        return [path for path in _subfolders(folder) if is_mask_folder(path.name)]
    except OSError:  # the folder around the one that was given need not be readable
        return []


def _with_masks(images: list[Path], kind: str, masks: dict[str, Path], tell: Tell) -> Iterator[GivenDefect]:
    """The pictures of one type with their masks; what is a mask itself is none of them."""
    beside = {(file.parent, file.stem): file for file in images if file.stem.endswith(MASK_ENDING)}
    stems = {(file.parent, file.stem) for file in images}
    for file in images:
        if (file.parent, file.stem) in beside:
            owner = file.stem.removesuffix(MASK_ENDING)
            if (file.parent, owner) not in stems:
                tell(f"'{printable(file)}' was left out: by its name it is a mask, and there is no picture for it.")
            continue
        long, short = mask_stems(file)
        yield GivenDefect(file, kind, beside.get((file.parent, long)) or masks.get(long) or masks.get(short))
