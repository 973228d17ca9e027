"""Defects of a surface, for any family: each draws into the picture, inside the part, and returns its pixels."""

from __future__ import annotations

import numpy as np

from reason_iad.expert.brushes.drawing import (
    blob,
    colour,
    disc,
    grid,
    log_uniform,
    noise,
    scale,
    soften,
    spot,
    stroke,
)
from reason_iad.expert.brushes.types import Canvas, Design, Mask

LEAST_PIXELS = 5


def _paint(canvas: Canvas, mask: Mask, change: object) -> Mask | None:
    """Put new values where the mask and the part agree."""
    mask = mask & canvas.part
    if int(mask.sum()) < LEAST_PIXELS:
        return None
    values = np.broadcast_to(np.asarray(change, np.float32), canvas.image.shape)
    at = np.nonzero(mask)
    canvas.image[at] = values[at]
    return mask


def _brightness(canvas: Canvas, mask: Mask) -> float:
    if mask.all():
        return float(canvas.image.mean())  # a tenth of the time
    return float(canvas.image[mask].mean()) if mask.any() else 128.0


def scratch(rng: np.random.Generator, canvas: Canvas, design: Design) -> Mask | None:
    """A thin, nearly straight line, bright on dark and dark on bright."""
    at = spot(rng, canvas.part)
    if at is None:
        return None
    size = canvas.size
    mask = stroke(rng, size, *at, size * rng.uniform(0.1, 0.55), rng.uniform(1, 3.4) * scale(size), 0.1)
    sign = (
        -1 if _brightness(canvas, canvas.part) > 150 else 1
    )  # of all, so that a mark of the design stays the same
    return _paint(canvas, mask, canvas.image + sign * rng.uniform(35, 90))


def crack(rng: np.random.Generator, canvas: Canvas, design: Design) -> Mask | None:
    """A thin, dark, jagged line."""
    at = spot(rng, canvas.part)
    if at is None:
        return None
    size = canvas.size
    mask = stroke(
        rng, size, *at, size * rng.uniform(0.12, 0.6), rng.uniform(1, 2.6) * scale(size), rng.uniform(0.2, 0.8)
    )
    return _paint(canvas, mask, canvas.image - rng.uniform(35, 95))


def stain(rng: np.random.Generator, canvas: Canvas, design: Design) -> Mask | None:
    """A patch of another shade with a soft border."""
    at = spot(rng, canvas.part)
    if at is None:
        return None
    mask = blob(rng, canvas.size, *at, log_uniform(rng, 0.003, 0.06))
    shade = rng.choice((-1, 1)) * rng.uniform(22, 60, 3)
    return _paint(canvas, mask, canvas.image + soften(mask, 1.5 * scale(canvas.size))[..., None] * shade)


def burn(rng: np.random.Generator, canvas: Canvas, design: Design) -> Mask | None:
    """A scorched patch: dark brown, darkest in the middle."""
    at = spot(rng, canvas.part)
    if at is None:
        return None
    mask = blob(rng, canvas.size, *at, log_uniform(rng, 0.006, 0.06))
    soft = soften(mask, 2 * scale(canvas.size))[..., None]
    return _paint(canvas, mask, canvas.image * (1 - 0.75 * soft) + np.array([40, 20, 5]) * soft)


def contamination(rng: np.random.Generator, canvas: Canvas, design: Design) -> Mask | None:
    """One to four foreign particles near each other."""
    at = spot(rng, canvas.part)
    if at is None:
        return None
    mask = np.zeros_like(canvas.part)
    for _ in range(int(rng.integers(1, 5))):
        y, x = np.array(at) + rng.normal(0, 0.06, 2) * canvas.size
        mask |= blob(rng, canvas.size, y, x, log_uniform(rng, 0.0004, 0.004))
    paint = colour(rng, 0, 255)
    if abs(float(paint.mean()) - _brightness(canvas, mask & canvas.part)) < 40:
        paint = (paint + 110) % 255
    return _paint(canvas, mask, paint)


def hole(rng: np.random.Generator, canvas: Canvas, design: Design) -> Mask | None:
    """The background shows through."""
    at = spot(rng, canvas.part)
    if at is None:
        return None
    mask = blob(rng, canvas.size, *at, log_uniform(rng, 0.0012, 0.02))
    return _paint(canvas, mask, rng.uniform(0, 30))


def blowhole(rng: np.random.Generator, canvas: Canvas, design: Design) -> Mask | None:
    """A roundish dark cavity."""
    at = spot(rng, canvas.part)
    if at is None:
        return None
    mask = blob(rng, canvas.size, *at, log_uniform(rng, 0.0006, 0.008))
    return _paint(canvas, mask, canvas.image - rng.uniform(45, 100))


def pitting(rng: np.random.Generator, canvas: Canvas, design: Design) -> Mask | None:
    """A few small dark pits close together, round or torn."""
    at = spot(rng, canvas.part)
    if at is None:
        return None
    mask = np.zeros_like(canvas.part)
    for _ in range(int(rng.integers(1, 9))):
        y, x = np.array(at) + rng.normal(0, 0.05, 2) * canvas.size
        if rng.random() < 0.3:
            length, width = rng.uniform(4, 12) * scale(canvas.size), rng.uniform(1, 3) * scale(canvas.size)
            mask |= stroke(rng, canvas.size, y, x, length, width, 1.2)
        else:
            mask |= disc(canvas.size, y, x, rng.uniform(1.2, 4.2) * scale(canvas.size))
    return _paint(canvas, mask, canvas.image - rng.uniform(40, 100))


