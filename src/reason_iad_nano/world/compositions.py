"""Families of no particular kind: shapes strewn, in rows or around a centre, on any ground.

What they look like differs so much from design to design that a defect can only be told by comparing; a model that
has learnt these compares parts it has never seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from PIL import Image as Pictures
from PIL import ImageDraw

from reason_iad.expert.brushes.drawing import brighter, colour, differs, disc, noise, rgb, scale, tinted
from reason_iad.expert.brushes.types import Canvas, Design, Image, Mask
from reason_iad_nano.world.surfaces import TEXTURES

DIFFERENT = 12.0
"""Grey levels by which a pixel must change to belong to a defect."""
LEAST_PIXELS = 8
SIDES = (0, 0, 3, 4, 4, 5, 6)
"""Corners of a shape; 0 is an ellipse."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A shape: centre and half axes in pixels, angle in radians, corners, colour, and how much of it is a hole."""

    x: float
    y: float
    wide: float
    high: float
    angle: float
    corners: int
    paint: tuple[int, int, int]
    hole: float = 0.0

    def outline(self, share: float = 1.0) -> list[tuple[float, float]]:
        """Its border as a polygon."""
        cosine, sine = math.cos(self.angle), math.sin(self.angle)
        wide, high = share * self.wide, share * self.high
        return [
            (self.x + wide * c * cosine - high * s * sine, self.y + wide * c * sine + high * s * cosine)
            for c, s in _corners(self.corners)
        ]


@lru_cache
def _corners(count: int) -> list[tuple[float, float]]:
    """Cosine and sine of the corners of a shape; an ellipse has 24."""
    start, count = (math.pi / count, count) if count else (0.0, 24)
    turns = [start + 2 * math.pi * index / count for index in range(count)]
    return [(math.cos(turn), math.sin(turn)) for turn in turns]


Shapes = tuple[Shape, ...]
"""In the order in which they are drawn."""


def _kind_of_shape(rng: np.random.Generator, low: float, high: float, size: int) -> Shape:
    """A shape at the origin with half axes between `low` and `high` of the picture."""
    wide = rng.uniform(low, high) * size
    slim = rng.uniform(0.25, 1.0) if rng.random() < 0.5 else 1.0
    hole = rng.uniform(0.3, 0.7) if rng.random() < 0.3 else 0.0
    turn = rng.uniform(0, np.pi) if rng.random() < 0.5 else 0.0
    return Shape(0, 0, wide, wide * slim, turn, int(rng.choice(SIDES)), rgb(colour(rng, 0, 255)), hole)


def _ground(rng: np.random.Generator) -> Design:
    """Any colour with any texture, faint or strong."""
    return {
        "base": colour(rng, 20, 235), "p": rng.random(8), "seed": int(rng.integers(1 << 31)),
        "texture": str(rng.choice(sorted(TEXTURES))), "amount": rng.uniform(0.1, 0.8), "disc": None,
    }  # fmt: skip


def strewn_design(rng: np.random.Generator, size: int) -> Design:
    """Shapes of one to four kinds, anywhere."""
    models = [_kind_of_shape(rng, 0.02, 0.14, size) for _ in range(int(rng.integers(1, 5)))]
    shapes = []
    for _ in range(int(rng.integers(4, 22))):
        x, y = rng.uniform(0.04, 0.96, 2) * size
        shapes.append(replace(models[int(rng.integers(len(models)))], x=float(x), y=float(y)))
    return _ground(rng) | {"shapes": tuple(shapes)}


def rows_design(rng: np.random.Generator, size: int) -> Design:
    """One kind of shape in rows and columns, or every second one shifted; some places are empty by design."""
    pitch_x, pitch_y = rng.uniform(0.09, 0.26, 2) * size
    model = _kind_of_shape(rng, 0.5, 0.9, 1)
    reach = min(pitch_x, pitch_y) / 2
    model = replace(model, wide=model.wide * reach, high=model.high * reach)
    shift_x, shift_y = rng.uniform(0, 1, 2) * (pitch_x, pitch_y)
    odd = pitch_x / 2 if rng.random() < 0.4 else 0.0
    gaps = rng.choice((0.0, 0.15, 0.4))
    shapes = [
        replace(model, x=float(column * pitch_x + shift_x + odd * (row % 2)), y=float(row * pitch_y + shift_y))
        for row in range(int(size / pitch_y) + 1)
        for column in range(int(size / pitch_x) + 1)
        if rng.random() >= gaps
    ]
    return _ground(rng) | {"shapes": tuple(shapes)}


def flange_design(rng: np.random.Generator, size: int) -> Design:
    """A round part: rings, and shapes around the centre."""
    centre, radius = size / 2, rng.uniform(0.34, 0.47) * size
    rings, inner = [], radius
    for _ in range(int(rng.integers(0, 4))):
        inner *= rng.uniform(0.55, 0.92)
        rings.append(Shape(centre, centre, inner, inner, 0.0, 0, rgb(colour(rng, 0, 255))))
    model = _kind_of_shape(rng, 0.03, 0.09, size)
    count, at, phase = int(rng.integers(3, 13)), rng.uniform(0.45, 0.85) * radius, rng.uniform(0, 6)
    turns = phase + np.arange(count) * 2 * np.pi / count
    around = [
        replace(model, x=float(centre + at * np.cos(turn)), y=float(centre + at * np.sin(turn)), angle=float(turn))
        for turn in turns
    ]
    outside = {"disc": radius, "background": rng.uniform(0, 255)}
    return _ground(rng) | outside | {"rings": tuple(rings), "shapes": tuple(around)}


