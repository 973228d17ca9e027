"""The places of a picture that differ: box, outline and area of each, from one anomaly map [ours].

A map is coarser than the picture, and a defect makes its surroundings glow. So a region does not hold all that is
suspicious: it grows from its peak down to half of it. Another peak is a region of its own if the values between
the two fall far enough.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from reason_iad.expert.connected import connected, highest_near, span

HALF, STEEP = 0.5, 0.75
"""Shares of its peak down to which a region grows: half, or three quarters where half runs into a higher one."""
GAP = 0.02
"""Pieces that lie closer than this share of the longer side are one region."""
SIDE = 1024
"""Longest side, in pixels, at which regions are outlined; larger pictures are outlined on a smaller copy."""
DETAIL = 1.0
"""Pixels of that copy by which an outline may be simplified."""
TRIES = 8
"""Peaks that are looked at, for each region that may be found."""

Values = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Point = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Marked:
    """A region of a picture; all numbers are pixels of that picture.

    Attributes:
        box: x1, y1, x2, y2; x2 and y2 are exclusive.
        polygon: (x, y) corners of its outline; around all pieces where there are several.
        area: in square pixels.
        length: longer side of the smallest rectangle, at any angle, that holds it.
        peak: the highest value of the map in it.
        centre: (x, y) of its mass.
    """

    box: tuple[int, int, int, int]
    polygon: tuple[Point, ...]
    area: float
    length: float
    peak: float
    centre: tuple[float, float]


class _Peak(NamedTuple):
    value: float
    at: tuple[int, int]


def regions(
    values: Values,
    width: int,
    height: int,
    *,
    level: float,
    ignore: Mask | None = None,
    inspect: Mask | None = None,
    least_area_px: float | None = None,
    most: int = 16,
) -> tuple[Marked, ...]:
    """The regions of a picture that differ, the highest peak first.

    Args:
        values: (rows, columns) anomaly map over the whole picture; 0 is normal.
        width, height: of the picture, in pixels.
        level: from this value on a place is suspicious; above 0.
        ignore: mask over the picture, in any resolution: areas in which nothing counts.
        inspect: the same: areas outside of which nothing counts. A region that lies mostly in areas that do not
            count is left out; of the others, what lies there is cut off.
        least_area_px: smaller regions do not count, in square pixels of the picture.
        most: so many regions at most.

    Raises:
        ValueError: the map is empty or not finite, or the level is not above 0.
    """
    if values.ndim != 2 or not values.size or not np.isfinite(values).all():
        raise ValueError("a map is a table of finite numbers")
    if level <= 0:
        raise ValueError("the level must be above 0")
    scale = min(1.0, SIDE / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    fine = _enlarged(values, size)
    allowed = _allowed(ignore, inspect, size)
    ratio = (width / size[0], height / size[1])
    grown = [each & allowed for each in _grown(fine, level, most) if 2 * allowed[each].sum() > each.sum()]
    found = [_described(region, fine, ratio) for region in _joined(grown)]
    counting = [each for each in found if each.area >= (least_area_px or 0)]
    return tuple(sorted(counting, key=lambda each: -each.peak))


def _enlarged(values: Values, size: tuple[int, int]) -> Values:
    """The map in (width, height) pixels: smooth, and nowhere higher than it was."""
    import cv2

    shrinks = values.shape[1] > size[0]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    fine: Any = cv2.resize(np.ascontiguousarray(values, np.float32), size, interpolation=how)
    return fine  # type: ignore[no-any-return]


def _allowed(ignore: Mask | None, inspect: Mask | None, size: tuple[int, int]) -> Mask:
    """(height, width): where a region counts."""
    import cv2

    allowed: Mask = np.ones(size[::-1], bool)
    for mask, inside in ((ignore, False), (inspect, True)):
        if mask is not None:
            here = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
            allowed &= (here > 0) == inside
    return allowed


def _grown(fine: Values, level: float, most: int) -> list[Mask]:
    """A region around each peak that is one of its own, the highest first."""
    taken: Mask = np.zeros(fine.shape, bool)
    found: list[Mask] = []
    for peak in _peaks(fine, level, TRIES * most):
        if taken[peak.at]:
            continue
        for share in (HALF, STEEP):
            labels, _ = connected(fine >= max(level, share * peak.value))
            region: Mask = labels == labels[peak.at]
            if not (region & taken).any():
                taken |= region
                found.append(region)
                break
        if len(found) == most:
            break
    return found


def _peaks(fine: Values, level: float, most: int) -> Iterator[_Peak]:
    """Places that are as high as anything near them, the highest first."""
    reach = 2 * max(1, round(GAP * max(fine.shape))) + 1
    labels, count = connected((fine >= level) & (fine == highest_near(fine, reach)))
    if not count:
        return
    first = np.sort(np.unique(labels, return_index=True)[1][-count:])
    rows, columns = np.unravel_index(first, fine.shape)
    for at in sorted(zip(rows.tolist(), columns.tolist(), strict=True), key=lambda at: -fine[at])[:most]:
        yield _Peak(float(fine[at]), at)


def _joined(found: list[Mask]) -> Iterator[Mask]:
    """The regions, those that lie close to one another as one."""
    if not found:
        return
    every: Mask = np.any(found, axis=0)
    reach = 2 * round(GAP * max(every.shape) / 2) + 1
    labels, count = connected(highest_near(every.astype(np.uint8), reach) > 0)
    for number in range(1, count + 1):
        yield every & (labels == number)


def _described(region: Mask, fine: Values, ratio: tuple[float, float]) -> Marked:
    """A region in pixels of the picture, each of which is `ratio` pixels of the copy wide and high."""
    import cv2

    across, down = ratio
    rows, columns = (span(region, axis) for axis in (0, 1))
    box = (
        int(columns.start * across), int(rows.start * down),
        int(np.ceil(columns.stop * across)), int(np.ceil(rows.stop * down)),
    )  # fmt: skip
    weight = np.where(region, fine, 0)[rows, columns]
    y, x = (float(np.average(np.arange(weight.shape[axis]), weights=weight.sum(1 - axis))) for axis in (0, 1))
    corners = (_outline(region[rows, columns]) + np.array((columns.start, rows.start))) * np.array(ratio)
    sides = cv2.minAreaRect(corners.astype(np.float32))[1]
    return Marked(
        box=box,
        polygon=tuple((round(float(a)), round(float(b))) for a, b in corners),
        area=float(region.sum()) * across * down,
        length=float(max(sides)),
        peak=float(fine[region].max()),
        centre=((x + columns.start + 0.5) * across, (y + rows.start + 0.5) * down),
    )


def _outline(region: Mask) -> npt.NDArray[np.float64]:
    """(n, 2) corners x, y around the pixels of a region, of which there are few.

    Contours run through the middle of pixels; on a copy of twice the size with a rim they run around them.
    """
    import cv2

    padded = np.pad(np.kron(region, np.ones((2, 2))), (1, 2)).astype(np.uint8)
    twice = cv2.dilate(padded, np.ones((2, 2), np.uint8), anchor=(1, 1))
    contours, _ = cv2.findContours(twice, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    every = np.concatenate(contours)
    around = cv2.convexHull(every) if len(contours) > 1 else contours[0]
    simple = cv2.approxPolyDP(around, 2 * DETAIL, closed=True)
    corners = (simple if len(simple) >= 3 else around).reshape(-1, 2)
    return (corners - 1) / 2
