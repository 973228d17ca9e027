"""VisA (Zou et al., ECCV 2022): `split_csv/1cls.csv` lists object, split, label, image and mask.

The masks hold one value per kind of defect; whatever is not 0 is abnormal.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

from reason_iad.bench.detect.readers.table import columns_of, rows
from reason_iad.bench.detect.samples import Found, Reader, Sample, Split
from reason_iad.images.kinds import GOOD

INDEX = Path("split_csv", "1cls.csv")
COLUMNS = ("object", "split", "label", "image", "mask")


def _fits(root: Path) -> bool:
    return set(COLUMNS) <= columns_of(root / INDEX)


def _read(root: Path, normal: str | None) -> Found:
    found = Found([], [])
    for row in rows(root / INDEX, COLUMNS):
        values = row.values
        good = row.choice("label", ("normal", "anomaly")) == "normal"
        found.samples.append(
            Sample(
                id=values["image"],
                category=values["object"],
                split=cast(Split, row.choice("split", ("train", "test"))),
                image=root / values["image"],
                label=0 if good else 1,
                kind=GOOD if good else "anomaly",
                masks=(root / values["mask"],) if values["mask"] else (),
            )
        )
    return found


READER = Reader("visa", "split_csv/1cls.csv", True, _fits, _read)
