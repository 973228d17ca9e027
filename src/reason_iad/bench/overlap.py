"""How often injected patches lie on the defect, and how often patches drawn blindly would."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reason_iad.schema import InjectedPatch


class MaskedGrid:
    """The mask of a defect on the grid of an image's tokens. A patch touches it with a single pixel.

    Args:
        marked: (height, width), whether a pixel is marked.
        rows, columns: of the grid, which covers the whole image.
    """

    def __init__(self, marked: NDArray[np.bool_], rows: int, columns: int) -> None:
        self._touched = touched(marked, rows, columns)

    @property
    def chance(self) -> float:
        """Share of all patches that touch the mask."""
        return round(float(self._touched.mean()), 6)

    def inside(self, patches: Sequence[InjectedPatch]) -> float:
        """Share of these patches (at least one) that touch the mask."""
        hits = [bool(self._touched[patch.row, patch.column]) for patch in patches]
        return round(sum(hits) / len(hits), 6)


def touched(mask: NDArray[np.bool_], rows: int, columns: int) -> NDArray[np.bool_]:
    """Which cells of a grid hold a pixel of the mask: (rows, columns) from (height, width)."""
    tops, lefts = (_starts(size, count) for size, count in zip(mask.shape, (rows, columns), strict=True))
    found: NDArray[np.bool_] = np.logical_or.reduceat(np.logical_or.reduceat(mask, tops, axis=0), lefts, axis=1)
    return found


def _starts(size: int, count: int) -> NDArray[np.intp]:
    """First pixel of each of so many cells; cells smaller than a pixel share one."""
    return np.arange(count) * size // count
