"""The findings of one inspection: the region that a result is about, and other places that differ as clearly."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from reason_iad.expert.calibration import AnomalyMap
from reason_iad.expert.regions import Marked, Values, regions
from reason_iad.expert.suspicion import suspicion
from reason_iad.schema import Box, Finding, Region, place_of
from reason_iad.schema.evidence import DIFFERS_FAR_MORE, DIFFERS_MORE

OTHERS = 0.5
"""Another place is a finding if it differs far more than is usual, and by this share of what most does [ours]."""


class Typed(NamedTuple):
    """A type of defect, and how probable it is; None where nothing was weighed."""

    name: str
    probability: float | None


def standing(found: AnomalyMap) -> Values:
    """By how many times what is usual each place differs, less one; 0 where it is as usual.

    On the grid of the pixels, or of the patches where pixels were not compared.
    """
    sides = 1 if found.pixels is None else 2
    above = suspicion(found)
    ratio: Values = np.expm1((above - above.median()).clamp_min(0).numpy() / sides).astype(np.float32)
    return ratio


def findings_of(
    found: AnomalyMap, region: Region, typed: Typed | None, size: tuple[int, int], mm_per_px: float | None = None
) -> tuple[Finding, ...]:
    """The region that a result is about, first, and the other places that differ, from the clearest on.

    Args:
        found: how the picture differs from good parts.
        region: what the result is about; without a box there is no finding.
        typed: its type, if one is known. Those of other places are not known.
        size: (width, height) of the picture.
        mm_per_px: scale of the picture; None if it is not known.
    """
    if region.box is None:
        return ()
    values = standing(found)
    marked = regions(values, *size, level=DIFFERS_MORE - 1)
    first = max(marked, key=lambda each: _shared(each, region.box), default=None)
    if first is None or not _shared(first, region.box):
        first = _whole(region.box, values, size)
    clear = max(DIFFERS_FAR_MORE - 1, OTHERS * float(values.max()))
    others = [each for each in marked if each is not first and each.peak >= clear]
    return (
        _finding(first, region.place, typed, size, mm_per_px),
        *(_finding(each, place_of(*each.centre, *size), None, size, mm_per_px) for each in others),
    )


def _finding(
    marked: Marked, place: str, typed: Typed | None, size: tuple[int, int], mm_per_px: float | None
) -> Finding:
    x1, y1, x2, y2 = marked.box
    return Finding(
        box=Box(x1=x1, y1=y1, x2=x2, y2=y2),
        polygon=marked.polygon,
        place=place,
        area_px=round(marked.area, 1),
        share=min(1.0, marked.area / (size[0] * size[1])),
        length_px=round(marked.length, 1),
        area_mm2=None if mm_per_px is None else marked.area * mm_per_px**2,
        length_mm=None if mm_per_px is None else marked.length * mm_per_px,
        type=None if typed is None else typed.name,
        type_probability=None if typed is None else typed.probability,
        score=round(marked.peak, 4),
    )


def _shared(marked: Marked, box: Box | None) -> float:
    """Area that the box of a region shares with another one, in pixels."""
    if box is None:
        return 0.0
    x1, y1, x2, y2 = marked.box
    return max(0, min(x2, box.x2) - max(x1, box.x1)) * max(0, min(y2, box.y2) - max(y1, box.y1))


def _whole(box: Box, values: Values, size: tuple[int, int]) -> Marked:
    """A box as a region, where nothing in it differs clearly."""
    rows, columns = values.shape
    inside = values[
        box.y1 * rows // size[1] : -(-box.y2 * rows // size[1]),
        box.x1 * columns // size[0] : -(-box.x2 * columns // size[0]),
    ]
    wide, high = box.x2 - box.x1, box.y2 - box.y1
    return Marked(
        box=(box.x1, box.y1, box.x2, box.y2),
        polygon=((box.x1, box.y1), (box.x2, box.y1), (box.x2, box.y2), (box.x1, box.y2)),
        area=float(wide * high),
        length=float(max(wide, high)),
        peak=float(inside.max()),
        centre=((box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2),
    )
