"""One sample by its seed: a design, a part of it with or without defects, and pictures."""

from __future__ import annotations

from typing import Literal

import numpy as np

from reason_iad.errors import ConfigError
from reason_iad.nano.world.camera import STILL, draw_pose, photograph
from reason_iad.nano.world.families import FAMILIES
from reason_iad.nano.world.kinds import KINDS
from reason_iad.nano.world.types import Canvas, Defect, Design, Family, Mask, Pixels, Sample
from reason_iad.schema import PLACES

Split = Literal["train", "held_out", "all"]
WORLD = 1
"""Part of every seed: raise it when the same seed no longer draws the same sample."""
SEVERAL = 0.08
"""Share of defective parts with two or three defects."""
ATTEMPTS = 100
"""Designs that are tried until one has room for a kind that was asked for."""
ALIGNED = 0.65
"""Share of samples whose references lie where the query lies."""
MAJOR, CRITICAL = 0.003, 0.015
"""Shares of the image from which a defect is major, and critical."""


def make_sample(
    seed: int,
    *,
    size: int = 168,
    split: Split = "train",
    references: int = 1,
    defect_probability: float = 0.5,
    family: str | None = None,
    kind: str | None = None,
) -> Sample:
    """Draw a sample: a pure function of its arguments, in any process.

    Args:
        seed: number of the sample.
        size: pixels each way, at least 56.
        split: 'train' draws only families and kinds that may be trained on, 'held_out' only families that may
            not, with every kind they have.
        references: good pictures of the same design.
        defect_probability: share of defective parts; 1.0 if a kind is asked for.
        family: only this one, whatever the split.
        kind: only this kind of defect.

    Raises:
        ConfigError: family or kind are unknown or do not go together, or the size is too small.
    """
    if size < 56:
        raise ConfigError(f"A sample of {size} pixels is too small to show anything; ask for at least 56.")
    rng = np.random.default_rng([seed, WORLD])
    chosen = _family(rng, split, family)
    kinds = _kinds(chosen, split, kind)
    design, canvas, found = _draw(rng, chosen, kinds, size, defect_probability, sure=kind is not None)
    grey = bool(rng.random() < chosen.grey)
    aligned = bool(rng.random() < ALIGNED)
    query = photograph(rng, canvas.image, STILL, grey)
    pictures = tuple(_reference(rng, chosen, design, size, aligned, grey) for _ in range(references))
    mask = np.zeros((size, size), bool)
    for _, pixels in found:
        mask |= pixels
    defects = tuple(_describe(name, pixels) for name, pixels in found)
    return Sample(query, pictures, mask, chosen.name, chosen.object_name, defects, aligned, seed)


def _draw(
    rng: np.random.Generator, family: Family, kinds: list[str], size: int, probability: float, sure: bool
) -> tuple[Design, Canvas, list[tuple[str, Mask]]]:
    """A design and a part of it with its defects; if one is `sure` to be wanted, a design that has room for it."""
    for _ in range(ATTEMPTS):
        design = family.design(rng, size)
        canvas = family.render(rng, design, size)
        found: list[tuple[str, Mask]] = []
        if kinds and (sure or rng.random() < probability):
            for _ in range(1 if sure or rng.random() >= SEVERAL else int(rng.integers(2, 4))):
                found += _add_defect(rng, canvas, design, family, kinds)
        if found or not sure:
            return design, canvas, found
    raise ConfigError(f"No '{family.name}' of {size} pixels had room for '{kinds[0]}'; ask for a larger size.")


def _family(rng: np.random.Generator, split: Split, name: str | None) -> Family:
    if name is not None:
        if name not in FAMILIES:
            raise ConfigError(f"Unknown family '{name}'; choose one of: {', '.join(FAMILIES)}.")
        return FAMILIES[name]
    allowed = [one for one in FAMILIES.values() if split == "all" or one.held_out == (split == "held_out")]
    return allowed[int(rng.integers(len(allowed)))]


def _kinds(family: Family, split: Split, kind: str | None) -> list[str]:
    if kind is None:
        return [name for name in family.defects if split != "train" or not KINDS[name].held_out]
    if kind not in family.defects:
        raise ConfigError(f"The family '{family.name}' has no '{kind}'; it has: {', '.join(family.defects)}.")
    return [kind]


def _add_defect(
    rng: np.random.Generator, canvas: Canvas, design: Design, family: Family, kinds: list[str]
) -> list[tuple[str, Mask]]:
    """Draw one defect; another attempt where the part had no room for it."""
    for _ in range(8):
        name = kinds[int(rng.integers(len(kinds)))]
        pixels = family.defects[name](rng, canvas, design)
        if pixels is not None and pixels.any():
            return [(name, pixels)]
    return []


def _reference(
    rng: np.random.Generator, family: Family, design: Design, size: int, aligned: bool, grey: bool
) -> Pixels:
    canvas = family.render(rng, design, size)
    return photograph(rng, canvas.image, draw_pose(rng, size, aligned), grey)


def _describe(kind: str, pixels: Mask) -> Defect:
    size = pixels.shape[0]
    rows, columns = np.nonzero(pixels)
    area = float(pixels.mean())
    place = PLACES[int(rows.mean() * 3 / size) * 3 + int(columns.mean() * 3 / size)]
    box = (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
    severity = "minor" if area < MAJOR else "major" if area < CRITICAL else "critical"
    return Defect(kind, area, severity, box, place)
