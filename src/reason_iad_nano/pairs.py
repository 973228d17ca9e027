"""Reference and query pairs from the world, by number: pair n of a purpose is always the same pair.

Runs in worker processes; imports no torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from reason_iad_nano.architecture import CELL
from reason_iad_nano.facts import Facts, facts_of
from reason_iad_nano.world.types import Size, sides

if TYPE_CHECKING:
    from reason_iad_nano.world import Sample

Purpose = Literal["train", "validate", "new", "held_out"]
_FIRST_SEED: dict[Purpose, int] = {
    "train": 100_000_000,
    "validate": 1_000_000,
    "new": 2_000_000,
    "held_out": 3_000_000,
}


Extra = Literal["reference", "overlay"]
"""A third image: a second good reference, or the query with an anomaly map drawn on it."""


@dataclass(frozen=True, slots=True)
class PairBatch:
    """A run of pairs.

    Attributes:
        queries, references: (B, H, W, 3) uint8.
        facts: per pair.
        extras: (B, H, W, 3) uint8, the third images, if there are any.
        extra: what they are.
    """

    queries: npt.NDArray[np.uint8]
    references: npt.NDArray[np.uint8]
    facts: tuple[Facts, ...]
    extras: npt.NDArray[np.uint8] | None = None
    extra: Extra | None = None


@cache
def kind_index() -> dict[str, int]:
    """Number of each defect kind of the world, in its order."""
    from reason_iad_nano.world import KINDS

    return {name: number for number, name in enumerate(KINDS)}


@cache
def family_index() -> dict[str, int]:
    """Number of each family of the world, in its order."""
    from reason_iad_nano.world import FAMILIES

    return {name: number for number, name in enumerate(FAMILIES)}


ZOOMED_EVERY = 3
"""One training pair in so many is a crop, as a closer look shows it."""
ZOOMS = (1.5, 4.0, 2.0, 3.0)
"""How much of them is enlarged, in turn."""
SOFT_EVERY = 4
"""One crop in so many is enlarged from a picture that shows no more, as crops of small photographs are."""
SHARP = 2.0
"""Crops that show a part larger than this are enlarged by this much from a picture that shows no more."""
LEAST_SIDE = 56
"""Pixels that such a picture has each way."""

FAVOURED_EVERY = 4
FAVOURED = ("pcb", "pcb", "magnetic tile", "pcb", "spindle", "pcb", "molded surface")
"""One training pair in so many is of one of these families in turn: those that are hardest to learn."""


def draw(
    number: int,
    purpose: Purpose,
    size: Size,
    references: int = 1,
    zoom: float | None = None,
    family: str | None = None,
) -> Sample:
    """Pair `number` of a purpose; purposes never share a seed.

    Args:
        number: of the pair.
        purpose: what it is for.
        size: pixels each way, or (height, width).
        references: good pictures of the same design.
        zoom: how much a crop is enlarged; None draws crops among the training pairs and nowhere else.
        family: only this one; None: whichever its number gives.
    """
    if zoom is None and purpose == "train" and number % ZOOMED_EVERY == 0:
        turn = number // ZOOMED_EVERY
        zoom = ZOOMS[turn % len(ZOOMS)]
        soft = zoom if turn // len(ZOOMS) % SOFT_EVERY == 0 else SHARP if zoom > SHARP else 1.0
        if soft > 1:
            from reason_iad_nano.world.enlarging import enlarged

            high, wide = sides(size)
            factor = min(soft, min(high, wide) / LEAST_SIDE)
            small = round(high / factor), round(wide / factor)
            return enlarged(draw(number, purpose, small, references, zoom, family), (high, wide))

    from reason_iad_nano.world import make_sample

    split: Literal["held_out", "train"] = "held_out" if purpose == "held_out" else "train"
    if family is None and purpose == "train" and number % FAVOURED_EVERY == 0:
        family = FAVOURED[number // FAVOURED_EVERY % len(FAVOURED)]
    return make_sample(
        _FIRST_SEED[purpose] + number,
        size=size,
        split=split,
        references=references,
        family=family,
        zoom=zoom or 1.0,
    )


def pair_batch(first: int, count: int, purpose: Purpose, size: Size, extra: Extra | None = None) -> PairBatch:
    """Pairs `first` to `first + count - 1`, all of one size, with or without a third image."""
    references = 2 if extra == "reference" else 1
    samples = [draw(first + offset, purpose, size, references) for offset in range(count)]
    extras = None
    if extra == "reference":
        extras = np.stack([sample.references[1] for sample in samples])
    elif extra == "overlay":
        from reason_iad_nano.world.overlay import draw_overlay

        extras = np.stack([draw_overlay(sample) for sample in samples])
    return PairBatch(
        np.stack([sample.query for sample in samples]),
        np.stack([sample.references[0] for sample in samples]),
        tuple(facts_of(sample, kind_index()) for sample in samples),
        extras,
        extra,
    )


def grid_of(size: Size) -> tuple[int, int]:
    """Rows and columns of the image tokens of a picture."""
    high, wide = sides(size)
    return high // CELL, wide // CELL


def count_at(size: Size, usual: int, count: int) -> int:
    """Pairs per batch: `count` at the usual size or below, fewer where larger, so that steps cost alike."""
    area = math.prod(sides(size))
    return max(1, int(count * min(1.0, math.pow(usual**2 / area, 0.75)) + 0.5))
