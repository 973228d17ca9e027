"""The places at which a part has a defect: where each is, how large, and of which type."""

from __future__ import annotations

from pydantic import Field

from reason_iad.schema.box import Box
from reason_iad.schema.evidence import PLACES
from reason_iad.schema.record import Record

Corner = tuple[int, int]
"""x and y in pixels of the inspected image."""


class Finding(Record):
    """One place of a part that differs from good parts."""

    box: Box
    polygon: tuple[Corner, ...] = Field(
        min_length=3, description="Corners (x, y) of its outline, in pixels of the inspected image."
    )
    place: str = Field(description="One of the nine `PLACES`.")
    area_px: float = Field(ge=0.0, description="Its area, in pixels.")
    share: float = Field(ge=0.0, le=1.0, description="The same as a share of the image.")
    length_px: float = Field(
        ge=0.0, description="Longer side of the smallest rectangle, at any angle, that holds it, in pixels."
    )
    area_mm2: float | None = Field(default=None, ge=0.0, description="Its area; null where the scale is not known.")
    length_mm: float | None = Field(
        default=None, ge=0.0, description="`length_px` in millimetres; null where the scale is not known."
    )
    type: str | None = Field(default=None, description="Name of the type of defect; null if it is not known.")
    type_probability: float | None = Field(
        default=None, ge=0.0, le=1.0, description="Of `type`; null where nothing was weighed."
    )
    score: float = Field(
        ge=0.0,
        description="How far it stands out: by how many times what is usual it differs, less one. 0 is as usual.",
    )


def place_of(x: float, y: float, width: int, height: int) -> str:
    """The one of `PLACES` that a point of a picture lies in; x and y in pixels."""
    row, column = (min(2, max(0, int(3 * at / side))) for at, side in ((y, height), (x, width)))
    return PLACES[3 * row + column]
