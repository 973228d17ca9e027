"""A folder with a `manifest.csv`: one row per image.

Columns are split, image and label, and if there are any template, mask, defect_types and category. Paths are
relative to the folder. Without the column, the category is the first part of the image's path.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import cast

from reason_iad.bench.detect.readers.table import Row, columns_of, rows
from reason_iad.bench.detect.readers.tree import category_name
from reason_iad.bench.detect.samples import Found, Reader, Sample, Split
from reason_iad.images.kinds import GOOD

INDEX = "manifest.csv"
COLUMNS = ("split", "image", "label")


def _fits(root: Path) -> bool:
    return set(COLUMNS) <= columns_of(root / INDEX)


def _read(root: Path, normal: str | None) -> Found:
    return Found([_sample(root, row) for row in rows(root / INDEX, COLUMNS)], [])


def _sample(root: Path, row: Row) -> Sample:
    values = row.values
    parts = PurePosixPath(values["image"]).parts
    abnormal = row.choice("label", ("0", "1")) == "1"
    template = values.get("template")
    return Sample(
        id=values["image"],
        category=values.get("category") or (parts[0] if len(parts) > 1 else category_name(root)),
        split=cast(Split, row.choice("split", ("train", "validation", "test"))),
        image=root / values["image"],
        label=1 if abnormal else 0,
        kind=_kind(values.get("defect_types", "")) if abnormal else GOOD,
        masks=(root / values["mask"],) if values.get("mask") else (),
        template=root / template if template else None,
    )


def _kind(types: str) -> str:
    """One kind, or 'combined' if an image has several."""
    kinds = {name.strip() for name in types.split(";")} - {""}
    return kinds.pop() if len(kinds) == 1 else "combined" if kinds else "defect"


READER = Reader("csv", "manifest.csv", True, _fits, _read)
