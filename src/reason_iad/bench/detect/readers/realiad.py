"""Real-IAD (Wang et al., CVPR 2024): a JSON file per category lists the images of one resolution.

    realiad_256/audiojack/OK/S0000/….jpg, realiad_256/audiojack/NG/BX/S0020/….jpg and .png (the mask)
    realiad_jsons/realiad_jsons/audiojack.json

The folder realiad_jsons may hold other lists of the same images (single view, or with noise). The list of its own
name is used, and if there is none, the only other one. Source: the description of the set in
open-edge-platform/anomalib.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from reason_iad.bench.detect.readers.table import list_content
from reason_iad.bench.detect.readers.tree import subfolders, unused_note, used
from reason_iad.bench.detect.samples import Found, Reader, Sample, Split
from reason_iad.errors import DatasetError
from reason_iad.images import is_litter, printable
from reason_iad.images.kinds import GOOD

LISTS = "realiad_jsons"
_IMAGES = re.compile(r"realiad_(\d+|raw)")
_SPLITS: tuple[Split, ...] = ("train", "test")


class _Image(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")

    category: str
    anomaly_class: str
    image_path: str
    mask_path: str | None = None


class _Meta(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")

    prefix: str = ""
    normal_class: str


class _Listed(BaseModel):
    """A category, as its file has it."""

    model_config = ConfigDict(strict=True, extra="ignore")

    meta: _Meta
    train: list[_Image] = []
    test: list[_Image] = []


def _fits(root: Path) -> bool:
    return (root / LISTS).is_dir() and any(map(_resolution, subfolders(root)))


def _read(root: Path, normal: str | None) -> Found:
    images, lists = _images(root), _lists(root)
    samples = [sample for path in _files(lists) for sample in _of_category(root, images, path)]
    notes = (
        f"The images are those of '{images.name}', as '{lists.relative_to(root).as_posix()}' lists them.",
        *unused_note(samples),
    )
    return Found(samples, [], notes)


def _resolution(folder: Path) -> bool:
    return _IMAGES.fullmatch(folder.name) is not None


def _images(root: Path) -> Path:
    """The folder of images.

    Raises:
        DatasetError: there are several resolutions, or none.
    """
    found = [folder for folder in subfolders(root) if _resolution(folder)]
    if len(found) != 1:
        names = ", ".join(folder.name for folder in found) or "none"
        raise DatasetError(
            f"'{printable(root)}' must hold the images in one resolution beside '{LISTS}', in a folder such as "
            f"realiad_256. It holds {names}. Move the others elsewhere."
        )
    return found[0]


def _lists(root: Path) -> Path:
    """The folder of the lists.

    Raises:
        DatasetError: there are several that could be meant, or none.
    """
    home = root / LISTS
    fits = [folder for folder in (home, *subfolders(home)) if any(True for _ in _files(folder))]
    own = [folder for folder in fits if folder.name == LISTS]
    if len(own or fits) != 1:
        names = ", ".join(folder.name for folder in fits) or "none"
        raise DatasetError(f"'{printable(home)}' must hold the lists of one kind. It holds {names}.")
    return (own or fits)[0]


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.glob("*.json")) if not is_litter(path.name))


def _of_category(root: Path, images: Path, path: Path) -> Iterator[Sample]:
    """The images that one file lists."""
    try:
        listed = _Listed.model_validate_json(list_content(path, root))
    except DatasetError as error:
        raise DatasetError(f"'{printable(path)}' {error}; copy it again.") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise DatasetError(
            f"'{printable(path)}' is no list of Real-IAD ({place}: {first['msg']}); copy it again."
        ) from None
    for split in _SPLITS:
        for entry in listed.train if split == "train" else listed.test:
            image = images / listed.meta.prefix / entry.image_path
            good = entry.anomaly_class == listed.meta.normal_class
            yield Sample(
                id="/".join(filter(None, (images.name, listed.meta.prefix.strip("/"), entry.image_path))),
                category=entry.category,
                split=used(split, 0 if good else 1),
                image=image,
                label=0 if good else 1,
                kind=GOOD if good else entry.anomaly_class,
                masks=(images / listed.meta.prefix / entry.mask_path,) if entry.mask_path and not good else (),
            )


READER = Reader(
    "realiad", "realiad_jsons/realiad_jsons/CATEGORY.json beside one folder realiad_256", True, _fits, _read,
    form="""\
realiad_jsons/realiad_jsons/CATEGORY.json           lists the images
realiad_256/CATEGORY/OK/S0000/IMAGE.jpg             or realiad_512, realiad_1024, realiad_raw
realiad_256/CATEGORY/NG/KIND/S0020/IMAGE.jpg
realiad_256/CATEGORY/NG/KIND/S0020/IMAGE.png        the mask
Defective training images are not used.""",
)  # fmt: skip