def render(rng: np.random.Generator, design: Design, size: int) -> Canvas:
    """The ground as it turned out this time, and every shape where it belongs."""
    grain = TEXTURES[design["texture"]](rng, design, size) * design["amount"]
    ground = tinted(design["base"], grain)
    part = np.ones((size, size), bool)
    if design["disc"] is not None:
        part = disc(size, size / 2, size / 2, design["disc"])
        ground[~part] = design["background"]
    plain = np.clip(ground, 0, 255).astype(np.uint8)
    layers = {"ground": plain, "rest": noise(rng, size, 0.8, 3), "shapes": design["shapes"]}
    canvas = Canvas(ground, part, layers)
    canvas.image = _drawn(canvas, design)
    return canvas


def _drawn(canvas: Canvas, design: Design) -> Image:
    """Ground and shapes."""
    ground = canvas.layers["ground"]
    last = canvas.size - 1
    picture = Pictures.fromarray(ground)
    draw = ImageDraw.Draw(picture)
    for shape in (*design.get("rings", ()), *canvas.layers["shapes"]):
        draw.polygon(shape.outline(), fill=shape.paint)
        if shape.hole:
            inside = ground[min(max(int(shape.y), 0), last), min(max(int(shape.x), 0), last)]
            draw.polygon(shape.outline(shape.hole), fill=rgb(inside))
    return brighter(np.array(picture, np.float32), canvas.layers["rest"])


def _change(canvas: Canvas, design: Design, shapes: Shapes) -> Mask | None:
    """Adopt new shapes, where the picture changes; what other defects painted elsewhere stays."""
    before, old = _drawn(canvas, design), canvas.layers["shapes"]
    canvas.layers["shapes"] = shapes
    after = _drawn(canvas, design)
    changed = differs(before, after, DIFFERENT)
    if int(changed.sum()) < LEAST_PIXELS * max(1.0, scale(canvas.size)):
        canvas.layers["shapes"] = old
        return None
    canvas.image = np.where(changed[..., None], after, canvas.image).astype(np.float32)
    return changed


def _alter(
    rng: np.random.Generator, canvas: Canvas, design: Design, change: Callable[[Shapes, int], Shapes]
) -> Mask | None:
    """Change the shapes, at one whose centre is in the picture; None if there is none, or nothing is seen of it."""
    shapes, size = canvas.layers["shapes"], canvas.size
    seen = [index for index, shape in enumerate(shapes) if 0 <= shape.x < size and 0 <= shape.y < size]
    if not seen:
        return None
    index = seen[int(rng.integers(len(seen)))]
    return _change(canvas, design, change(shapes, index))


def missing_shape(rng: np.random.Generator, canvas: Canvas, design: Design) -> Mask | None:
    """One shape less."""
    return _alter(rng, canvas, design, lambda shapes, index: (*shapes[:index], *shapes[index + 1 :]))


def extra_shape(rng: np.random.Generator, canvas: Canvas, design: Design) -> Mask | None:
    """One shape more, like one of the others but smaller."""

    def add(shapes: Shapes, index: int) -> Shapes:
        like = shapes[index]
        rows, columns = np.nonzero(canvas.part)
        at, size = int(rng.integers(len(rows))), rng.uniform(0.5, 0.9)
        x, y = float(columns[at]), float(rows[at])
        return *shapes, replace(like, x=x, y=y, wide=like.wide * size, high=like.high * size)

    return _alter(rng, canvas, design, add)


def wrong_shape(rng: np.random.Generator, canvas: Canvas, design: Design) -> Mask | None:
    """One shape with other corners and another colour."""

    def swap(shapes: Shapes, index: int) -> Shapes:
        old = shapes[index]
        paint = rgb((np.array(old.paint) + rng.integers(60, 190, 3)) % 256)
        new = replace(old, corners=4 if old.corners == 0 else 0, paint=paint)
        return (*shapes[:index], new, *shapes[index + 1 :])

    return _alter(rng, canvas, design, swap)


def misplaced_shape(rng: np.random.Generator, canvas: Canvas, design: Design) -> Mask | None:
    """One shape beside its place."""

    def move(shapes: Shapes, index: int) -> Shapes:
        old, turn = shapes[index], rng.uniform(0, 2 * np.pi)
        far = max(old.wide, 0.03 * canvas.size) * rng.uniform(0.5, 1.0)
        new = replace(old, x=old.x + float(far * np.cos(turn)), y=old.y + float(far * np.sin(turn)))
        return (*shapes[:index], new, *shapes[index + 1 :])

    return _alter(rng, canvas, design, move)
