"""What every export draws or lists: the marked places of one inspection."""

from __future__ import annotations

from dataclasses import dataclass

from reason_iad.schema import Inspection
from reason_iad.schema.findings import Corner

UNKNOWN = "defect"
"""What a place is called whose type is not known."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A marked place, in pixels of the picture and within it.

    Attributes:
        label: the type of the defect, or `UNKNOWN`.
        box: x, y, width, height.
        polygon: (x, y) corners of its outline.
        area: in pixels.
        score: how far it stands out; None where that was not measured.
    """

    label: str
    box: tuple[int, int, int, int]
    polygon: tuple[Corner, ...]
    area: float
    score: float | None


def shapes_of(inspection: Inspection) -> tuple[Shape, ...]:
    """The marked places of a result, the one that it is about first.

    A result without findings, as older versions wrote them, has one place: the box of its region. Where the result
    has no box, nothing is marked.
    """
    width, height = inspection.image.width, inspection.image.height

    def within(corner: Corner) -> Corner:
        return min(max(corner[0], 0), width), min(max(corner[1], 0), height)

    def shape(label: str | None, polygon: tuple[Corner, ...], area: float | None, score: float | None) -> Shape:
        corners = tuple(map(within, polygon))
        (x1, x2), (y1, y2) = ((min(each), max(each)) for each in zip(*corners, strict=True))
        covered = float((x2 - x1) * (y2 - y1))
        box = (x1, y1, x2 - x1, y2 - y1)
        return Shape(label or UNKNOWN, box, corners, covered if area is None else min(area, covered), score)

    if inspection.findings:
        found = [shape(each.type, each.polygon, each.area_px, each.score) for each in inspection.findings]
    elif inspection.region is not None and (box := inspection.region.box) is not None:
        around = ((box.x1, box.y1), (box.x2, box.y1), (box.x2, box.y2), (box.x1, box.y2))
        found = [shape(inspection.defect_type, around, None, None)]
    else:
        found = []
    return tuple(each for each in found if each.box[2] > 0 and each.box[3] > 0)
