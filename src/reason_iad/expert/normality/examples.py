"""Labelled defects of a product: how much a part resembles them, and which type of defect a place looks like.

A patch resembles a labelled defect if it lies nearer to patches of that defect than to any normal patch. The margin
is the logarithm of the ratio of both distances, so that copies of a faint defect stand out, too. It is measured
against what good images reach, each left out of the memory (METHOD section 5 [ours]), and raises the score of a
part: a corrected miss is found the next time. Nothing is trained.

The type of a place is that of the labelled defects whose mean features make the smallest angle with its own. How
many types have to be named, and from which similarity on any is, follows from the labelled defects, each left out,
and from what good images look like where they differ most.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from reason_iad.expert.normality.area import EVERYWHERE, Area
from reason_iad.expert.normality.expert import Assessment, Distances, Threshold, on_grid
from reason_iad.expert.normality.standing import Standing

if TYPE_CHECKING:
    from reason_iad.expert.normality.looks import Look
    from reason_iad.expert.normality.space import Space

ANGLES = ("direction", "whitened")
"""The ways that compare with single patches."""
HIGHEST = 3
"""Patches whose margins are averaged."""
SOFT = 0.02
"""Added to both distances, so that noise in the smallest ones does not count."""
MAPPED = 5
"""Labelled defects that the map of resemblance is made of: those that the part resembles most."""
AS_MUCH = 3.0
"""Deviations of resemblance that count on the map as much as the 0.99 quantile of normal patches."""
MOST_NAMED = 3
"""A statement with more types than this says nothing, and so does one with more than half of those there are."""


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled defect.

    Attributes:
        sha256: of its picture.
        name: of the file.
        type: what the defect is called.
        added: when it came into the product.
        box: x1, y1, x2, y2 of the place that is compared, in pixels of that picture; x2 and y2 are exclusive.
    """

    sha256: str
    name: str
    type: str
    added: datetime
    box: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Resemblance:
    """Which labelled defect a place looks like.

    Attributes:
        example: the nearest.
        similarity: the cosine with it, in [-1, 1].
        types: what can be stated of the type, the nearest first; empty if nothing can.
        unlike: whether the place is unlike any known type.
    """

    example: Example
    similarity: float
    types: tuple[str, ...]
    unlike: bool


@dataclass(frozen=True, eq=False)
class Patches:
    """Patches of labelled defects at one resolution.

    Attributes:
        features: (n, c) float32, as an encoder gives them.
        owners: (n,) int64, the number of the labelled defect of each.
    """

    features: torch.Tensor
    owners: torch.Tensor


