"""How far the most suspicious region reaches: its box, and how much of the image it covers [ours].

Where the region ends was chosen on 154 drawn defects of the validation seeds: the boxes overlap the true ones by
.57 (mean intersection over union; .27 with the patches alone), half of the shares are right to a factor of 1.34.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from reason_iad.expert.calibration import AnomalyMap
from reason_iad.expert.connected import connected, highest_near, span
from reason_iad.expert.suspicion import GREY_FLOOR, USUAL_PIXELS, spot, suspicion
from reason_iad.schema import Box

NARROW = 0.7
"""The box holds what stands out above the picture's median by this share of what most does."""
DIFFERENT = 0.35
"""A pixel is different if it differs, above the picture's median, by this share of what the most different does."""
CLEARLY = 4.0
"""Times by which that one has to differ from what is usual, or nobody can tell how much differs."""
GAP = 0.02
"""Share of the longer side by which pieces are widened each way to see which hang together."""

Mask = npt.NDArray[np.bool_]
Spot = tuple[int, int]


def region_box(found: AnomalyMap, width: int, height: int, place: int | None = None) -> Box | None:
    """The region around what most stands out, in pixels of a width x height image; None where nothing differs.

    Args:
        found: the map.
        width, height: of the image.
        place: the one of `PLACES` that holds what it is around; None: anywhere.
    """
    standing = suspicion(found)
    above = (standing - standing.median()).numpy()
    rows, columns = above.shape
    at = _spot(found, place, rows, columns)
    if above[at] <= 0:
        return None
    around = _around(above >= NARROW * above[at], at)
    y, x = span(around, 0), span(around, 1)
    return Box(
        x1=x.start * width // columns,
        y1=y.start * height // rows,
        x2=-(-x.stop * width // columns),
        y2=-(-y.stop * height // rows),
    )


def covered(found: AnomalyMap, place: int | None = None) -> float | None:
    """Share of the image that differs around the most suspicious place, in (0, 1]; None where it cannot be told.

    Args:
        found: the map.
        place: the one of `PLACES` to look in; None: anywhere.
    """
    pixels = found.pixels
    if pixels is None:
        return None
    row, column = _spot(found, place, *pixels.shape)
    reach = max(1, round(GAP * max(pixels.shape)))
    near = pixels[max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1]
    most, usual, median = float(near.max()), float(np.quantile(pixels, USUAL_PIXELS)), float(np.median(pixels))
    if most + GREY_FLOOR < CLEARLY * (usual + GREY_FLOOR):
        return None
    region = _around(pixels > median + DIFFERENT * (most - median), (row, column))
    return float(region.mean()) if region.any() else None


def _spot(found: AnomalyMap, place: int | None, rows: int, columns: int) -> Spot:
    x, y = spot(found, place)
    return int(y * rows), int(x * columns)


def _around(inside: Mask, at: Spot) -> Mask:
    """The pieces of a mask that hang together with the one at a spot, across small gaps."""
    reach = 2 * round(GAP * max(inside.shape)) + 1
    labels, _ = connected(highest_near(inside.astype(np.uint8), reach) > 0)
    piece: Mask = inside & (labels == labels[at]) & (labels > 0)
    return piece
