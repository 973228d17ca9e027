"""Families that are all surface: metal, grain, molding, threads, fabric, wood, leather, tile, glass."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from reason_iad.expert.brushes.drawing import (
    Field,
    colour,
    drift,
    grid,
    noise,
    scale,
    shared,
    smoothed,
    stroke,
    tinted,
)
from reason_iad.expert.brushes.types import Canvas, Design
from reason_iad_nano.world.types import MakeDesign, Render

Texture = Callable[[np.random.Generator, Design, int], Field]
"""(rng, design, size) to the deviation of the brightness from the base colour."""


def _coordinates(size: int) -> tuple[Field, Field]:
    """(y, x) in reference pixels, (S, 1) and (1, S)."""
    y, x = grid(size)
    return y / np.float32(scale(size)), x / np.float32(scale(size))


def _field(values: npt.NDArray[np.floating[Any]]) -> Field:
    result: Field = values.astype(np.float32)
    return result


def _specks(rng: np.random.Generator, size: int, cells: int, rarity: float, depth: float) -> Field:
    """Dark specks that are no defect: what of a drift lies `rarity` below its mean, times `depth` grey levels."""
    return _field(np.minimum(drift(rng, size, cells, 1.0) + rarity, 0) * np.float32(depth))


def _hairlines(rng: np.random.Generator, size: int, most: float) -> Field:
    """Fine marks of handling that are no defect, others on every part: up to six lines, `most` grey levels deep."""
    lines = np.zeros((size, size), np.float32)
    for _ in range(int(rng.integers(0, 7))):
        y, x = rng.uniform(0, size, 2)
        long, jag = size * rng.uniform(0.05, 0.5), rng.choice((0.05, 0.5))
        lines[stroke(rng, size, y, x, long, scale(size), jag)] = rng.uniform(-1, 0.6) * most
    return lines


def _border(rng: np.random.Generator, size: int, p: float) -> Field:
    """What lies beside the part, seen along its sides: dark bands, on every part a little wider or narrower."""
    y, x = np.broadcast_arrays(*_coordinates(size))
    field = np.zeros((size, size), np.float32)
    sides = np.random.default_rng(int(p * 1e6))  # which of them show belongs to the design
    reach = round(12 * scale(size))  # no band is wider
    first, last = slice(0, reach), slice(size - reach, size)
    for strip, distance, along in (
        ((slice(None), first), x, y),
        ((slice(None), last), 168 - x, y),
        ((first, slice(None)), y, x),
        ((last, slice(None)), 168 - y, x),
    ):
        shown, dark, width = sides.random() < 0.5, sides.uniform(30, 90), sides.uniform(0, 7)
        shift, swing, period, phase = rng.uniform(-2, 2), rng.uniform(0, 1), rng.uniform(8, 40), rng.uniform(0, 6)
        if shown:
            wobble = shift + swing * np.sin(along[strip] / period + phase)
            field[strip] -= np.float32(dark) * np.clip(width + wobble - distance[strip], 0, 1)
    return field


def worn(texture: Texture) -> Texture:
    """The same texture; on half of the designs with what used and handled parts show although they are good."""

    def textured(rng: np.random.Generator, design: Design, size: int) -> Field:
        field, p = texture(rng, design, size), design.get("wear", 1.0)
        if p < 0.5:
            field = field + _hairlines(rng, size, 14 * p / 0.5) + _border(rng, size, p)
        return _field(field)

    return textured


def grey_design(rng: np.random.Generator, size: int) -> Design:
    """A grey base, eight free parameters in [0, 1], and how worn its parts are."""
    return {
        "base": np.full(3, rng.uniform(60, 200)),
        "p": rng.random(8),
        "wear": rng.random(),
        "seed": int(rng.integers(1 << 31)),
    }


def colour_design(rng: np.random.Generator, size: int) -> Design:
    """A coloured base, and the same."""
    return grey_design(rng, size) | {"base": colour(rng, 70, 190)}


def surface(texture: Texture) -> Render:
    """A render function for a family that fills the picture with one texture."""

    def render(rng: np.random.Generator, design: Design, size: int) -> Canvas:
        return Canvas(tinted(design["base"], texture(rng, design, size)), np.ones((size, size), bool))

    return render


def brushed(rng: np.random.Generator, design: Design, size: int) -> Field:
    """Fine parallel lines, different on every part, under uneven light."""
    p = design["p"]
    lines = rng.standard_normal((size, size), dtype=np.float32)
    lines = smoothed(lines, (8 + 10 * p[0]) * scale(size), wrap=True, axis=1 if p[1] < 0.5 else 0)
    return _field(lines / lines.std() * (4 + 8 * p[2]) + drift(rng, size, 3, 10 * p[3]))


def granular(rng: np.random.Generator, design: Design, size: int) -> Field:
    """Grain without direction; on some designs ground: streaks from side to side, shades, faint dark specks."""
    p = design["p"]
    if p[2] < 0.35:
        return noise(rng, size, 0.7 + p[0], 8 + 14 * p[1])
    grain = noise(rng, size, 0.5, 4 + 6 * p[1])
    streaks = rng.standard_normal(size, dtype=np.float32) * np.float32(3 + 7 * p[3])
    bright = np.maximum(rng.standard_normal(size, dtype=np.float32) - 2, 0)  # a few
    streaks += bright * np.float32(60 * p[4])
    strength = 0.6 + np.abs(drift(rng, size, 4, 0.5))
    specks = _specks(rng, size, 42, 2.4, 12 * p[5])
    shade = drift(rng, size, 2, 4 + 10 * p[6])
    return _field(grain + streaks * strength + specks + shade)


def molded(rng: np.random.Generator, design: Design, size: int) -> Field:
    """Fine grain on slow waves; on some designs drawn out and speckled, with bright flash along one side."""
    y, x = _coordinates(size)
    p = design["p"]
    waves = 12 * np.sin(y / (20 + 30 * p[0]) + 6 * p[1]) + 8 * (x / 168 - 0.5)
    if p[2] < 0.5:
        return _field(noise(rng, size, 1.2, 4) + waves)
    grain = rng.standard_normal((size, size), dtype=np.float32)
    grain = smoothed(grain, (0.8 + 2 * p[3]) * scale(size), wrap=True, axis=1)
    grain *= (6 + 14 * p[4]) / grain.std()
    specks = _specks(rng, size, 56, 1.8, 16 * p[5])
    if p[6] < 0.4:
        for _ in range(int(rng.integers(0, 5))):
            tall, wide = rng.uniform(2, 9), rng.uniform(1, 5)
            grain += 90 * (((y - rng.uniform(0, 168)) / tall) ** 2 + (x / wide) ** 2 < 1)
    return _field(grain + specks + waves + drift(rng, size, 3, 6))


def threaded(rng: np.random.Generator, design: Design, size: int) -> Field:
    """The ridges of a thread, turned a little differently on every picture; some lit from the side, and worn."""
    y, x = _coordinates(size)
    p = design["p"]
    phase = 6 * p[2] + rng.uniform(0, 0.4)
    turn = x * (0.15 + 0.2 * p[0]) + y * (0.3 * (p[1] - 0.5)) + phase
    if p[3] < 0.4:
        return _field(50 * np.sin(turn) + noise(rng, size, 0.8, 6))
    turn = turn * np.float32(0.3 + 0.5 * p[4])  # coarse threads show their flanks
    groove = np.sin(turn)
    profile = 38 * groove + 20 * np.sin(2 * turn + 6 * p[5])
    shine = 40 * np.exp(-(((y - 168 * p[6]) / (20 + 40 * p[7])) ** 2))
    lines = (rng.standard_normal(512, dtype=np.float32) * 6)[(turn * 40).astype(np.int64) & 511]  # along the thread
    patina = np.where(groove < -0.3, drift(rng, size, 8, 12), 0)
    specks = _specks(rng, size, 42, 2.2, 16 * p[2])
    return _field(profile + shine + lines + patina + specks + noise(rng, size, 0.8, 3))


def woven(rng: np.random.Generator, design: Design, size: int) -> Field:
    """Warp and weft."""
    y, x = _coordinates(size)
    pitch = 0.8 + 1.2 * design["p"][0]
    cloth = 18 * (np.sin(x * pitch + rng.uniform(0, 0.3)) + np.sin(y * pitch))
    return _field(cloth + noise(rng, size, 0.6, 6))


def grained(rng: np.random.Generator, design: Design, size: int) -> Field:
    """Year rings; the board is the same, the fine grain is not."""
    _, x = _coordinates(size)
    p = design["p"]
    return _field(
        16 * np.sin(x * (0.1 + 0.2 * p[0]) + _bend(design["seed"], size) * 0.2) + noise(rng, size, 0.8, 4)
    )


@lru_cache(maxsize=2)
def _bend(seed: int, size: int) -> Field:
    """How the rings of one board are bent."""
    bend: Field = shared(noise(np.random.default_rng(seed), size, 12, 10))
    return bend


def pebbled(rng: np.random.Generator, design: Design, size: int) -> Field:
    """The pebbles of leather."""
    return noise(rng, size, 1.5 + design["p"][0], 14)


def tiled(rng: np.random.Generator, design: Design, size: int) -> Field:
    """Joints in a grid on a quiet glaze."""
    y, x = _coordinates(size)
    p = design["p"]
    pitch = 28 + 30 * p[0]
    joints = ((x + pitch * p[1]) % pitch < 2) | ((y + pitch * p[2]) % pitch < 2)
    return _field(np.where(joints, -60, 0) + noise(rng, size, 2, 5))


def glassy(rng: np.random.Generator, design: Design, size: int) -> Field:
    """Almost nothing: a slow reflection."""
    y, x = _coordinates(size)
    p = design["p"]
    shine = 22 * np.exp(-(((x - 168 * p[0]) * np.cos(6 * p[1]) + (y - 168 * p[2]) * np.sin(6 * p[1])) ** 2) / 900)
    return _field(shine + noise(rng, size, 6, 2))


TEXTURES: dict[str, Texture] = {
    "brushed": worn(brushed), "granular": worn(granular), "molded": worn(molded), "threaded": worn(threaded),
    "woven": woven,
    "grained": grained, "pebbled": pebbled, "tiled": tiled, "glassy": glassy,
}  # fmt: skip


_COLOURED = ("woven", "grained", "pebbled", "tiled", "glassy")
SURFACES: dict[str, tuple[MakeDesign, Render]] = {
    name: (colour_design if name in _COLOURED else grey_design, surface(texture))
    for name, texture in TEXTURES.items()
}
