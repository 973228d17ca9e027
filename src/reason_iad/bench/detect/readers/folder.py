"""Any folder of pictures: `good/` (or `ok/`, `normal/`) beside one folder per kind of defect, or all in one folder.

If all are in one folder, a pattern says which of them are normal.

Such a folder has no split. Half of the normal images become references, picked by a hash of their names, so that
adding an image moves no other one from one side to the other.

Masks, if there are any, are in `ground_truth/KIND/` or `masks/KIND/`, named after the image with or without
'_mask', or beside the image with '_mask'. A mask beside its image is no image.
"""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

from reason_iad.bench.detect.readers.tree import (
    MaskFolder,
    category_name,
    half_of,
    images_in,
    normal_folders,
    subfolders,
)
from reason_iad.bench.detect.samples import Found, Reader, Sample
from reason_iad.errors import DatasetError
from reason_iad.images import is_normal_name, printable
from reason_iad.images.kinds import GOOD, MASK_ENDING, SPLITS, is_mask_folder, mask_stems


def _fits(root: Path) -> bool:
    return any(images_in(folder) for folder in normal_folders(root))


def _read(root: Path, normal: str | None) -> Found:
    if normal is not None:
        return _flat(root, normal)
    if not normal_folders(root):
        raise DatasetError(
            f"'{printable(root)}' has no folder '{GOOD}'; put the normal images there, or say which files are "
            "normal with --normal 'PATTERN'."
        )
    found = Found([], [])
    for kind in subfolders(root):
        if is_mask_folder(kind.name) or kind.name.lower() in SPLITS:
            continue
        images = _without_masks(images_in(kind))
        if not images:
            found.empty.append(kind)
        name = GOOD if is_normal_name(kind.name) else kind.name
        masks = _Masks(kind, [home / kind.name for home in _mask_folders(root)])
        found.samples.extend(_samples(root, images, name, masks))
    return found


def _flat(root: Path, normal: str) -> Found:
    images = _without_masks(images_in(root))
    good = [image for image in images if fnmatch(image.name, normal)]
    if images and not good:
        raise DatasetError(f"No image of '{printable(root)}' is named like '{normal}'; check the pattern.")
    bad = [image for image in images if image not in set(good)]
    masks = _Masks(root, _mask_folders(root))
    return Found([*_samples(root, good, GOOD, masks), *_samples(root, bad, "defect", masks)], [])


class _Masks:
    """The masks of the images in a folder.

    Args:
        folder: where the images are; masks may lie beside them.
        homes: folders of masks, which need not be there.
    """

    def __init__(self, folder: Path, homes: list[Path]) -> None:
        self._homes = [MaskFolder(home) for home in homes if home.is_dir()]
        beside = images_in(folder)
        if len(_without_masks(beside)) < len(beside):
            self._homes.append(MaskFolder(folder))

    def of(self, image: Path, *, required: bool) -> tuple[Path, ...]:
        """The mask of an image; if there are masks at all and it is required, where it should be."""
        long, short = mask_stems(image)
        for home in self._homes:
            found = home.find(long) if home.path == image.parent else home.find(long, short)
            if found is not None:
                return (found,)
        return (self._homes[0].expect(long),) if required and self._homes else ()


def _mask_folders(root: Path) -> list[Path]:
    return [folder for folder in subfolders(root) if is_mask_folder(folder.name)]


def _without_masks(files: list[Path]) -> list[Path]:
    """The files, but for those that are the masks of others among them."""
    stems = {file.stem for file in files}
    return [
        file
        for file in files
        if not (file.stem.endswith(MASK_ENDING) and file.stem.removesuffix(MASK_ENDING) in stems)
    ]


def _samples(root: Path, images: list[Path], kind: str, masks: _Masks) -> list[Sample]:
    good = kind == GOOD
    references = half_of(images) if good else frozenset()
    return [
        Sample(
            id=image.relative_to(root).as_posix(),
            category=category_name(root),
            split="train" if image in references else "test",
            image=image,
            label=0 if good else 1,
            kind=kind,
            masks=masks.of(image, required=not good),
        )
        for image in images
    ]


READER = Reader(
    "folder", "good/ beside a folder per kind of defect, or flat with --normal", False, _fits, _read,
    form="""\
good/001.png               also: ok, normal
KIND/002.png               a folder per kind of defect
ground_truth/KIND/002.png  or masks/KIND/002.png, or KIND/002_mask.png (optional)
Half of the good images become references. If all images are in one folder: --normal 'ok_*'.""",
)  # fmt: skip
