"""Families that are all surface: metal, grain, molding, threads, fabric, wood, leather, tile, glass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from reason_iad.nano.world.drawing import Field, colour, grid, noise, scale, tinted
from reason_iad.nano.world.types import Canvas, Design, MakeDesign, Render

Texture = Callable[[np.random.Generator, Design, int], Field]
"""(rng, design, size) to the deviation of the brightness from the base colour."""


def _coordinates(size: int) -> tuple[Field, Field]:
    """(y, x) in reference pixels."""
    y, x = grid(size)
    return y / np.float32(scale(size)), x / np.float32(scale(size))


def _field(values: npt.NDArray[np.floating[Any]]) -> Field:
    result: Field = values.astype(np.float32)
    return result


def grey_design(rng: np.random.Generator, size: int) -> Design:
    """A grey base and eight free parameters in [0, 1]."""
    return {"base": np.full(3, rng.uniform(80, 200)), "p": rng.random(8), "seed": int(rng.integers(1 << 31))}


def colour_design(rng: np.random.Generator, size: int) -> Design:
    """A coloured base and eight free parameters in [0, 1]."""
    return grey_design(rng, size) | {"base": colour(rng, 70, 190)}


def surface(texture: Texture) -> Render:
    """A render function for a family that fills the picture with one texture."""

    def render(rng: np.random.Generator, design: Design, size: int) -> Canvas:
        return Canvas(tinted(design["base"], texture(rng, design, size)), np.ones((size, size), bool))

    return render


def brushed(rng: np.random.Generator, design: Design, size: int) -> Field:
    """Fine parallel lines, different on every part."""
    p = design["p"]
    lines = rng.standard_normal((size, size), dtype=np.float32)
    lines = ndimage.gaussian_filter1d(lines, (8 + 10 * p[0]) * scale(size), axis=int(p[1] < 0.5), mode="wrap")
    return _field(lines / lines.std() * (4 + 8 * p[2]))


def granular(rng: np.random.Generator, design: Design, size: int) -> Field:
    """Grain without direction."""
    return noise(rng, size, 0.7 + design["p"][0], 8 + 14 * design["p"][1])


def molded(rng: np.random.Generator, design: Design, size: int) -> Field:
    """Fine grain on slow waves."""
    y, x = _coordinates(size)
    p = design["p"]
    waves = 12 * np.sin(y / (20 + 30 * p[0]) + 6 * p[1]) + 8 * (x / 168 - 0.5)
    return _field(noise(rng, size, 1.2, 4) + waves)


def threaded(rng: np.random.Generator, design: Design, size: int) -> Field:
    """The ridges of a thread, turned a little differently on every picture."""
    y, x = _coordinates(size)
    p = design["p"]
    phase = 6 * p[2] + rng.uniform(0, 0.4)
    ridges = 50 * np.sin(x * (0.15 + 0.2 * p[0]) + y * (0.3 * (p[1] - 0.5)) + phase)
    return _field(ridges + noise(rng, size, 0.8, 6))


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
    bend = noise(np.random.default_rng(design["seed"]), size, 12, 10)
    return _field(16 * np.sin(x * (0.1 + 0.2 * p[0]) + bend * 0.2) + noise(rng, size, 0.8, 4))


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
    "brushed": brushed, "granular": granular, "molded": molded, "threaded": threaded, "woven": woven,
    "grained": grained, "pebbled": pebbled, "tiled": tiled, "glassy": glassy,
}  # fmt: skip


_COLOURED = ("woven", "grained", "pebbled", "tiled", "glassy")
SURFACES: dict[str, tuple[MakeDesign, Render]] = {
    name: (colour_design if name in _COLOURED else grey_design, surface(texture))
    for name, texture in TEXTURES.items()
}
