"""Which of many patches to keep, so that every patch is near one that is kept (the k-centre problem).

`greedy_coreset` is the plain algorithm of the paper, over all patches at once: the reference. `Net` sees them image
by image and never holds more than its budget and one image: it keeps patches that are more than a radius apart, and
lets the radius grow whenever they become too many.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from reason_iad.expert.memory.search import CHUNK, Points, rounded, squared

ROOM = 0.1
"""Share of the budget that is freed when it is used up: the more, the seldomer, and the less of it is used."""
BLOCK = 1024
"""Entries thinned at a time."""


def greedy_coreset(features: torch.Tensor, budget: int, seed: int = 0) -> torch.Tensor:
    """Farthest-point selection: each patch that is taken is the one farthest from all taken before it.

    No other choice of as many patches covers the patches more than twice as well (Gonzalez 1985). It takes budget x
    n distances and holds all features.

    Args:
        features: (n, c) float32, n at least 1.
        budget: so many are taken, or as many as differ.
        seed: chooses the first.

    Returns:
        (k,) int64 numbers of the patches, in the order in which they were taken; any beginning of it is a coreset
        too.
    """
    first = int(np.random.default_rng(seed).integers(len(features)))
    return _farthest(features, budget, first)


def farthest_from_mean(features: torch.Tensor, budget: int) -> torch.Tensor:
    """The same, beginning with the patch that differs most from the mean: it depends on the features alone."""
    return _farthest(features, budget, int((features - features.mean(0)).square().sum(1).argmax()))


def _farthest(features: torch.Tensor, budget: int, first: int) -> torch.Tensor:
    lengths = features.square().sum(1)  # (n,)
    apart = torch.full((len(features),), torch.inf)
    taken = [first]
    while True:
        new = taken[-1]
        # |f|² - 2 f·new + |new|²: one matrix-vector product; the new one itself is exactly 0
        apart = torch.minimum(apart, torch.addmv(lengths + lengths[new], features, features[new], alpha=-2))
        apart[new] = 0.0
        farthest = int(apart.argmax())
        if len(taken) >= budget or float(apart[farthest]) <= 1e-6 * float(lengths[farthest]):
            return torch.tensor(taken)
        taken.append(farthest)


def projection(channels: int, dimensions: int | None, seed: int) -> torch.Tensor | None:
    """A random matrix (c, dimensions) that nearly keeps distances, for speed; None where there is nothing to gain.

    Johnson and Lindenstrauss; PatchCore thins by such distances too. It is drawn by NumPy, whose numbers do not
    change between versions.
    """
    if dimensions is None or dimensions >= channels:
        return None
    drawn = np.random.default_rng(seed).standard_normal((channels, dimensions)) / math.sqrt(dimensions)
    return torch.from_numpy(drawn.astype(np.float32))


class Net:
    """A coreset of a stream of patches. It changes; one thread at a time.

    Entries are more than `radius` apart. A patch that comes is taken if it is farther than that from every entry.
    If there are more entries than the budget, the radius grows and the entries are thinned; of two, the older one
    stays.

    Args:
        budget: entries at most.
        near: if given, only patches within this share of the image's side from one another stand for each other. It
            is doubled when the budget is too small for that.
        radius: to begin with.
    """

    def __init__(self, budget: int, near: float | None = None, radius: float = 0.0) -> None:
        self._budget = budget
        self.near, self.radius = near, radius
        self.thinned = False  # whether the radius had to grow
        self._rows: tuple[torch.Tensor, ...] = ()  # features, places, what is carried; with room to grow
        self._count = 0

    @property
    def entries(self) -> Points:
        """What is kept, the oldest first. It changes when something is added."""
        return Points(self._rows[0][: self._count], self._rows[1][: self._count])

    @property
    def carried(self) -> tuple[torch.Tensor, ...]:
        """Copies of what was carried by the entries."""
        return tuple(rows[: self._count].clone() for rows in self._rows[2:])

    def add(self, patches: Points, *carried: torch.Tensor) -> None:
        """Take what is not covered yet.

        Args:
            patches: of one image.
            carried: tensors with one row per patch, kept with those that are taken; always as many tensors.
        """
        chosen = self._uncovered(patches)
        self._append(tuple(rows[chosen] for rows in (*patches, *carried)))
        while self._count > self._budget:
            self._thin()

    def restore(self, entries: Points, *carried: torch.Tensor) -> None:
        """Go on from the entries of an earlier net."""
        self._count = 0
        self._append((*entries, *carried))

    def _uncovered(self, patches: Points) -> torch.Tensor:
        """Numbers of the patches to take, the farthest first, until the rest is within the radius of one."""
        limit = self.radius**2
        if self._count:
            apart = nearest_squared(patches, self.entries, self.near)
        else:  # the first image: begin with what differs most from its mean
            apart = (patches.features - patches.features.mean(0)).square().sum(1) + limit + 1.0
        far = (apart > limit).nonzero()[:, 0]
        some, apart = patches.at(far), apart[far]
        among = squared(some, some, self.near)  # (n, n)
        chosen: list[int] = []
        while len(far):
            farthest = int(apart.argmax())
            if float(apart[farthest]) <= limit:
                break
            chosen.append(farthest)
            apart = torch.minimum(apart, among[farthest])
            apart[farthest] = 0.0
        return far[torch.tensor(chosen, dtype=torch.int64)]

    def _append(self, rows: tuple[torch.Tensor, ...]) -> None:
        size = self._count + len(rows[0])
        if not self._rows or size > len(self._rows[0]):
            old = tuple(kept[: self._count] for kept in self._rows or rows)
            room = size + min(size, self._budget) // 2 + BLOCK
            self._rows = tuple(_longer(kept, room) for kept in old)
        for kept, new in zip(self._rows, rows, strict=True):
            kept[self._count : size] = new
        self._count = size

    def _thin(self) -> None:
        """Let the radius grow until about the stated share of entries is within it of an older one."""
        self.thinned = True
        entries = self.entries
        apart = _from_older(entries, self.near)
        surplus = self._count - max(1, int((1 - ROOM) * self._budget))
        radius = float(apart.kthvalue(surplus).values.sqrt())
        if math.isinf(radius) and self.near is not None:
            self.near *= 2  # too few entries are near one another's places
            return
        self.radius = max(self.radius, radius)
        kept = separated(entries, self.radius, self.near)
        if len(kept) == self._count:  # rounding: nothing was within it
            self.radius = max(1.01 * self.radius, 1e-3 * float(entries.features.norm(dim=1).max()))
        for rows in self._rows:
            rows[: len(kept)] = rows[kept]
        self._count = len(kept)


def separated(points: Points, radius: float, near: float | None = None) -> torch.Tensor:
    """Numbers of points that are more than a radius apart, taken in their order; each other is near one of them."""
    taken = torch.empty(0, dtype=torch.int64)
    for start in range(0, len(points.features), BLOCK):
        block = torch.arange(start, min(start + BLOCK, len(points.features)))
        if len(taken):
            block = block[nearest_squared(points.at(block), points.at(taken), near) > radius**2]
        some = points.at(block)
        far = (squared(some, some, near) > radius**2).numpy()  # (n, n)
        left = np.ones(len(block), dtype=bool)
        for number in range(len(block)):
            if left[number]:
                left[number + 1 :] &= far[number, number + 1 :]
        taken = torch.cat([taken, block[torch.from_numpy(left)]])
    return taken


def nearest_squared(queries: Points, entries: Points, near: float | None) -> torch.Tensor:
    """(n,) squared distance to the nearest entry that may stand for the query; infinite if there is none."""
    apart = torch.full((len(queries.features),), torch.inf)
    for start in range(0, len(entries.features), CHUNK):
        apart = torch.minimum(apart, squared(queries, entries.at(slice(start, start + CHUNK)), near).amin(1))
    return rounded(apart, queries)


def _from_older(entries: Points, near: float | None) -> torch.Tensor:
    """(n,) squared distance of each to the nearest that is older; infinite for the first."""
    apart = torch.full((len(entries.features),), torch.inf)
    for start in range(0, len(apart), BLOCK):
        some = slice(start, start + BLOCK)
        values = squared(entries.at(some), entries.at(slice(0, start + BLOCK)), near)  # (n, m)
        younger = torch.ones_like(values, dtype=torch.bool).triu(start)
        apart[some] = values.masked_fill_(younger, torch.inf).amin(1)
    return rounded(apart, entries)


def _longer(rows: torch.Tensor, count: int) -> torch.Tensor:
    """A copy with room for so many rows, which keep what they happen to hold."""
    longer = rows.new_empty((count, *rows.shape[1:]))
    longer[: len(rows)] = rows
    return longer
