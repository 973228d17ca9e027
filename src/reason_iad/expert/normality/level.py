"""A memory of good images at one resolution, and how far the patches of an image are from it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import torch

from reason_iad.expert.encoders.base import FeatureMap
from reason_iad.expert.memory.bank import Entries, MemoryBank, MemorySettings
from reason_iad.expert.memory.features import points
from reason_iad.expert.memory.search import CHUNK, QUERIES
from reason_iad.expert.normality.space import Space

BUDGET = 10_000
"""Patches that are compared with, at most."""
LEAST_KEPT, MOST_KEPT = 64, 1024
"""Patches that are kept of each image, at least and at most."""
DETAILS_KEPT = 512
"""The most of details: they only have to span the subspace in which good patches lie."""


def memory_settings(images: int, near: float | None = None, *, detailed: bool = False) -> MemorySettings:
    """What a memory keeps of so many images: the budget shared out, so that up to 156 images need no thinning."""
    kept = max(LEAST_KEPT, min(DETAILS_KEPT if detailed else MOST_KEPT, BUDGET // max(images, 1)))
    return MemorySettings(budget=BUDGET, kept=kept, near=near)


@dataclass(frozen=True, eq=False)
class Level:
    """One resolution. Threads may share it.

    Attributes:
        size: root of the number of pixels that pictures are scaled to; None: as the encoder takes them.
        bank: the memory.
        detailed: whether it looks at details. Of a large picture there are very many, so they are compared by the
            residual alone, which needs no search.
    """

    size: int | None
    bank: MemoryBank
    detailed: bool = False

    def distances(self, patches: FeatureMap) -> Mapping[str, torch.Tensor]:
        """How far each patch is from normal, in every way.

        Args:
            patches: of one image at this resolution (`memory.features.joined`).

        Returns:
            (rows * columns,) by way; 1 minus the cosine for angles, so in [0, 2]; a length for the residual. Of
            details the residual alone.

        Raises:
            ConfigError: the features are not finite.
        """
        queries = points(patches)
        if self.detailed:
            return {"residual": self.space.residual(queries.features)}
        found = {
            way: self._angles(directions, queries.places, self._directions[way])
            for way, directions in self.space.directions(queries.features).items()
        }
        return {**found, "residual": self.space.residual(queries.features)}

    def nearest(self, patches: FeatureMap, number: int) -> tuple[str, float, float]:
        """Which normal patch looks most like a patch of an image.

        Args:
            patches: of the image at this resolution.
            number: of the patch.

        Returns:
            The hash of the good image, and x and y of the patch in [0, 1].
        """
        direction = self.space.directions(points(patches).features[number : number + 1])["whitened"][0]
        best = int((self._directions["whitened"] @ direction).argmax())
        y, x = self._entries.places[best].tolist()
        return self.bank.members[int(self._entries.owners[best])].sha256, x, y

    def without(self, images: Collection[str]) -> Level:
        """The memory as if these images, by hash, had never been there; for measuring, not for saving."""
        if self.bank.thinned:
            return replace(self, bank=self.bank.without(*images))
        stays = torch.tensor([member.sha256 not in images for member in self.bank.members])
        features, places, owners = (rows[stays[self._entries.owners]] for rows in self._entries)
        entries = Entries(features, places, (stays.cumsum(0) - 1)[owners])
        members = tuple(member for member in self.bank.members if member.sha256 not in images)
        bank = replace(self.bank, entries=entries, members=members, moments=self.bank.moments[stays])
        return replace(self, bank=bank)

    @cached_property
    def space(self) -> Space:
        """Coordinates from the patches of the memory."""
        return Space.of(self._entries.features)

    @property
    def _entries(self) -> Entries:
        assert self.bank.entries is not None, "a level has good images"
        return self.bank.entries

    @cached_property
    def _directions(self) -> Mapping[str, torch.Tensor]:
        return self.space.directions(self._entries.features)

    def _angles(self, queries: torch.Tensor, places: torch.Tensor, entries: torch.Tensor) -> torch.Tensor:
        """(n,) 1 minus the largest cosine; only with entries from near the same place, if asked for."""
        best = torch.full((len(queries),), -1.0)
        for start, first in product(range(0, len(queries), QUERIES), range(0, len(entries), CHUNK)):
            own, some = slice(start, start + QUERIES), slice(first, first + CHUNK)
            cosines = queries[own] @ entries[some].T
            if self.bank.near is not None:
                apart = torch.cdist(places[own], self._entries.places[some], p=float("inf")) > self.bank.near + 1e-6
                cosines.masked_fill_(apart, -1.0)
            best[own] = torch.maximum(best[own], cosines.amax(1))
        return (1 - best).clamp_min(0)
