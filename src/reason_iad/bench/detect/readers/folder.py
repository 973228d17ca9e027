"""Any folder of pictures: `good/` (or `ok/`, `normal/`) beside one folder per kind of defect, or all in one folder.

If all are in one folder, a pattern says which of them are normal.

Such a folder has no split. Half of the normal images become references, picked by a hash of their names, so that
adding an image moves no other one from one side to the other.

Masks, if there are any, are in `ground_truth/KIND/`, named after the image with or without '_mask'.
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
from reason_iad.bench.detect.samples import Found, Reader, Sample, Split
from reason_iad.errors import DatasetError
from reason_iad.images import is_normal_name, printable
from reason_iad.images.kinds import GOOD, MASK_FOLDER, mask_stems

_RESERVED = frozenset({MASK_FOLDER, "train", "test", "validation"})


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
        if kind.name in _RESERVED:
            continue
        images = images_in(kind)
        if not images:
            found.empty.append(kind)
        name = GOOD if is_normal_name(kind.name) else kind.name
        found.samples.extend(_samples(root, images, name, root / MASK_FOLDER / kind.name))
    return found


def _flat(root: Path, normal: str) -> Found:
    images = images_in(root)
    good = [image for image in images if fnmatch(image.name, normal)]
    if images and not good:
        raise DatasetError(f"No image of '{printable(root)}' is named like '{normal}'; check the pattern.")
    bad = [image for image in images if image not in set(good)]
    return Found(
        [*_samples(root, good, GOOD, root / MASK_FOLDER), *_samples(root, bad, "defect", root / MASK_FOLDER)], []
    )


def _samples(root: Path, images: list[Path], kind: str, masks: Path) -> list[Sample]:
    good = kind == GOOD
    references = half_of(images) if good else frozenset()
    has_masks, files = masks.is_dir(), MaskFolder(masks)
    return [
        Sample(
            id=image.relative_to(root).as_posix(),
            category=category_name(root),
            split=_split(image in references),
            image=image,
            label=0 if good else 1,
            kind=kind,
            masks=_masks(files, image, required=not good) if has_masks else (),
        )
        for image in images
    ]


def _split(reference: bool) -> Split:
    return "train" if reference else "test"


def _masks(masks: MaskFolder, image: Path, *, required: bool) -> tuple[Path, ...]:
    found = masks.expect(*mask_stems(image)) if required else masks.find(*mask_stems(image))
    return () if found is None else (found,)


READER = Reader(
    "folder", "good/ beside a folder per kind of defect, or flat with --normal", False, _fits, _read,
    form="""\
good/001.png               also: ok, normal
KIND/002.png               a folder per kind of defect
ground_truth/KIND/002.png  or 002_mask.png (optional)
Half of the good images become references. If all images are in one folder: --normal 'ok_*'.""",
)  # fmt: skip