@dataclass(frozen=True, eq=False)
class KnownDefects:
    """What is known of labelled defects. It does not change; threads may share it.

    Attributes:
        examples: at least one.
        spaces: the coordinates at each resolution.
        patches: at each resolution.
        vectors: (examples, sum of channels), of unit length, the place of each (`example_places.summary`).
        usual: of the margin of each, on left-out good images.
        joined: of the largest of them.
        left_out: the raised scores of left-out good images; what limits are set by.
        apart: a type whose similarity is lower by no more than this is named beside the nearest.
        unlike: with less similarity a place is unlike any known type.
    """

    examples: tuple[Example, ...]
    spaces: tuple[Space, ...]
    patches: tuple[Patches, ...]
    vectors: torch.Tensor
    usual: tuple[Standing, ...]
    joined: Standing
    left_out: tuple[float, ...]
    apart: float
    unlike: float

    @property
    def types(self) -> tuple[str, ...]:
        """Names of the types, sorted."""
        return tuple(sorted({each.type for each in self.examples}))

    def raised(
        self,
        seen: Assessment,
        look: Look,
        threshold: Threshold,
        area: Area = EVERYWHERE,
        without: str | None = None,
    ) -> Assessment:
        """The assessment of a part, raised by its resemblance to labelled defects.

        Args:
            seen: what the comparison with good images says.
            look: what was seen of the picture.
            threshold: of the map.
            area: what counts of the picture.
            without: hash of a picture that does not count as a labelled defect.
        """
        found = margins(self.spaces, self._directions, self.patches, look, seen.distances)
        tops = highest(found, area)
        deviations = torch.tensor(
            [usual.of_number(float(top)) for usual, top in zip(self.usual, tops, strict=True)]
        )
        for number, example in enumerate(self.examples):
            if example.sha256 == without:
                deviations[number] = -torch.inf
        if not bool(deviations.isfinite().any()):
            return seen
        resemblance = max(0.0, self.joined.of_number(float(deviations.max())))
        most = deviations.topk(min(MAPPED, int(deviations.isfinite().sum()))).indices.tolist()
        shape = (seen.excess.shape[0], seen.excess.shape[1])
        above = torch.stack([self._plane(found, number, shape) for number in most]).amax(0).clamp_min(0)
        excess = seen.excess + above.masked_fill(~area.cells(*shape), 0.0) * abs(threshold.low) / AS_MUCH
        values = ((excess - threshold.low) / (threshold.high - threshold.low)).clamp(0, 1)
        score = seen.score + resemblance
        return replace(seen, score=score, resemblance=resemblance, excess=excess, values=values)

    def nearest(
        self, vector: torch.Tensor, without: str | None = None, among: Collection[str] | None = None
    ) -> Resemblance | None:
        """Which labelled defect a place looks like.

        Args:
            vector: (sum of channels,) of the place (`example_places.summary`).
            without: hash of a picture that does not count.
            among: hashes of those that are known to have changed the part in the same way: their types are the
                only ones, and with none the place is unlike any known type. None: nobody can tell.

        Returns:
            None if no other picture is left.
        """
        found = {
            each: float(cosine)
            for each, cosine in zip(self.examples, self.vectors @ vector, strict=True)
            if each.sha256 != without
        }
        if not found:
            return None
        same = {} if among is None else {each: value for each, value in found.items() if each.sha256 in among}
        found = same or found
        best = max(found, key=lambda each: found[each])
        of_type = {name: max(found[e] for e in found if e.type == name) for name in {e.type for e in found}}
        ranked = sorted(of_type, key=lambda name: (-of_type[name], name))
        named = tuple(name for name in ranked if of_type[name] >= found[best] - self.apart)
        unlike = found[best] < self.unlike if among is None else not same
        stated = not unlike and len(named) <= min(MOST_NAMED, max(1, len(self.types) // 2))
        return Resemblance(best, found[best], named if stated else (), unlike)

    @cached_property
    def _directions(self) -> tuple[dict[str, torch.Tensor], ...]:
        return directions(self.spaces, self.patches)

    def _plane(self, found: Sequence[torch.Tensor], number: int, shape: tuple[int, int]) -> torch.Tensor:
        """(rows, columns) by how many deviations each patch resembles a labelled defect."""
        planes = [on_grid(each[..., number], shape) for each in found]
        mean = torch.stack(planes).mean(0)
        usual = self.usual[number]
        deviations = (mean - usual.middle) / usual.spread
        return (deviations - self.joined.middle) / self.joined.spread


def directions(spaces: Sequence[Space], patches: Sequence[Patches]) -> tuple[dict[str, torch.Tensor], ...]:
    """Unit vectors of the patches of labelled defects, by resolution and way."""
    return tuple(dict(space.directions(each.features)) for space, each in zip(spaces, patches, strict=True))


def margins(
    spaces: Sequence[Space],
    known: Sequence[dict[str, torch.Tensor]],
    patches: Sequence[Patches],
    look: Look,
    distances: Sequence[Distances],
) -> list[torch.Tensor]:
    """By how much each patch of a picture lies nearer to each labelled defect than to normal patches.

    Returns:
        For each resolution and way (rows, columns, examples): ln of the normal distance over that from the defect.
    """
    found = []
    for space, entries, kept, seen, normal in zip(spaces, known, patches, look.patches, distances, strict=True):
        count = int(kept.owners.max()) + 1
        if not set(ANGLES) <= set(normal):  # details are compared in another way
            continue
        own = space.directions(seen.features.float())
        for way in ANGLES:
            cosines = own[way] @ entries[way].T
            best = cosines.new_full((len(cosines), count), -1.0)
            best.scatter_reduce_(1, kept.owners.expand(len(cosines), -1), cosines, "amax")
            shape = normal[way].shape
            apart = (1 - best).clamp_min(0).view(*shape, count)
            found.append(((normal[way][..., None] + SOFT) / (apart + SOFT)).log())
    return found


def highest(found: Sequence[torch.Tensor], area: Area = EVERYWHERE) -> torch.Tensor:
    """(examples,) the mean of the highest margins, over resolutions and ways."""
    tops = []
    for each in found:
        inside = each[area.cells(each.shape[0], each.shape[1])]
        tops.append(inside.topk(min(HIGHEST, len(inside)), dim=0).values.mean(0))
    return torch.stack(tops).mean(0)
