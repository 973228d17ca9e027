"""Reference and query pairs from the world, by number: pair n of a purpose is always the same pair.

Runs in worker processes; imports no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from reason_iad.nano.facts import Facts, facts_of

if TYPE_CHECKING:
    from reason_iad.nano.world import Sample

Purpose = Literal["train", "validate", "new", "held_out"]
_FIRST_SEED: dict[Purpose, int] = {
    "train": 100_000_000,
    "validate": 1_000_000,
    "new": 2_000_000,
    "held_out": 3_000_000,
}


@dataclass(frozen=True, slots=True)
class PairBatch:
    """A run of pairs.

    Attributes:
        queries, references: (B, S, S, 3) uint8.
        facts: per pair.
    """

    queries: npt.NDArray[np.uint8]
    references: npt.NDArray[np.uint8]
    facts: tuple[Facts, ...]


@cache
def kind_index() -> dict[str, int]:
    """Number of each defect kind of the world, in its order."""
    from reason_iad.nano.world import KINDS

    return {name: number for number, name in enumerate(KINDS)}


@cache
def family_index() -> dict[str, int]:
    """Number of each family of the world, in its order."""
    from reason_iad.nano.world import FAMILIES

    return {name: number for number, name in enumerate(FAMILIES)}


def draw(number: int, purpose: Purpose, size: int) -> Sample:
    """Pair `number` of a purpose; purposes never share a seed."""
    from reason_iad.nano.world import make_sample

    split: Literal["held_out", "train"] = "held_out" if purpose == "held_out" else "train"
    return make_sample(_FIRST_SEED[purpose] + number, size=size, split=split)


def pair_batch(first: int, count: int, purpose: Purpose, size: int) -> PairBatch:
    """Pairs `first` to `first + count - 1`."""
    samples = [draw(first + offset, purpose, size) for offset in range(count)]
    return PairBatch(
        np.stack([sample.query for sample in samples]),
        np.stack([sample.references[0] for sample in samples]),
        tuple(facts_of(sample, kind_index()) for sample in samples),
    )
