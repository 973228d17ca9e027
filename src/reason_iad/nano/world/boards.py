"""Bare printed circuit boards in black and white: traces, pads and holes, and the six classic defects."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from reason_iad.nano.world.drawing import as_mask, bitmap, disc, scale, spot
from reason_iad.nano.world.types import Canvas, Design, Image, Mask

TRIES = 30
LEAST_PIXELS = 6
"""Pixels that a defect must change to be one; fewer in pictures smaller than the reference size."""


def design(rng: np.random.Generator, size: int) -> Design:
    """Parallel traces with bends, some pads, some of them drilled."""
    unit = scale(size)
    width = max(3, round(int(rng.integers(4, 9)) * unit))
    pitch = 2 * width + max(2, round(int(rng.integers(3, 8)) * unit))
    picture, draw = bitmap(size)
    upright = rng.random() < 0.5
    at = int(rng.integers(0, pitch))
    while at < size:
        start, end = (0, size) if rng.random() < 0.6 else sorted(rng.integers(0, size, 2).tolist())
        bend = int(rng.integers(-pitch, pitch)) if rng.random() < 0.4 else 0
        middle = (start + end) // 2
        points = [(at, start), (at, middle), (at + bend, middle + abs(bend)), (at + bend, end)]
        if end - start > 20 * unit:
            draw.line(points if upright else [(y, x) for x, y in points], fill=255, width=width)
        at += pitch * int(rng.integers(1, 3))
    for _ in range(int(rng.integers(1, 8))):
        radius = int(rng.integers(width, 3 * width))
        x, y = rng.integers(0, size, 2).tolist()
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
        if rng.random() < 0.6:
            drill = max(1, radius // 3)
            draw.ellipse((x - drill, y - drill, x + drill, y + drill), fill=0)
    return {
        "copper": as_mask(picture),
        "width": width,
        "inverted": rng.random() < 0.3,
        "bright": rng.uniform(200, 255),
        "dark": rng.uniform(0, 40),
    }


def render(rng: np.random.Generator, board: Design, size: int) -> Canvas:
    """The board as etched."""
    copper = board["copper"].copy()
    return Canvas(_paint(board, copper), np.ones((size, size), bool), {"copper": copper})


def _paint(board: Design, copper: Mask) -> Image:
    bright = (copper ^ bool(board["inverted"]))[..., None]
    image: Image = np.where(bright, np.float32(board["bright"]), np.float32(board["dark"])).repeat(3, 2)
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


def open_circuit(rng: np.random.Generator, canvas: Canvas, board: Design) -> Mask | None:
    """A gap across a conductor."""
    copper, width = canvas.layers["copper"], board["width"]
    for _ in range(TRIES):
        at = spot(rng, copper)
        if at is None:
            return None
        changed = _change(canvas, board, copper & ~disc(canvas.size, *at, width * rng.uniform(0.8, 1.3)))
        if changed is not None:
            return changed
    return None


def short_circuit(rng: np.random.Generator, canvas: Canvas, board: Design) -> Mask | None:
    """A bridge between two conductors that were apart."""
    copper, width, size = canvas.layers["copper"], board["width"], canvas.size
    labels, _ = ndimage.label(copper)
    for _ in range(TRIES):
        at = spot(rng, _edge(copper))
        if at is None:
            return None
        angle = rng.uniform(0, 2 * np.pi)
        reach = 3 * width
        picture, draw = bitmap(size)
        end = (at[1] + reach * np.cos(angle), at[0] + reach * np.sin(angle))
        draw.line([(at[1], at[0]), end], fill=255, width=max(2, width // 2))
        bridge = as_mask(picture)
        if len(set(np.unique(labels[bridge]).tolist()) - {0}) >= 2:
            changed = _change(canvas, board, copper | bridge)
            if changed is not None:
                return changed
    return None


def mousebite(rng: np.random.Generator, canvas: Canvas, board: Design) -> Mask | None:
    """A bite out of the edge of a conductor."""
    at = spot(rng, _edge(canvas.layers["copper"]))
    if at is None:
        return None
    bite = disc(canvas.size, *at, board["width"] * rng.uniform(0.4, 0.62))
    return _change(canvas, board, canvas.layers["copper"] & ~bite)


def spur(rng: np.random.Generator, canvas: Canvas, board: Design) -> Mask | None:
    """A thorn at the edge of a conductor."""
    at = spot(rng, _edge(canvas.layers["copper"]))
    if at is None:
        return None
    thorn = disc(canvas.size, *at, board["width"] * rng.uniform(0.4, 0.62))
    return _change(canvas, board, canvas.layers["copper"] | thorn)


def pin_hole(rng: np.random.Generator, canvas: Canvas, board: Design) -> Mask | None:
    """A tiny hole with copper all around."""
    radius = max(1.4, board["width"] * 0.28)
    inside: Mask = ndimage.binary_erosion(canvas.layers["copper"], iterations=int(radius) + 1, border_value=1)
    at = spot(rng, inside)
    if at is None:
        return None
    return _change(canvas, board, canvas.layers["copper"] & ~disc(canvas.size, *at, radius))


def spurious_copper(rng: np.random.Generator, canvas: Canvas, board: Design) -> Mask | None:
    """An island of copper that touches nothing."""
    copper = canvas.layers["copper"]
    radius = board["width"] * rng.uniform(0.35, 0.8)
    free: Mask = ~ndimage.binary_dilation(copper, iterations=int(radius) + 2)
    at = spot(rng, free)
    if at is None:
        return None
    return _change(canvas, board, copper | disc(canvas.size, *at, radius))