def dent(rng: np.random.Generator, canvas: Canvas, design: Design) -> Mask | None:
    """A hollow: bright on the side of the light, dark on the other."""
    at = spot(rng, canvas.part)
    if at is None:
        return None
    size = canvas.size
    radius = np.sqrt(log_uniform(rng, 0.002, 0.03) / np.pi) * size
    y, x = grid(size)
    angle = rng.uniform(0, 2 * np.pi)
    along = ((x - at[1]) * np.cos(angle) + (y - at[0]) * np.sin(angle)) / radius
    mask = disc(size, *at, radius)
    return _paint(canvas, mask, canvas.image + (along * rng.uniform(40, 80))[..., None])


def bubble(rng: np.random.Generator, canvas: Canvas, design: Design) -> Mask | None:
    """A round enclosure with a bright rim."""
    at = spot(rng, canvas.part)
    if at is None:
        return None
    size = canvas.size
    radius = np.sqrt(log_uniform(rng, 0.001, 0.012) / np.pi) * size
    mask = disc(size, *at, radius)
    rim = mask & ~disc(size, *at, max(radius - max(1.5 * scale(size), 0.25 * radius), 0.5))
    change = canvas.image - 18 + rim[..., None] * rng.uniform(55, 90)
    return _paint(canvas, mask, change)


def edge_piece(rng: np.random.Generator, canvas: Canvas, design: Design) -> Mask | None:
    """A piece broken off at the border of the part."""
    from scipy import ndimage

    border = canvas.part & ~ndimage.binary_erosion(canvas.part, iterations=2)
    at = spot(rng, border)
    if at is None:
        return None
    mask = blob(rng, canvas.size, *at, log_uniform(rng, 0.004, 0.04))
    return _paint(canvas, mask, design.get("background", rng.uniform(0, 40)))


def chip(rng: np.random.Generator, canvas: Canvas, design: Design) -> Mask | None:
    """A small sharp piece gone from the border."""
    from scipy import ndimage

    border = canvas.part & ~ndimage.binary_erosion(canvas.part, iterations=2)
    at = spot(rng, border)
    if at is None:
        return None
    mask = blob(rng, canvas.size, *at, log_uniform(rng, 0.001, 0.008))
    return _paint(canvas, mask, design.get("background", rng.uniform(0, 40)))


def fray(rng: np.random.Generator, canvas: Canvas, design: Design) -> Mask | None:
    """A ragged band along one side of the part."""
    size = canvas.size
    y, x = grid(size)
    side = int(rng.integers(4))
    depth = (y, size - 1 - y, x, size - 1 - x)[side]
    rough = np.abs(noise(rng, size, 2, 1)) * size * rng.uniform(0.03, 0.07)
    along = x if side < 2 else y
    start, length = rng.uniform(0, 0.5) * size, rng.uniform(0.25, 0.5) * size
    mask = (depth < rough) & (along >= start) & (along < start + length)
    return _paint(canvas, mask, canvas.image + rng.choice((-1, 1)) * rng.uniform(40, 80))


def uneven(rng: np.random.Generator, canvas: Canvas, design: Design) -> Mask | None:
    """A wide, soft area of another brightness."""
    at = spot(rng, canvas.part)
    if at is None:
        return None
    mask = blob(rng, canvas.size, *at, log_uniform(rng, 0.05, 0.12))
    soft = soften(mask, 5 * scale(canvas.size))[..., None]
    return _paint(canvas, mask, canvas.image + soft * rng.choice((-1, 1)) * rng.uniform(28, 55))


def wrong_colour(rng: np.random.Generator, canvas: Canvas, design: Design) -> Mask | None:
    """A large area of the part in another colour."""
    at = spot(rng, canvas.part)
    if at is None:
        return None
    mask = blob(rng, canvas.size, *at, log_uniform(rng, 0.01, 0.06))
    return _paint(canvas, mask, canvas.image * 0.6 + colour(rng, 0, 160) * 0.6)


def fold(rng: np.random.Generator, canvas: Canvas, design: Design) -> Mask | None:
    """A straight crease: a bright line beside a dark one."""
    at = spot(rng, canvas.part)
    if at is None:
        return None
    size = canvas.size
    mask = stroke(rng, size, *at, size * rng.uniform(0.3, 0.7), 4 * scale(size), 0.02)
    bright = np.roll(mask, 2, 0) & mask
    return _paint(canvas, mask, canvas.image + np.where(bright, 45, -45)[..., None])


def loose_thread(rng: np.random.Generator, canvas: Canvas, design: Design) -> Mask | None:
    """A thin curved thread of another colour."""
    at = spot(rng, canvas.part)
    if at is None:
        return None
    size = canvas.size
    mask = stroke(rng, size, *at, size * rng.uniform(0.2, 0.6), rng.uniform(1.2, 2.4) * scale(size), 0.35)
    bright = _brightness(canvas, canvas.part)
    return _paint(canvas, mask, colour(rng, 200, 250) if bright < 130 else colour(rng, 0, 60))
