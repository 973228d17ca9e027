"""Pools of pairs whose image tokens are computed once and asked about several times, with fresh text each time.

Images are dear and text is cheap while the tower is frozen. A pool stands on shelves: the pairs of one shelf share
a size and a third image, so that they can share a batch.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from reason_iad_nano.facts import Facts
from reason_iad_nano.packing import PackedBatch
from reason_iad_nano.pairs import Extra, PairBatch, grid_of, pair_batch
from reason_iad_nano.texts import TextSetup, reading_batch, text_batches
from reason_iad_nano.world.types import Size

if TYPE_CHECKING:
    from reason_iad_nano.training.prefetch import Workers
    from reason_iad_nano.training.settings import TrainSettings

EXTRAS: tuple[Extra | None, ...] = (None, None, "overlay", None, None, None, "reference", None, None)
"""The third image of training pairs, in turn."""

GROUP = 4
"""Batches whose text is made together, so that sequences of like length share a batch."""

FIRST_PAIR = 20_000_000
"""Number of the first pair of the first pool."""


@dataclass(slots=True)
class Shelf:
    """Pairs of one pool that can share a batch.

    Attributes:
        size: of the pictures.
        extra: their third image.
        parts: image tokens, (B, 2n or 3n, d) in half precision, run by run.
        facts: of each pair.
    """

    size: Size
    extra: Extra | None
    parts: list[Tensor] = field(default_factory=list)
    facts: list[Facts] = field(default_factory=list)

    def tokens(self) -> Tensor:
        """All parts as one."""
        self.parts = [torch.cat(self.parts)]  # not twice in memory
        return self.parts[0]


def fill_pool(
    settings: TrainSettings, workers: Workers, number: int, encode: Callable[[PairBatch], Tensor]
) -> list[Shelf]:
    """Pool `number`: runs of `GROUP` batches in every size and with every third image, in turn."""
    run = settings.batch * GROUP
    first = FIRST_PAIR + number * settings.pool
    kinds = [
        (settings.sizes[index % len(settings.sizes)], EXTRAS[index % len(EXTRAS)])
        for index in range(settings.pool // run)
    ]
    arguments = [(first + index * run, run, "train", size, extra) for index, (size, extra) in enumerate(kinds)]
    shelves: dict[tuple[Size, Extra | None], Shelf] = {}
    for kind, batch in zip(kinds, workers.map(pair_batch, arguments), strict=True):
        shelf = shelves.setdefault(kind, Shelf(*kind))
        shelf.parts.append(encode(batch))
        shelf.facts += batch.facts
    return list(shelves.values())


def order_groups(counts: list[int], settings: TrainSettings, number: int) -> list[tuple[int, list[int]]]:
    """In which order a pool is asked about: (shelf, its rows) per group, every pair once per epoch.

    Args:
        counts: pairs on each shelf, multiples of a group.
        settings: how large a group is and how many epochs there are.
        number: of the pool; the same number gives the same order.
    """
    group = settings.batch * GROUP
    order: list[tuple[int, list[int]]] = []
    for epoch in range(settings.reuse):
        rng = random.Random(f"order/{number}/{epoch}")
        groups = []
        for shelf, count in enumerate(counts):
            rows = rng.sample(range(count), count)
            groups += [(shelf, rows[start : start + group]) for start in range(0, count, group)]
        order += rng.sample(groups, len(groups))
    return order


def group_batches(
    facts: list[Facts], rows: list[int], seed: int, setup: TextSetup, size: int, extra: Extra | None, reading: int
) -> list[tuple[bool, PackedBatch]]:
    """The batches of a group, and whether each has images; `reading` batches without are spread among them."""
    seen = [(True, packed) for packed in text_batches(facts, rows, seed, setup, size, extra)]
    read = [
        (False, reading_batch([facts[(first * size + k) % len(facts)] for k in range(size)], number, setup))
        for first, number in enumerate(range(seed * reading, (seed + 1) * reading))
    ]
    mixed: list[tuple[bool, PackedBatch]] = []
    for index, batch in enumerate(seen):
        mixed.append(batch)
        mixed += read[index * reading // len(seen) : (index + 1) * reading // len(seen)]
    return mixed


def pooled_batches(
    settings: TrainSettings,
    workers: Workers,
    first_step: int,
    setup: TextSetup,
    encode: Callable[[PairBatch], Tensor],
) -> Iterator[tuple[Tensor | None, PackedBatch]]:
    """Image tokens of a shelf with packed text about some of its pairs, or None with text alone, endlessly.

    Args:
        settings: of the run.
        workers: make pairs and text.
        first_step: batches that a run before this one has seen.
        setup: how text is made.
        encode: image tokens of a run of pairs, (B, 2n or 3n, d).
    """
    per_pool = settings.pool * settings.reuse // (settings.batch * GROUP)
    begun, skip = divmod(first_step, GROUP + settings.reading)
    number, done = divmod(begun, per_pool)
    while True:
        shelves = fill_pool(settings, workers, number, encode)
        tokens = [shelf.tokens() for shelf in shelves]
        order = order_groups([len(shelf.facts) for shelf in shelves], settings, number)[done:]

        def arguments(
            number: int = number,
            done: int = done,
            order: list[tuple[int, list[int]]] = order,
            shelves: list[Shelf] = shelves,
        ) -> Iterator[tuple[Any, ...]]:
            for index, (place, rows) in enumerate(order, number * per_pool + done):
                shelf = shelves[place]
                facts = [shelf.facts[row] for row in rows]
                here = replace(setup, grid=grid_of(shelf.size))
                yield facts, rows, index, here, settings.batch, shelf.extra, settings.reading

        for (place, _), batches in zip(order, workers.map(group_batches, arguments()), strict=True):
            for about_images, packed in batches[skip:]:
                yield tokens[place] if about_images else None, packed
            skip = 0
        number, done = number + 1, 0
