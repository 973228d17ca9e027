"""A memory of good images at one resolution, and how far the patches of an image are from it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
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


def memory_settings(
    images: int, near: float | None = None, *, detailed: bool = False, exceptions: int = 0
) -> MemorySettings:
    """What a memory keeps of so many images: the budget shared out, so that up to 156 images need no thinning.

    Exceptions get room of their own, up to as much again, so that the other images keep theirs.
    """
    kept = max(LEAST_KEPT, min(DETAILS_KEPT if detailed else MOST_KEPT, BUDGET // max(images, 1)))
    return MemorySettings(budget=BUDGET + min(BUDGET, kept * exceptions), kept=kept, near=near)


@dataclass(frozen=True, eq=False)
class Level:
    """One resolution. Threads may share it.

    Attributes:
        size: root of the number of pixels that pictures are scaled to; None: as the encoder takes them.
        bank: the memory.
        detailed: whether it looks at details. Of a large picture there are very many, so they are compared by the
            residual alone, which needs no search.
        exceptions: hashes of images that are normal and say nothing about what is usual. Only what is unusual of
            them is compared with, so that parts which do not resemble them are judged as before.
        explained: by way, the distance from usual images up to which a patch of an exception is nothing unusual;
            empty: none of them is.
    """

    size: int | None
    bank: MemoryBank
    detailed: bool = False
    exceptions: frozenset[str] = frozenset()
    explained: Mapping[str, float] = field(default_factory=dict)

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
            return {"residual": self._residual(queries.features)}
        found = {
            way: self._angles(directions, queries.places, self._directions[way], self._compared[way])
            for way, directions in self.space.directions(queries.features).items()
        }
        return {**found, "residual": self._residual(queries.features)}

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
        exceptions = self.exceptions.difference(images)
        if self.bank.thinned:
            return replace(self, bank=self.bank.without(*images), exceptions=exceptions)
        stays = torch.tensor([member.sha256 not in images for member in self.bank.members])
        features, places, owners = (rows[stays[self._entries.owners]] for rows in self._entries)
        entries = Entries(features, places, (stays.cumsum(0) - 1)[owners])
        members = tuple(member for member in self.bank.members if member.sha256 not in images)
        bank = replace(self.bank, entries=entries, members=members, moments=self.bank.moments[stays])
        return replace(self, bank=bank, exceptions=exceptions)

    @cached_property
    def space(self) -> Space:
        """Coordinates from the patches of the memory, but those of exceptions."""
        return Space.of(self._entries.features[~self._exceptional])

    @property
    def _entries(self) -> Entries:
        assert self.bank.entries is not None, "a level has good images"
        return self.bank.entries

    @cached_property
    def _directions(self) -> Mapping[str, torch.Tensor]:
        return self.space.directions(self._entries.features)

    @cached_property
    def _exceptional(self) -> torch.Tensor:
        """(n,) True for patches of exceptions; all False where nothing else is left."""
        of_images = torch.tensor([member.sha256 in self.exceptions for member in self.bank.members])
        found = of_images[self._entries.owners]
        return torch.zeros_like(found) if bool(found.all()) else found

    @cached_property
    def _compared(self) -> Mapping[str, torch.Tensor | None]:
        """(n,) by way, True for patches that are compared with; None: all are."""
        if not bool(self._exceptional.any()) or not self.explained:
            return dict.fromkeys(self._directions)
        usual, places = ~self._exceptional, self._entries.places[self._exceptional]
        compared = {}
        for way, directions in self._directions.items():
            apart = self._angles(directions[self._exceptional], places, directions, usual)
            compared[way] = usual.masked_scatter(self._exceptional, apart > self.explained[way])
        return compared

    @cached_property
    def _unexplained(self) -> torch.Tensor:
        """(n, k) what lies outside the subspace, of those patches of exceptions that it does not explain."""
        own = self.space.outside(self._entries.features[self._exceptional])
        return own[own.norm(dim=1) > self.explained.get("residual", 0.0)]

    def _residual(self, patches: torch.Tensor) -> torch.Tensor:
        """(n,) distance from the subspace, or from the nearest patch of an exception beside it."""
        if not self.exceptions or not len(self._unexplained):
            return self.space.residual(patches)
        found = []
        for start in range(0, len(patches), QUERIES):
            outside = self.space.outside(patches[start : start + QUERIES])
            apart = torch.cdist(outside, self._unexplained).amin(1)
            found.append(torch.minimum(outside.norm(dim=1), apart))
        return torch.cat(found)

    def _angles(
        self, queries: torch.Tensor, places: torch.Tensor, entries: torch.Tensor, compared: torch.Tensor | None
    ) -> torch.Tensor:
        """(n,) 1 minus the largest cosine; only with entries from near the same place, if asked for."""
        best = torch.full((len(queries),), -1.0)
        for start, first in product(range(0, len(queries), QUERIES), range(0, len(entries), CHUNK)):
            own, some = slice(start, start + QUERIES), slice(first, first + CHUNK)
            cosines = queries[own] @ entries[some].T
            if compared is not None:
                cosines.masked_fill_(~compared[some], -1.0)
            if self.bank.near is not None:
                apart = torch.cdist(places[own], self._entries.places[some], p=float("inf")) > self.bank.near + 1e-6
                cosines.masked_fill_(apart, -1.0)
            best[own] = torch.maximum(best[own], cosines.amax(1))
        return (1 - best).clamp_min(0)
