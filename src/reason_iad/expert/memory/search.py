"""Exact nearest neighbours by matrix products, a piece of the memory at a time."""

from __future__ import annotations

from typing import NamedTuple

import torch

CHUNK = 8192
"""Entries compared at a time."""
QUERIES = 512
"""Queries compared at a time: with so many entries 16 MB, however large the picture is."""
ROUNDING = 1e-6
"""Share of the squared length below which a squared distance is rounding, and counts as 0."""


class Nearest(NamedTuple):
    """What is nearest to each query.

    Attributes:
        distances: (n,) float32, at least 0.
        entries: (n,) int64, the number of that entry.
    """

    distances: torch.Tensor
    entries: torch.Tensor


class Points(NamedTuple):
    """Features with the places they come from.

    Attributes:
        features: (n, c) float32.
        places: (n, 2) float32, centres (y, x) as shares of the image's height and width.
    """

    features: torch.Tensor
    places: torch.Tensor

    def at(self, rows: torch.Tensor | slice) -> Points:
        """Some of them."""
        return Points(self.features[rows], self.places[rows])


def nearest(queries: Points, entries: Points, radius: float | None = None) -> Nearest:
    """The entry nearest to each query, by Euclidean distance.

    The squared distance is |q|² + |e|² - 2 q·e, which is one matrix product; the distance to the entry that was
    found is then computed by subtraction, so that no digits are lost where it is small.

    Args:
        queries: n of them.
        entries: m, at least one.
        radius: compare only with entries within so much of the same place, each way, as a share of the image's
            side.
            A query without any entry near its place is compared with all. None: compare with all.
    """
    centre = queries.features.mean(0)  # far from 0, the products would lose the digits in which distances differ
    pieces = [
        _nearest(queries.at(slice(start, start + QUERIES)), entries, radius, centre)
        for start in range(0, len(queries.features), QUERIES)
    ]
    return Nearest(*(torch.cat(parts) for parts in zip(*pieces, strict=True)))


def squared(queries: Points, entries: Points, radius: float | None = None) -> torch.Tensor:
    """(n, m) squared distances, but for rounding; infinite where the places are further apart than the radius."""
    found = torch.addmm(entries.features.square().sum(1), queries.features, entries.features.T, alpha=-2)
    found = found.add_(queries.features.square().sum(1)[:, None])
    return found if radius is None else found.masked_fill_(_apart(queries, entries, radius), torch.inf)


def rounded(apart: torch.Tensor, queries: Points) -> torch.Tensor:
    """(n,) squared distances of queries, with 0 for what is rounding."""
    return apart.masked_fill(apart < ROUNDING * queries.features.square().sum(1), 0.0)


def _nearest(queries: Points, entries: Points, radius: float | None, centre: torch.Tensor) -> Nearest:
    """The same for a few queries. A point in their middle is taken as 0."""
    best, found = _least(queries, entries, radius, centre)
    lonely = best.isinf()
    if radius is not None and bool(lonely.any()):
        _, found[lonely] = _least(queries.at(lonely), entries, None, centre)
    difference = queries.features - entries.features[found]  # (n, c)
    return Nearest(difference.square().sum(1).sqrt(), found)


def _least(
    queries: Points, entries: Points, radius: float | None, centre: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Least |e|² - 2 q·e, infinite where no entry is near, and the entry; one pass over each piece."""
    count = len(queries.features)
    wanted = queries.features - centre
    best, found = torch.full((count,), torch.inf), torch.zeros(count, dtype=torch.int64)
    for start in range(0, len(entries.features), CHUNK):
        some = entries.at(slice(start, start + CHUNK))
        features = some.features - centre
        values = torch.addmm(features.square().sum(1), wanted, features.T, alpha=-2)  # (n, m)
        if radius is not None:
            values.masked_fill_(_apart(queries, some, radius), torch.inf)
        least, where = values.min(1)
        closer = least < best
        best[closer], found[closer] = least[closer], where[closer] + start
    return best, found


def _apart(queries: Points, entries: Points, radius: float) -> torch.Tensor:
    """(n, m) whether the places are further apart than the radius, each way; a hair of it is rounding."""
    return torch.cdist(queries.places, entries.places, p=float("inf")) > radius + 1e-6
