"""Bare printed circuit boards in black and white: traces, pads and holes, and the six classic defects.

Etching leaves no edge quite straight, and no two boards alike: every part of a design has its own ragged edges, and
they are not a defect. Copper is dark: were it dark on one board and bright on the next, nothing in a picture would
tell a bridge between two traces from a cut through what lies between them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image as Pictures
from PIL import ImageDraw, ImageFilter
from scipy import ndimage

from reason_iad.expert.brushes.drawing import REFERENCE_SIZE, as_mask, bitmap, disc, drift, scale, spot
from reason_iad.expert.brushes.types import Canvas, Design, Image, Mask

WANDER = 75
"""Grey levels of a blurred edge, of 255, by which etching moves it at most."""
TRIES = 30
LEAST_PIXELS = 6
"""Pixels that a defect must change to be one; fewer in pictures smaller than the reference size."""
Point = tuple[float, float]


def design(rng: np.random.Generator, size: int) -> Design:
    """Traces with bends, pads and holes, at times wide copper."""
    unit = scale(size)
    width = max(2, round(float(rng.choice((3, 4, 6, 9, 14))) * rng.uniform(0.8, 1.25) * unit))
    gap = max(2, round(int(rng.integers(3, 14)) * unit))
    picture, draw = bitmap(size)
    upright = rng.random() < 0.5

    def line(points: list[Point], wide: int) -> None:
        turned = points if upright else [(y, x) for x, y in points]
        draw.line(turned, fill=255, width=wide, joint="curve")

    at = int(rng.integers(0, width + gap))
    while at < size:
        wide = width if rng.random() < 0.8 else max(round(3 * unit), round(width * rng.uniform(0.5, 2)))
        start, end = (0, size) if rng.random() < 0.6 else sorted(rng.integers(0, size, 2).tolist())
        bend = int(rng.integers(-2, 3)) * (width + gap) if rng.random() < 0.5 else 0
        middle = int(rng.integers(start, end)) if end > start else start
        if end - start > 20 * unit:
            line([(at, start), (at, middle), (at + bend, middle + abs(bend)), (at + bend, end)], wide)
        at += (wide + gap) * int(rng.integers(1, 4))
    for _ in range(int(rng.integers(1, 8))):
        _pad(rng, draw, size, width)
    if rng.random() < 0.3:
        left, top = rng.integers(0, size, 2).tolist()
        right, bottom = (at + int(rng.integers(size // 6, size // 2)) for at in (left, top))
        draw.rectangle((left, top, right, bottom), fill=255)
    return {
        "copper": as_mask(picture),
        "width": min(width, round(9 * unit)),
        "bright": rng.uniform(200, 255),
        "dark": rng.uniform(0, 40),
        "ragged": 0.9 * rng.random() ** 2 * min(1.0, width / (7 * unit)),
    }


def _pad(rng: np.random.Generator, draw: ImageDraw.ImageDraw, size: int, width: int) -> None:
    """A round, square or oblong pad, drilled or not."""
    short = float(np.clip(rng.uniform(1, 3) * width, 4 * scale(size), 16 * scale(size)))
    long = short * (rng.uniform(1.3, 2.5) if rng.random() < 0.4 else 1.0)
    tall, wide = (long, short) if rng.random() < 0.5 else (short, long)
    x, y = rng.integers(0, size, 2).tolist()
    box = (x - wide, y - tall, x + wide, y + tall)
    if rng.random() < 0.35:
        draw.rectangle(box, fill=255)
    else:
        draw.rounded_rectangle(box, short, fill=255)
    if rng.random() < 0.5:
        drill = max(1.0, short * rng.uniform(0.25, 0.5))
        draw.ellipse((x - drill, y - drill, x + drill, y + drill), fill=0)


def render(rng: np.random.Generator, board: Design, size: int) -> Canvas:
    """The board as etched."""
    copper = etched(rng, board["copper"], board["ragged"])
    return Canvas(_paint(board, copper), np.ones((size, size), bool), {"copper": copper})


def etched(rng: np.random.Generator, copper: Mask, ragged: float) -> Mask:
    """The same copper with edges that wander by up to about `ragged` reference pixels."""
    size = copper.shape[0]
    soft = Pictures.fromarray(copper.astype(np.uint8) * 255).filter(ImageFilter.BoxBlur(1.2 * scale(size)))
    wander = np.clip(drift(rng, size, REFERENCE_SIZE // 3, 50 * ragged), -WANDER, WANDER)  # flat areas stay flat
    result: Mask = np.asarray(soft) > 127 + wander + np.clip(rng.normal(0, 12 * ragged), -25, 25)
    return result


def _paint(board: Design, copper: Mask) -> Image:
    image: Image = np.where(copper[..., None], np.float32(board["dark"]), np.float32(board["bright"])).repeat(3, 2)
    return image


def _change(canvas: Canvas, board: Design, copper: Mask) -> Mask | None:
    """Adopt new copper; None if hardly anything changed."""
    changed: Mask = copper ^ canvas.layers["copper"]
    if int(changed.sum()) < LEAST_PIXELS * min(1.0, scale(canvas.size)):
        return None
    canvas.layers["copper"] = copper
    canvas.image = _paint(board, copper)
    return changed


def _edge(copper: Mask) -> Mask:
    inner: Mask = ndimage.binary_erosion(copper, border_value=1)
    return copper & ~inner


def _around(at: tuple[int, int], reach: float, size: int) -> tuple[slice, slice]:
    """The square around a point, as far as it lies in the picture."""
    top, left = (max(int(value - reach), 0) for value in at)
    bottom, right = (min(int(value + reach) + 1, size) for value in at)
    return slice(top, bottom), slice(left, right)


def _spots(rng: np.random.Generator, where: Mask) -> Iterator[tuple[int, int]]:
    """Random (y, x) of a mask, as many as are worth trying; none if it is empty."""
    for _ in range(TRIES):
        at = spot(rng, where)
        if at is None:
            return
        yield at


def _pieces(copper: Mask) -> int:
    return int(ndimage.label(copper)[1])


def _sliver(
    rng: np.random.Generator, size: int, middle: tuple[float, float], length: float, width: float, bow: float
) -> Mask:
    """A slightly bent line of any direction around a point."""
    angle = rng.uniform(0, 2 * np.pi)
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    side = rng.uniform(-bow, bow) * length
    steps = np.linspace(-0.5, 0.5, 7)
    points = [
        tuple(np.array([middle[1], middle[0]]) + step * length * along + (0.25 - step**2) * 4 * side * across)
        for step in steps
    ]
    picture, draw = bitmap(size)
    draw.line(points, fill=255, width=max(1, round(width)), joint="curve")
    return as_mask(picture)


def _lump(rng: np.random.Generator, size: int, at: tuple[float, float], radius: float) -> Mask:
    """A few discs that overlap."""
    result = disc(size, *at, radius)
    for _ in range(int(rng.integers(0, 4))):
        y, x = np.asarray(at) + rng.normal(0, 0.6, 2) * radius
        result |= disc(size, float(y), float(x), radius * rng.uniform(0.4, 0.8))
    return result


def open_circuit(rng: np.random.Generator, canvas: Canvas, board: Design) -> Mask | None:
    """A gap across a conductor: a thin cut or a wide one."""
    copper, width, size = canvas.layers["copper"], board["width"], canvas.size
    for at in _spots(rng, copper):
        if rng.random() < 0.6:
            reach = width * rng.uniform(1.5, 4)
            gone = _sliver(rng, size, at, reach, rng.uniform(1.6, 5) * scale(size), 0.15)
        else:
            reach = 2.6 * width
            gone = _lump(rng, size, at, width * rng.uniform(0.6, 1.1))
        near = _around(at, 2 * reach, size)
        if _pieces(copper[near] & ~gone[near]) > _pieces(copper[near]):
            changed = _change(canvas, board, copper & ~gone)
            if changed is not None:
                return changed
    return None


def short_circuit(rng: np.random.Generator, canvas: Canvas, board: Design) -> Mask | None:
    """A bridge between two conductors that were apart."""
    copper, width, size = canvas.layers["copper"], board["width"], canvas.size
    labels, _ = ndimage.label(copper)
    for at in _spots(rng, _edge(copper)):
        thick = max(1.6 * scale(size), width * rng.uniform(0.2, 0.7))
        bridge = _sliver(rng, size, at, rng.uniform(4, 8) * max(width, 5 * scale(size)), thick, 0.2)
        touched = np.unique(labels[bridge])
        if len(touched[touched > 0]) == 2:  # more would be a line through the whole board
            changed = _change(canvas, board, copper | bridge)
            if changed is not None:
                return changed
    return None


def mousebite(rng: np.random.Generator, canvas: Canvas, board: Design) -> Mask | None:
    """A bite or a nick in the edge of a conductor, which it does not cut."""
    copper, width, size = canvas.layers["copper"], board["width"], canvas.size
    for at in _spots(rng, _edge(copper)):
        if rng.random() < 0.6:
            reach = max(width * rng.uniform(0.3, 0.6), 2.2 * scale(size))
            bite = _lump(rng, size, at, reach)
        else:
            reach = width * rng.uniform(0.8, 1.8)
            bite = _sliver(rng, size, at, reach, rng.uniform(1.6, 4) * scale(size), 0.25)
        near = _around(at, 3 * reach, size)
        if _pieces(copper[near] & ~bite[near]) == _pieces(copper[near]):
            return _change(canvas, board, copper & ~bite)
    return None


def spur(rng: np.random.Generator, canvas: Canvas, board: Design) -> Mask | None:
    """A thorn at the edge of a conductor, which reaches no other one."""
    copper, width, size = canvas.layers["copper"], board["width"], canvas.size
    labels, _ = ndimage.label(copper)
    for at in _spots(rng, _edge(copper)):
        if rng.random() < 0.5:
            thorn = _lump(rng, size, at, max(width * rng.uniform(0.3, 0.6), 1.6 * scale(size)))
        else:
            thick = max(1.6 * scale(size), width * rng.uniform(0.25, 0.6))
            thorn = _sliver(rng, size, at, width * rng.uniform(1.5, 4), thick, 0.25)
        touched = np.unique(labels[thorn])
        if len(touched[touched > 0]) == 1:
            return _change(canvas, board, copper | thorn)
    return None


def pin_hole(rng: np.random.Generator, canvas: Canvas, board: Design) -> Mask | None:
    """A tiny hole with copper all around, round or a slit."""
    copper, size, unit = canvas.layers["copper"], canvas.size, scale(canvas.size)
    radius = float(np.clip(board["width"] * rng.uniform(0.2, 0.45), 2.1 * min(unit, 1.0), 4.5 * unit))
    inside: Mask = ndimage.binary_erosion(copper, np.ones((3, 3), bool), iterations=int(radius) + 1, border_value=1)
    for at in _spots(rng, inside):
        if rng.random() < 0.6:
            return _change(canvas, board, copper & ~disc(size, *at, radius))
        slit = _sliver(rng, size, at, radius * rng.uniform(2.5, 5), max(1.6 * unit, 0.6 * radius), 0.25)
        if not (ndimage.binary_dilation(slit) & ~copper).any():
            return _change(canvas, board, copper & ~slit)
    return None


def spurious_copper(rng: np.random.Generator, canvas: Canvas, board: Design) -> Mask | None:
    """An island of copper that touches nothing: a lump or a bent sliver."""
    copper, size = canvas.layers["copper"], canvas.size
    radius = board["width"] * rng.uniform(0.35, 0.8)
    free: Mask = ~ndimage.binary_dilation(copper, iterations=int(radius) + 2)
    for at in _spots(rng, free):
        if rng.random() < 0.5:
            island = _lump(rng, size, at, radius)
        else:
            island = _sliver(
                rng, size, at, rng.uniform(8, 30) * scale(size), rng.uniform(1.5, 4) * scale(size), 0.3
            )
        if not (ndimage.binary_dilation(island, np.ones((3, 3), bool)) & copper).any():
            return _change(canvas, board, copper | island)
    return None
