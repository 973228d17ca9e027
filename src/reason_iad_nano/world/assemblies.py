"""Families made of pieces: assemblies, gears, pills, labels, and, held out, cables, bottles and grids."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image as Pictures
from PIL import ImageDraw

from reason_iad.expert.brushes.drawing import (
    Field,
    as_mask,
    bitmap,
    brighter,
    colour,
    differs,
    disc,
    flat,
    grid,
    noise,
    rgb,
    scale,
    shared,
)
from reason_iad.expert.brushes.types import Canvas, Design, Image, Mask

DIFFERENT = 4.0
"""Grey levels by which a pixel must change to belong to a defect."""


# -- assembly of components on a plate


@dataclass(frozen=True, slots=True)
class Component:
    """A simple component: centre, half size, shape (0 disc, 1 square, 2 triangle), colour."""

    x: int
    y: int
    radius: int
    shape: int
    paint: tuple[int, int, int]


def assembly_design(rng: np.random.Generator, size: int) -> Design:
    """Components on a loose grid."""
    count = int(rng.integers(3, 5))
    pitch = size / count
    components = [
        Component(
            int(pitch * (column + 0.5)), int(pitch * (row + 0.5)), int(pitch * rng.uniform(0.18, 0.34)),
            int(rng.integers(3)), rgb(colour(rng, 30, 240)),
        )
        for row in range(count) for column in range(count) if rng.random() < 0.75
    ]  # fmt: skip
    lone = Component(size // 2, size // 2, size // 6, 0, rgb(colour(rng, 30, 240)))
    return {"components": components or [lone], "base": colour(rng, 60, 200)}


def assembly_render(rng: np.random.Generator, design: Design, size: int) -> Canvas:
    """Every component where it belongs."""
    components = list(design["components"])
    image = _assembly(design, components, size)
    return Canvas(image, np.ones((size, size), bool), {"components": components})


def _assembly(design: Design, components: list[Component], size: int) -> Image:
    picture = Pictures.new("RGB", (size, size), rgb(design["base"]))
    draw = ImageDraw.Draw(picture)
    for part in components:
        x, y, r = part.x, part.y, part.radius
        if part.shape == 2:
            draw.polygon([(x, y - r), (x + r, y + r), (x - r, y + r)], fill=part.paint, outline=(20, 20, 20))
        else:
            (draw.ellipse, draw.rectangle)[part.shape]((x - r, y - r, x + r, y + r), part.paint, (20, 20, 20))
    return np.asarray(picture, np.float32)


def _redraw(canvas: Canvas, design: Design, components: list[Component]) -> Mask | None:
    """Adopt new components, where the picture changes; what other defects painted elsewhere stays."""
    before = _assembly(design, canvas.layers["components"], canvas.size)
    after = _assembly(design, components, canvas.size)
    changed = differs(before, after, DIFFERENT)
    if int(changed.sum()) <= 5:
        return None
    canvas.layers["components"] = components
    canvas.image = np.where(changed[..., None], after, canvas.image).astype(np.float32)
    return changed


def missing_part(rng: np.random.Generator, canvas: Canvas, design: Design) -> Mask | None:
    """One component less."""
    components = list(canvas.layers["components"])
    components.pop(int(rng.integers(len(components))))
    return _redraw(canvas, design, components)


def extra_part(rng: np.random.Generator, canvas: Canvas, design: Design) -> Mask | None:
    """One component more, smaller than most."""
    size = canvas.size
    x, y = (int(value) for value in rng.uniform(0.1, 0.9, 2) * size)
    extra = Component(x, y, int(size * rng.uniform(0.04, 0.08)), int(rng.integers(3)), rgb(colour(rng, 0, 255)))
    return _redraw(canvas, design, [*canvas.layers["components"], extra])


def wrong_part(rng: np.random.Generator, canvas: Canvas, design: Design) -> Mask | None:
    """One component of another shape and colour."""
    components = list(canvas.layers["components"])
    index = int(rng.integers(len(components)))
    old = components[index]
    paint = rgb((np.array(old.paint) + rng.integers(70, 180, 3)) % 255)
    components[index] = replace(old, shape=(old.shape + 1) % 3, paint=paint)
    return _redraw(canvas, design, components)


def misplaced_part(rng: np.random.Generator, canvas: Canvas, design: Design) -> Mask | None:
    """One component beside its place."""
    components = list(canvas.layers["components"])
    index = int(rng.integers(len(components)))
    old = components[index]
    shift, angle = old.radius * rng.uniform(0.5, 0.9), rng.uniform(0, 2 * np.pi)
    moved = replace(old, x=int(old.x + shift * np.cos(angle)), y=int(old.y + shift * np.sin(angle)))
    components[index] = moved
    return _redraw(canvas, design, components)


# -- gear


def gear_design(rng: np.random.Generator, size: int) -> Design:
    """A gear seen along its axis."""
    teeth = int(rng.integers(10, 22))
    return {
        "teeth": teeth, "radius": size * rng.uniform(0.3, 0.4), "depth": size * rng.uniform(0.04, 0.07),
        "bore": size * rng.uniform(0.06, 0.12), "phase": rng.uniform(0, 6), "metal": rng.uniform(130, 220),
        "background": rng.uniform(10, 70), "present": np.ones(teeth, bool),
    }  # fmt: skip


def _gear_mask(gear: Design, present: Any, size: int) -> Mask:
    y, x = (axis - size / 2 for axis in grid(size))
    turn = (np.arctan2(y, x) + gear["phase"]) / (2 * np.pi) % 1 * gear["teeth"]
    tooth = (turn % 1 < 0.5) & present[turn.astype(int) % gear["teeth"]]
    distance = np.hypot(y, x)
    body: Mask = (distance < gear["radius"] + np.where(tooth, gear["depth"], 0)) & (distance > gear["bore"])
    return body


def gear_render(rng: np.random.Generator, gear: Design, size: int) -> Canvas:
    """A complete gear."""
    if len(gear.get("body", ())) != size:
        gear["body"] = shared(_gear_mask(gear, gear["present"], size))
    body: Mask = gear["body"]
    finish = gear["metal"] + noise(rng, size, 1.0, 4)
    image = np.where(body, finish, gear["background"]).astype(np.float32)
    return Canvas(np.repeat(image[..., None], 3, 2), body, {"finish": finish})


def missing_tooth(rng: np.random.Generator, canvas: Canvas, gear: Design) -> Mask | None:
    """One to three neighbouring teeth are gone."""
    present = gear["present"].copy()
    first, count = int(rng.integers(gear["teeth"])), int(rng.integers(1, 4))
    present[np.arange(first, first + count) % gear["teeth"]] = False
    body = _gear_mask(gear, present, canvas.size)
    gone = canvas.part & ~body
    if int(gone.sum()) < 6:
        return None
    canvas.image = np.where(gone[..., None], np.float32(gear["background"]), canvas.image).astype(np.float32)
    canvas.part = body
    return gone


# -- pill


def pill_design(rng: np.random.Generator, size: int) -> Design:
    """A tablet or a capsule, from above, with a score line."""
    return {
        "wide": size * rng.uniform(0.3, 0.42), "high": size * rng.uniform(0.2, 0.42),
        "paint": colour(rng, 120, 245), "background": rng.uniform(10, 70), "line": rng.random() < 0.6,
    }  # fmt: skip


def pill_render(rng: np.random.Generator, pill: Design, size: int) -> Canvas:
    """A clean pill."""
    y, x = (axis - size / 2 for axis in grid(size))
    radius = np.sqrt((x / pill["wide"]) ** 2 + (y / pill["high"]) ** 2)
    body: Mask = radius < 1
    shade: Field = 1 - 0.25 * np.clip(radius, 0, 1) ** 4
    if pill["line"]:
        shade = np.where(np.abs(x) < 1.5 * scale(size), shade * 0.8, shade)
    image = np.stack([value * shade for value in pill["paint"]], axis=-1).astype(np.float32)
    brighter(image, noise(rng, size, 0.8, 3))[~body] = pill["background"]
    return Canvas(image, body)


# -- label


def label_design(rng: np.random.Generator, size: int) -> Design:
    """A white label with lines of print and a bar code."""
    picture, draw = bitmap(size)
    unit = scale(size)
    for line in range(int(rng.integers(4, 8))):
        y, x = size * (0.16 + 0.09 * line), size * 0.16
        while x < size * 0.8:
            width = rng.uniform(4, 14) * unit
            draw.rectangle((x, y, min(x + width, size * 0.84), y + 5 * unit), fill=255)
            x += width + rng.uniform(3, 7) * unit
    x = size * 0.16
    while x < size * 0.84:
        draw.rectangle((x, size * 0.76, x + rng.uniform(1, 3) * unit, size * 0.88), fill=255)
        x += rng.uniform(3, 6) * unit
    return {"print": as_mask(picture), "paper": rng.uniform(215, 250), "ink": rng.uniform(10, 70),
            "background": colour(rng, 30, 150)}  # fmt: skip


def label_render(rng: np.random.Generator, label: Design, size: int) -> Canvas:
    """A label as it should be."""
    y, x = grid(size)
    edge = size * 0.09
    paper: Mask = (x > edge) & (x < size - edge) & (y > edge) & (y < size - edge)
    image = flat(size, label["background"])
    image[paper] = label["paper"]
    image[label["print"]] = label["ink"]
    return Canvas(brighter(image, noise(rng, size, 0.7, 2)), paper)


def misprint(rng: np.random.Generator, canvas: Canvas, label: Design) -> Mask | None:
    """A stretch of the print is blank or smeared."""
    size = canvas.size
    inked = np.argwhere(label["print"])
    y, x = inked[int(rng.integers(len(inked)))]
    height, width = (int(value * size) for value in (rng.uniform(0.05, 0.12), rng.uniform(0.08, 0.3)))
    window = np.zeros_like(canvas.part)
    window[max(y - height // 2, 0) : y + height // 2 + 1, max(x - width // 2, 0) : x + width // 2 + 1] = True
    mask: Mask = window & label["print"]
    if int(mask.sum()) < 8:
        return None
    value = label["paper"] if rng.random() < 0.6 else (label["paper"] + label["ink"]) / 2
    canvas.image[mask] = value
    return mask


# -- held out: cable, bottle, grid


def cable_design(rng: np.random.Generator, size: int) -> Design:
    """A cut cable: a sheath, and wires in coloured insulation."""
    count = int(rng.integers(3, 6))
    angles = np.arange(count) * 2 * np.pi / count + rng.uniform(0, 6)
    return {"wires": [(size / 2 + 0.2 * size * np.sin(a), size / 2 + 0.2 * size * np.cos(a)) for a in angles],
            "paints": [colour(rng, 60, 240) for _ in angles], "sheath": rng.uniform(30, 200),
            "background": rng.uniform(200, 250)}  # fmt: skip


def cable_render(rng: np.random.Generator, cable: Design, size: int) -> Canvas:
    """All wires in place."""
    image = flat(size, np.full(3, cable["background"]))
    sheath = disc(size, size / 2, size / 2, 0.42 * size)
    image[sheath] = cable["sheath"]
    image[disc(size, size / 2, size / 2, 0.35 * size)] = 90
    for (y, x), paint in zip(cable["wires"], cable["paints"], strict=True):
        image[disc(size, y, x, 0.11 * size)] = paint
        image[disc(size, y, x, 0.06 * size)] = (200, 120, 60)
    return Canvas(brighter(image, noise(rng, size, 0.8, 4)), sheath)


def missing_wire(rng: np.random.Generator, canvas: Canvas, cable: Design) -> Mask | None:
    """One wire is not there."""
    y, x = cable["wires"][int(rng.integers(len(cable["wires"])))]
    mask = disc(canvas.size, y, x, 0.11 * canvas.size)
    canvas.image[mask] = 90
    return mask


def cut_insulation(rng: np.random.Generator, canvas: Canvas, cable: Design) -> Mask | None:
    """A notch in the sheath."""
    angle, size = rng.uniform(0, 2 * np.pi), canvas.size
    y, x = size / 2 + 0.4 * size * np.sin(angle), size / 2 + 0.4 * size * np.cos(angle)
    mask = disc(size, y, x, rng.uniform(0.03, 0.07) * size) & canvas.part
    canvas.image[mask] = cable["background"]
    return mask


def bottle_design(rng: np.random.Generator, size: int) -> Design:
    """The mouth of a bottle, from above."""
    return {"radius": size * rng.uniform(0.34, 0.42), "wall": size * rng.uniform(0.05, 0.08),
            "glass": colour(rng, 40, 140), "inside": rng.uniform(10, 60),
            "background": rng.uniform(180, 245)}  # fmt: skip


def bottle_render(rng: np.random.Generator, bottle: Design, size: int) -> Canvas:
    """A clean mouth."""
    image = flat(size, np.full(3, bottle["background"]))
    outer = disc(size, size / 2, size / 2, bottle["radius"])
    image[outer] = bottle["glass"]
    image[disc(size, size / 2, size / 2, bottle["radius"] - bottle["wall"])] = bottle["glass"] * 0.5
    image[disc(size, size / 2, size / 2, 0.6 * bottle["radius"])] = bottle["inside"]
    return Canvas(brighter(image, noise(rng, size, 1.2, 3)), outer)


def grid_design(rng: np.random.Generator, size: int) -> Design:
    """A square mesh."""
    return {"pitch": rng.uniform(12, 22) * scale(size), "width": rng.uniform(3, 5) * scale(size),
            "metal": rng.uniform(130, 220), "dark": rng.uniform(5, 60), "shift": rng.uniform(0, 9, 2)}  # fmt: skip


def grid_render(rng: np.random.Generator, mesh: Design, size: int) -> Canvas:
    """A whole mesh."""
    y, x = grid(size)
    pitch, width = mesh["pitch"], mesh["width"]
    rows, columns = (y + mesh["shift"][0]) % pitch, (x + mesh["shift"][1]) % pitch
    wire: Mask = (rows < width) | (columns < width)
    image = np.where(wire, mesh["metal"], mesh["dark"]) + noise(rng, size, 0.8, 4)
    return Canvas(np.repeat(image.astype(np.float32)[..., None], 3, 2), np.ones((size, size), bool), {"wire": wire})


def blocked_opening(rng: np.random.Generator, canvas: Canvas, mesh: Design) -> Mask | None:
    """One opening is filled."""
    size, pitch = canvas.size, mesh["pitch"]
    y, x = grid(size)
    row, column = (int(value) for value in rng.integers(0, max(int(size / pitch), 1), 2))
    cell = ((y + mesh["shift"][0]) // pitch == row) & ((x + mesh["shift"][1]) // pitch == column)
    mask: Mask = cell & ~canvas.layers["wire"]
    if int(mask.sum()) < 6:
        return None
    canvas.image[mask] = mesh["metal"] * 0.8
    return mask


def broken_mesh(rng: np.random.Generator, canvas: Canvas, mesh: Design) -> Mask | None:
    """The wire is gone in a small area."""
    y, x = rng.uniform(0.1, 0.9, 2) * canvas.size
    mask: Mask = disc(canvas.size, y, x, mesh["pitch"] * rng.uniform(0.5, 1.1)) & canvas.layers["wire"]
    if int(mask.sum()) < 6:
        return None
    canvas.image[mask] = mesh["dark"]
    return mask
