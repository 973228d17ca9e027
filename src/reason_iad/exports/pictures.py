"""Results as pictures of the size of the inspected one: what was found drawn over it, and a mask."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from reason_iad.errors import ImageError
from reason_iad.exports.shapes import Shape, shapes_of
from reason_iad.images import MAX_PIXELS, LoadedImage, tinted
from reason_iad.schema import Heat, Inspection

LINE, HALO = (255, 45, 32), (255, 255, 255)
"""Colours of an outline, and of the rim that shows it on any ground."""
WIDTH = 0.004
"""Width of an outline as a share of the longer side."""
FAINT = 0.6
"""How strong the map is over the picture."""


def overlay(inspection: Inspection, picture: LoadedImage) -> bytes:
    """The picture with the map of differences over it and an outline around each marked place, as PNG."""
    drawn = picture.pixels.copy()
    if inspection.verdict != "pass" and (heat := _heat(inspection)) is not None:
        values = np.asarray(heat.values, np.float32).reshape(heat.rows, heat.columns)
        drawn = tinted(drawn, values, FAINT)
    _outline(drawn, shapes_of(inspection))
    return _png(drawn)


def anomaly_map(inspection: Inspection) -> bytes | None:
    """The map of differences as an 8-bit grey PNG: 0 is normal, 255 clearly not. None where there is no map.

    It has one pixel for each cell of the map. Stretched over the picture, it says where that differs.
    """
    heat = _heat(inspection)
    if heat is None:
        return None
    values = np.asarray(heat.values, np.float32).reshape(heat.rows, heat.columns)
    return _png(Image.fromarray(np.rint(255 * values.clip(0, 1)).astype(np.uint8)))


def mask(inspection: Inspection) -> bytes:
    """8-bit PNG: 255 where a place is marked, 0 elsewhere.

    Raises:
        ImageError: the result claims a picture that is larger than any that is inspected.
    """
    width, height = inspection.image.width, inspection.image.height
    if not 0 < width * height <= MAX_PIXELS:
        raise ImageError(f"The result of '{inspection.image.name}' names an impossible size. Inspect it again.")
    drawn = Image.new("L", (width, height), 0)
    for shape in shapes_of(inspection):
        drawn.paste(255, shape.box[:2], _inside(shape))
    return _png(drawn)


def _inside(shape: Shape) -> Image.Image:
    """The pixels of its box whose middle lies within a shape: at twice the size, these are the odd ones."""
    x, y, wide, high = shape.box
    twice = Image.new("L", (2 * wide + 1, 2 * high + 1), 0)
    ImageDraw.Draw(twice).polygon([(2 * (a - x), 2 * (b - y)) for a, b in shape.polygon], fill=255)
    return Image.fromarray(np.ascontiguousarray(np.asarray(twice)[1::2, 1::2]))


def _heat(inspection: Inspection) -> Heat | None:
    """The map that the verdict uses, or the one that only says where; None without a whole one."""
    fusion, plain = inspection.evidence.fusion, inspection.evidence.anomaly_map
    every = (None if fusion is None else fusion.heat, plain)
    return next((each for each in every if each is not None and _is_whole(each)), None)


def _is_whole(heat: Heat) -> bool:
    return min(heat.rows, heat.columns) > 0 and len(heat.values) == heat.rows * heat.columns


def _outline(drawn: Image.Image, shapes: Sequence[Shape]) -> None:
    """Draw closed outlines, the one that the result is about last, and number them if there are several."""
    draw, line = ImageDraw.Draw(drawn), max(2, round(WIDTH * max(drawn.size)))
    for number, shape in reversed(list(enumerate(shapes, 1))):
        closed = [*shape.polygon, *shape.polygon[:2]]
        draw.line(closed, fill=HALO, width=2 * line, joint="curve")
        draw.line(closed, fill=LINE, width=line, joint="curve")
        if len(shapes) > 1:
            x, y, _, high = shape.box
            size = 7 * line
            above = y - size - 2 * line
            at = (x, above if above >= 0 else y + high + 2 * line)
            draw.text(at, str(number), fill=LINE, font_size=size, stroke_width=line, stroke_fill=HALO)


def _png(picture: Image.Image) -> bytes:
    data = io.BytesIO()
    picture.save(data, "PNG")
    return data.getvalue()
