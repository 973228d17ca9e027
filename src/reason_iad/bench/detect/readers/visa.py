"""VisA (Zou et al., ECCV 2022): `split_csv/1cls.csv` lists object, split, label, image and mask.

The masks hold one value per kind of defect; whatever is not 0 is abnormal.

Without the list, the folders are read as the archive has them: CATEGORY/Data/Images/Normal and Anomaly, and masks
in CATEGORY/Data/Masks/Anomaly, named as the images. Then half of the normal images are references.
Source of both: the README and the scripts of the repository amazon-science/spot-diff.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

from reason_iad.bench.detect.readers.table import LABELS, rows
from reason_iad.bench.detect.readers.tree import (
    MaskFolder,
    category_name,
    half_of,
    images_in,
    normal_folders,
    subfolders,
)
from reason_iad.bench.detect.samples import Found, Reader, Sample, Split
from reason_iad.bench.paths import WrittenPaths
from reason_iad.images import is_normal_name
from reason_iad.images.kinds import GOOD

INDEX = Path("split_csv", "1cls.csv")
COLUMNS = ("object", "split", "label", "image", "mask")
_DATA = Path("Data", "Images")
_MASKS = Path("Data", "Masks")


def _fits(root: Path) -> bool:
    return (root / INDEX).is_file() or bool(_categories(root))


def _read(root: Path, normal: str | None) -> Found:
    if not (root / INDEX).exists() and _categories(root):
        return _read_folders(root)
    paths = WrittenPaths(root)
    samples = []
    for row in rows(root / INDEX, COLUMNS, root):
        good = row.choice("label", LABELS) == 0
        image, mask = paths.plain(row.values["image"]), paths.plain(row.values["mask"])
        samples.append(
            Sample(
                id=image,
                category=row.values["object"],
                split=cast(Split, row.choice("split", {"train": "train", "test": "test"})),
                image=root / image,
                label=0 if good else 1,
                kind=GOOD if good else "anomaly",
                masks=(root / mask,) if mask else (),
            )
        )
    return Found(samples, [], paths.notes(f"'{INDEX.as_posix()}'"))


def _categories(root: Path) -> list[Path]:
    """Folders with the images of one object; the folder itself if it is one."""
    return [folder for folder in (root, *subfolders(root)) if normal_folders(folder / _DATA)]


def _read_folders(root: Path) -> Found:
    note = f"There is no {INDEX.as_posix()}, so half of the normal images are references, chosen by their names. "
    found = Found([], [], (f"{note}The numbers cannot be compared with published ones.",))
    for folder in _categories(root):
        for kind in subfolders(folder / _DATA):
            images, good = images_in(kind), is_normal_name(kind.name)
            masks = MaskFolder(folder / _MASKS / kind.name)
            if not images:
                found.empty.append(kind)
            references = half_of(images) if good else frozenset()
            found.samples.extend(
                Sample(
                    id=image.relative_to(root).as_posix(),
                    category=category_name(folder),
                    split="train" if image in references else "test",
                    image=image,
                    label=0 if good else 1,
                    kind=GOOD if good else "anomaly",
                    masks=() if good else (masks.expect(image.stem),),
                )
                for image in images
            )
    return found


READER = Reader(
    "visa", "split_csv/1cls.csv, or CATEGORY/Data/Images/Normal and Anomaly", True, _fits, _read,
    form="""\
split_csv/1cls.csv                         columns object, split, label, image, mask
CATEGORY/Data/Images/Normal/0000.JPG
CATEGORY/Data/Images/Anomaly/000.JPG
CATEGORY/Data/Masks/Anomaly/000.png
Without the list, half of the normal images become references.""",
)  # fmt: skip
