"""A rectangle in a picture."""

from __future__ import annotations

from reason_iad.schema.record import Record


class Box(Record):
    """A rectangle in pixels of the inspected image (after EXIF rotation); x2 and y2 are exclusive."""

    x1: int
    y1: int
    x2: int
    y2: int
