"""A memory of good images: which patches are normal, within a stated budget (METHOD section 4).

How it is chosen, and why:

- Of each image at most `kept` patches go to the shelf: a greedy coreset of that image alone, so it depends on no
  other. Everything below can be done again from the shelf, without the images.
- Where the budget holds all kept patches, they are the memory.
- To choose anew, the kept patches of one image after another go through a net (`coreset.Net`), in the order of the
  images' hashes, and through another one that begins with the radius that was found, until a radius did not have to
  grow. Each kept patch then has an entry within that radius. The choice depends on the set of images and on nothing
  else: not on the order in which they came, nor on those that were there once.
- Up to `ANEW` images, every change chooses anew, and so does every removal: the memory *is* the one that would be
  built from these images, so no sequence of changes can make it worse.
- Above that, some of the budget is left free. Images that are added go on with the net, and only they are looked
  at: a patch that is farther than the radius from every entry becomes one. When the budget is used up, or there are
  twice as many images as when it was last chosen anew, the memory is chosen anew. So the radius is never larger
  than that of a memory that is built from these images, but for what their order does to it.

The scale in which distances are taken is measured when a memory is chosen anew. Searching standardises by the
channel statistics of all current images; these are exact after every change.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import torch

from reason_iad.errors import ConfigError, MemoryBankError
from reason_iad.expert.encoders.base import FeatureMap
from reason_iad.expert.memory.coreset import Net, farthest_from_mean, projection
from reason_iad.expert.memory.features import points
from reason_iad.expert.memory.objects import is_digest
from reason_iad.expert.memory.scale import Scale
from reason_iad.expert.memory.search import Nearest, Points, nearest
from reason_iad.expert.memory.shelf import Kept, RamShelf, Shelf

ANEW = 256
"""Up to so many images the memory is chosen anew with every change: it takes seconds."""
FREE = 0.1
"""Share of the budget that is left free above that, for images that are added."""
PASSES = 8
"""So often the images are gone through, at most, to find the radius."""


@dataclass(frozen=True, slots=True)
class MemorySettings:
    """What decides the choice, beside the images.

    Attributes:
        budget: entries at most.
        kept: patches of each image that are kept on the shelf, at most.
        near: compare only with entries within this share of the image's side from the same place; None: with all.
        dimensions: thin by a random projection to so many, for speed; None: by all channels. Searching uses all.
        seed: of that projection.
    """

    budget: int = 10_000
    kept: int = 256
    near: float | None = None
    dimensions: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("budget", "kept", "dimensions"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"A memory's {name} is {value}; it has to be at least 1.")
        if self.near is not None and not 0 < self.near <= 1:
            raise ConfigError(f"A memory's near is {self.near}; it has to be above 0 and at most 1.")


@dataclass(frozen=True, slots=True)
class Member:
    """An image of the memory.

    Attributes:
        sha256: of the image's content.
        key: of what is kept of it, on the shelf.
        kept: how many patches that is.
        patches: how many it had.
    """

    sha256: str
    key: str
    kept: int
    patches: int


class Entries(NamedTuple):
    """The patches that are compared with.

    Attributes:
        features: (n, c) float32, not standardised.
        places: (n, 2) float32.
        owners: (n,) int64, the number of the image that each comes from.
    """

    features: torch.Tensor
    places: torch.Tensor
    owners: torch.Tensor


class Coverage(NamedTuple):
    """How far patches are from the memory: the largest distance, and the mean."""

    largest: float
    mean: float


@dataclass(frozen=True, eq=False)
class MemoryBank:
    """A memory. It does not change; threads may share it.

    Attributes:
        encoder: its name.
        encoder_sha256: of what decides its features.
        settings: what the memory was built with.
        shelf: holds what is kept of the images.
        members: the images, in the order in which they were added.
        moments: (n, 2, c) float32, mean and deviation of each channel on each image.
        entries: the patches that are compared with; None without images.
        scale: in which they were chosen.
        radius: within which each kept patch has an entry, in that scale.
        near: as in the settings, or wider where the budget asked for it.
        chosen_of: the number of images when the entries were last chosen anew.
    """

    encoder: str
    encoder_sha256: str
    settings: MemorySettings
    shelf: Shelf
    members: tuple[Member, ...] = ()
    moments: torch.Tensor = field(default_factory=lambda: torch.empty(0, 2, 0))
    entries: Entries | None = None
    scale: Scale | None = None
    radius: float = 0.0
    near: float | None = None
    chosen_of: int = 0

    @classmethod
    def empty(
        cls, encoder: str, encoder_sha256: str, settings: MemorySettings | None = None, shelf: Shelf | None = None
    ) -> MemoryBank:
        """A memory without images.

        Args:
            encoder: name of the encoder whose features will be added.
            encoder_sha256: its hash.
            settings: budget and others.
            shelf: keeps patches of each image; without one they stay in memory.
        """
        chosen = settings or MemorySettings()
        return cls(encoder, encoder_sha256, chosen, RamShelf() if shelf is None else shelf, near=chosen.near)

    def with_images(self, images: Iterable[tuple[str, FeatureMap | Points]]) -> MemoryBank:
        """A memory that has these images too.

        Args:
            images: SHA-256 of an image's content, and its features (`features.joined`); with their places, where
                these form no grid. They are taken one by one and none is held. An image that is in the memory
                already is left out.

        Raises:
            ConfigError: features are not finite, or have another number of channels than those before.
        """
        members, moments = list(self.members), list(self.moments)
        known = {member.sha256 for member in members}
        for sha256, patches in images:
            if not is_digest(sha256):
                raise ConfigError(f"'{sha256[:80]}' is no SHA-256; give 64 lower-case hexadecimal digits.")
            if sha256 not in known:
                known.add(sha256)
                placed = patches if isinstance(patches, Points) else points(patches)
                member, statistics = _put(self.shelf, sha256, placed, self.settings.kept)
                members.append(member)
                moments.append(statistics)
                _require_channels(statistics, moments[0].shape[1])
        if len(members) == len(self.members):
            return self
        larger = replace(self, members=tuple(members), moments=torch.stack(moments))
        if len(members) <= ANEW or len(members) >= 2 * self.chosen_of:
            return _chosen_anew(larger)
        return _gone_on(larger, len(self.members)) or _chosen_anew(larger)

    def without(self, *sha256: str) -> MemoryBank:
        """A memory as if these images had never been added. It is chosen anew from the shelf.

        Raises:
            ConfigError: an image is not in the memory.
            MemoryBankError: what was kept of the others cannot be read.
        """
        missing = set(sha256) - {member.sha256 for member in self.members}
        if missing:
            raise ConfigError(f"The image {min(missing)[:80]} is not in the memory; list those that are.")
        left = [number for number, member in enumerate(self.members) if member.sha256 not in sha256]
        members = tuple(self.members[number] for number in left)
        return _chosen_anew(replace(self, members=members, moments=self.moments[left]))

    def nearest(self, patches: FeatureMap) -> Nearest:
        """The nearest entry of each patch, by Euclidean distance of standardised features.

        Args:
            patches: of one image, prepared as those of the memory.

        Raises:
            ConfigError: the memory is empty, or the features have another number of channels.
        """
        if self.entries is None:
            raise ConfigError("The memory has no image to compare with; add good images first.")
        queries = points(patches)
        _require_channels(queries.features, self.entries.features.shape[1])
        return nearest(queries._replace(features=self.standard(queries.features)), self._standardised, self.near)

    def standard(self, features: torch.Tensor) -> torch.Tensor:
        """(n, c) features, standardised per channel on the images of the memory."""
        return self.statistics.apply(features)

    def coverage(self, images: Iterable[FeatureMap]) -> Coverage:
        """How well the memory covers images: how far their patches are from it."""
        largest, total, count = 0.0, 0.0, 0
        for patches in images:
            found = self.nearest(patches).distances
            largest, count = max(largest, float(found.max())), count + len(found)
            total += float(found.double().sum())
        return Coverage(largest, total / max(count, 1))

    @property
    def thinned(self) -> bool:
        """Whether patches stand for others: there are fewer entries than patches that are kept of the images."""
        count = 0 if self.entries is None else len(self.entries.owners)
        return count < sum(member.kept for member in self.members)

    @cached_property
    def statistics(self) -> Scale:
        """Mean and deviation of each channel on all patches of all images."""
        return Scale.of(self.moments, [member.patches for member in self.members])

    @cached_property
    def _standardised(self) -> Points:
        assert self.entries is not None, "checked by the caller"
        return Points(self.standard(self.entries.features), self.entries.places)


class _Space:
    """Where distances are taken to choose entries: a scale, and a projection."""

    def __init__(self, scale: Scale, settings: MemorySettings) -> None:
        self.scale = scale
        self._matrix = projection(len(scale.mean), settings.dimensions, settings.seed)

    def points(self, features: torch.Tensor, places: torch.Tensor) -> Points:
        """Rounded from float64, so that they are the same in any batch."""
        scaled = self.scale.apply(features)
        if self._matrix is not None:
            scaled = (scaled.double() @ self._matrix.double()).float()
        return Points(scaled, places)


def _put(shelf: Shelf, sha256: str, patches: Points, most: int) -> tuple[Member, torch.Tensor]:
    """Put an image on the shelf; also (2, c) mean and deviation of its channels."""
    moments = torch.stack([patches.features.mean(0), patches.features.std(0, correction=0)])
    kept = Kept(*patches.at(_distinct(patches.features, moments, most)))
    return Member(sha256, shelf.put(kept), len(kept.features), len(patches.features)), moments


def _chosen_anew(bank: MemoryBank) -> MemoryBank:
    """The bank with entries chosen from all its members."""
    if not bank.members:
        return MemoryBank.empty(bank.encoder, bank.encoder_sha256, bank.settings, bank.shelf)
    space = _Space(bank.statistics, bank.settings)
    order = sorted(range(len(bank.members)), key=lambda number: bank.members[number].sha256)
    budget = bank.settings.budget
    if len(order) > ANEW:
        budget = max(1, int((1 - FREE) * budget))
    if sum(member.kept for member in bank.members) <= budget:
        entries = _all_kept(bank, order)
        return replace(
            bank, entries=entries, scale=space.scale, radius=0.0, near=bank.settings.near, chosen_of=len(order)
        )
    radius, near = 0.0, bank.settings.near
    for _ in range(PASSES):
        net = Net(budget, near, radius)
        _cover(net, bank, order, space)
        radius, near = net.radius, net.near
        if not net.thinned:
            break
    return replace(_with_entries(bank, net), scale=space.scale, chosen_of=len(bank.members))


def _all_kept(bank: MemoryBank, order: Iterable[int]) -> Entries:
    """Every patch that is kept: the budget holds them all."""
    features, places, owners = [], [], []
    for number in order:
        member = bank.members[number]
        kept = bank.shelf.get(member.key, member.kept, bank.moments.shape[2])
        features.append(kept.features)
        places.append(kept.places)
        owners.append(torch.full((member.kept,), number))
    return Entries(torch.cat(features), torch.cat(places), torch.cat(owners))


def _gone_on(bank: MemoryBank, since: int) -> MemoryBank | None:
    """The bank with its entries and what the members from this number on add to them; None beyond the budget."""
    assert bank.entries is not None and bank.scale is not None, "it has been chosen before"
    space = _Space(bank.scale, bank.settings)
    net = Net(bank.settings.budget, bank.near, bank.radius)
    net.restore(space.points(*bank.entries[:2]), bank.entries.features, bank.entries.owners)
    for number in range(since, len(bank.members)):
        _cover(net, bank, [number], space)
        if net.thinned:
            return None
    return _with_entries(bank, net)


def _cover(net: Net, bank: MemoryBank, numbers: Iterable[int], space: _Space) -> None:
    """Add what is kept of these members to a net."""
    for number in numbers:
        member = bank.members[number]
        kept = bank.shelf.get(member.key, member.kept, bank.moments.shape[2])
        net.add(space.points(*kept), kept.features, torch.full((member.kept,), number))


def _with_entries(bank: MemoryBank, net: Net) -> MemoryBank:
    features, owners = net.carried
    entries = Entries(features, net.entries.places.clone(), owners)
    return replace(bank, entries=entries, radius=net.radius, near=net.near)


def _distinct(features: torch.Tensor, moments: torch.Tensor, most: int) -> torch.Tensor:
    """Numbers of the patches of an image to keep: all, or a greedy coreset in the image's own scale."""
    if len(features) <= most:
        return torch.arange(len(features))
    return farthest_from_mean(Scale.from_moments(*moments).apply(features), most)


def _require_channels(features: torch.Tensor, channels: int) -> None:
    if features.shape[1] != channels:
        raise ConfigError(
            f"The features have {features.shape[1]} channels and those of the memory {channels}; "
            "use the encoder that the memory was built with."
        )


def require_encoder(bank: MemoryBank, encoder_sha256: str) -> None:
    """Refuse a memory of another encoder.

    Raises:
        MemoryBankError: its features cannot be compared with those of this encoder.
    """
    if bank.encoder_sha256 != encoder_sha256:
        raise MemoryBankError(
            f"The memory was built with another encoder or another version of it ('{bank.encoder}'); build it anew."
        )
