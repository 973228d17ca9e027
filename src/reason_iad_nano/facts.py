"""What is true of a drawn sample: small, picklable, and all that questions and targets are made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from reason_iad.schema import PLACES, size_of
from reason_iad_nano.architecture import CELL

_FULL_CELL = 16  # defective pixels from which a cell counts wholly as defective


@dataclass(frozen=True, slots=True)
class DefectFacts:
    """One defect: kind, share of the image area in [0, 1], severity, and one of the nine places."""

    kind: str
    share: float
    severity: str
    place: str

    @property
    def size(self) -> str:
        """One of `SIZES`."""
        return size_of(self.share)


@dataclass(frozen=True, slots=True)
class Facts:
    """One sample without its pixels.

    Attributes:
        seed: of the sample.
        family, object_name: what the part is.
        defects: largest first; empty for a good part.
        coverage: (rows * columns,) float32 in [0, 1], how surely each image token's cell is defective.
        extent: (rows * columns,) float32 in [0, 1], the share of each cell's pixels that are defective.
        kinds: (rows * columns,) kind index of the defect in that cell, -1 where there is none.
        featured: whether the design has marks that only a reference tells from defects.
    """

    seed: int
    family: str
    object_name: str
    defects: tuple[DefectFacts, ...]
    coverage: npt.NDArray[np.float32]
    extent: npt.NDArray[np.float32]
    kinds: npt.NDArray[np.int64]
    featured: bool = False

    @property
    def defective(self) -> bool:
        """Whether the part has a defect."""
        return bool(self.defects)

    @property
    def main(self) -> DefectFacts:
        """The largest defect."""
        return self.defects[0]


def _cells(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Defective pixels per image token."""
    rows, columns = mask.shape[0] // CELL, mask.shape[1] // CELL
    cells = mask[: rows * CELL, : columns * CELL].reshape(rows, CELL, columns, CELL).sum((1, 3))
    counts: npt.NDArray[np.float32] = cells.reshape(-1).astype(np.float32)
    return counts


def facts_of(sample: Any, kind_index: dict[str, int]) -> Facts:
    """Read the facts off a `world.Sample`."""
    defects = sorted(sample.defects, key=lambda defect: -defect.mask_area)
    area = sample.mask.size
    pixels = _cells(sample.mask)
    coverage = np.minimum(pixels / np.float32(_FULL_CELL), np.float32(1))
    kinds = np.full(coverage.shape, -1, dtype=np.int64)
    rows, columns = (side // CELL for side in sample.mask.shape)
    for defect in reversed(defects):  # the largest writes last
        x1, y1, x2, y2 = (int(value) for value in defect.box)
        for row in range(y1 // CELL, min((max(y2, y1 + 1) - 1) // CELL + 1, rows)):
            kinds[row * columns + x1 // CELL : row * columns + (max(x2, x1 + 1) - 1) // CELL + 1] = kind_index[
                defect.kind
            ]
    kinds[coverage <= 0] = -1
    return Facts(
        seed=int(sample.seed),
        family=str(sample.family),
        object_name=str(sample.object_name),
        defects=tuple(
            DefectFacts(d.kind, _share(d.mask_area, area), str(d.severity), _place(d.place)) for d in defects
        ),
        coverage=coverage,
        extent=pixels / np.float32(CELL * CELL),
        kinds=kinds,
        featured=bool(sample.featured),
    )


def _share(mask_area: float, pixels: int) -> float:
    """Mask area as a share of the image."""
    return float(mask_area) / pixels if mask_area > 1 else float(mask_area)


def _place(place: str) -> str:
    """The place, checked."""
    if place not in PLACES:
        raise ValueError(f"'{place}' is not one of the nine places.")
    return place
