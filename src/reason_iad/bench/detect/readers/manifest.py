"""A folder with a `manifest.csv`: one row per image.

Columns are split, image and label, and if there are any template, mask, defect_types and category. Paths are
relative to the folder. Without the column, the category is the first part of the image's path.

The file may have another name, if no other file in the folder has these columns.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import cast

from reason_iad.bench.detect.readers.lists import COLUMNS, INDEX, NEEDS, find_list, require_none
from reason_iad.bench.detect.readers.table import LABELS, Row, rows
from reason_iad.bench.detect.readers.tree import category_name
from reason_iad.bench.detect.samples import Found, Reader, Sample, Split
from reason_iad.bench.paths import WrittenPaths
from reason_iad.errors import DatasetError
from reason_iad.images import printable
from reason_iad.images.kinds import GOOD, SPLITS


def _fits(root: Path) -> bool:
    return find_list(root) is not None


def _read(root: Path, normal: str | None) -> Found:
    index = find_list(root)
    if index is None and not (root / INDEX).exists():
        require_none(root)
        raise DatasetError(f"'{printable(root / INDEX)}' does not exist. {NEEDS}; or choose another --layout.")
    index, paths = index or root / INDEX, WrittenPaths(root)
    samples = [_sample(root, row, paths) for row in rows(index, COLUMNS)]
    named = () if index.name == INDEX else (f"The images are listed in '{printable(index.name)}'.",)
    return Found(samples, [], (*named, *paths.notes(f"'{printable(index.name)}'")))


def _sample(root: Path, row: Row, paths: WrittenPaths) -> Sample:
    image, mask, template = (paths.plain(row.values.get(column, "")) for column in ("image", "mask", "template"))
    parts = PurePosixPath(image).parts
    abnormal = row.choice("label", LABELS) == 1
    return Sample(
        id=image,
        category=row.values.get("category") or (parts[0] if len(parts) > 1 else category_name(root)),
        split=cast(Split, row.choice("split", SPLITS)),
        image=root / image,
        label=1 if abnormal else 0,
        kind=_kind(row.values.get("defect_types", "")) if abnormal else GOOD,
        masks=(root / mask,) if mask else (),
        template=root / template if template else None,
    )


def _kind(types: str) -> str:
    """One kind, or 'combined' if an image has several."""
    kinds = {name.strip() for name in types.split(";")} - {""}
    return kinds.pop() if len(kinds) == 1 else "combined" if kinds else "defect"


READER = Reader(
    "csv", "manifest.csv", True, _fits, _read,
    form="""\
manifest.csv   one row per image, with the columns
  split        train (good images to compare with) or test
  image        path below the folder
  label        0 or good, 1 or bad
  mask         path of the mask of a defective image (optional)
  category     the product (optional; else the first folder of the path)
  defect_types, template (optional)""",
)  # fmt: skip
