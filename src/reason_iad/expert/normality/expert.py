"""The expert of one kind of part: learnt from good images, it says of another how abnormal it is, and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from reason_iad.expert.normality.area import EVERYWHERE, Area
from reason_iad.expert.normality.level import Level
from reason_iad.expert.normality.likeness import Likeness, LikenessModel
from reason_iad.expert.normality.looks import Eyes, Look, Whole
from reason_iad.expert.normality.standing import Standing
from reason_iad.expert.normality.statistics import DETAILS, statistics
from reason_iad.expert.normality.turning import UPRIGHT, Turning

if TYPE_CHECKING:
    from reason_iad.images import LoadedImage

Distances = Mapping[str, torch.Tensor]
"""(rows, columns) of one image at one resolution, by way."""
WHOLE = "whole picture"
"""Name of the number that compares pictures as wholes."""


USUAL_DETAILS = 2.0
"""Deviations by which the largest detail of a good part may differ without raising its score [ours]."""


@dataclass(frozen=True, slots=True)
class Usual:
    """What distances of normal patches are, at one resolution and in one way.

    Attributes:
        median: of the left-out good images.
        low: their 0.99 quantile, above the median.
    """

    median: float
    low: float


@dataclass(frozen=True, slots=True)
class Threshold:
    """Where the calibrated map begins and ends (METHOD section 4): theta_low, theta_high, and the coherence gate.

    Attributes:
        low, high: of the joined map.
        area: the 0.99 quantile, on left-out good images, of the share of the largest region above `low`.
        peak: the mean, on left-out good images, of the largest value of the joined map.
    """

    low: float
    high: float
    area: float
    peak: float


@dataclass(frozen=True, eq=False)
class Assessment:
    """What the expert says of a picture.

    Attributes:
        score: how far it stands out from good parts, in deviations of left-out good images: about 0 for good parts.
        numbers: what it was made from, each in deviations.
        values: (rows, columns) the calibrated map, in [0, 1].
        excess: (rows, columns) the joined map: 1 is the 0.99 quantile of normal patches, 0 their median.
        likeness: whether the picture shows this kind of part.
        whole: the picture as a whole.
        distances: of its patches from normal, per resolution and way.
        resemblance: by how many deviations labelled defects raised the score; 0 without any.
    """

    score: float
    numbers: Mapping[str, float]
    values: torch.Tensor
    excess: torch.Tensor
    likeness: Likeness
    whole: Whole
    distances: tuple[Distances, ...]
    resemblance: float = 0.0


@dataclass(frozen=True, eq=False)
class ProductExpert:
    """Knows what is normal for one kind of part. It does not change; threads may share it.

    Attributes:
        eyes: how it looks at pictures.
        levels: a memory per resolution.
        usual: by resolution, in the order of `levels`, and way.
        threshold: of the joined map.
        standings: what is usual of each number.
        weights: what each number counts; at least 0.
        joined: what is usual of their weighted mean.
        likeness: knows whether a picture shows this kind of part.
        left_out: scores of good images, each left out; what limits are set by.
        stood_in: whether slightly changed copies stood in for good images, because there were too few.
        area: what counts of a picture.
        left_out_numbers: the numbers that these scores were made from, in deviations.
        turning: at how many angles good images are remembered, and why.
        of_views: what is usual of each number, view by view; empty where there is one view.
    """

    eyes: Eyes
    levels: tuple[Level, ...]
    usual: tuple[Mapping[str, Usual], ...]
    threshold: Threshold
    standings: Mapping[str, Standing]
    weights: Mapping[str, float]
    joined: Standing
    likeness: LikenessModel
    left_out: tuple[float, ...]
    stood_in: bool
    area: Area = EVERYWHERE
    left_out_numbers: tuple[Mapping[str, float], ...] = ()
    turning: Turning = UPRIGHT
    of_views: tuple[Mapping[str, Standing], ...] = ()

    @property
    def exceptions(self) -> frozenset[str]:
        """Hashes of good images that say nothing about what is usual."""
        return self.levels[0].exceptions

    def assess(self, image: LoadedImage) -> Assessment:
        """How abnormal a picture is, where, and whether it can be judged."""
        return self.assess_look(next(self.eyes.look([image.pixels])))

    def assess_look(self, look: Look, area: Area | None = None) -> Assessment:
        """The same of what was seen of it; with another area than usual, if one is given."""
        counts = area or self.area
        distances = measure(self.levels, look)
        likeness = self.likeness.judge(look.whole)
        numbers = self.in_deviations(numbers_of(self.levels, distances, likeness, counts), likeness.view)
        excess = self.map_of(distances, counts)
        low, high = self.threshold.low, self.threshold.high
        values = ((excess - low) / (high - low)).clamp(0, 1)
        return Assessment(self.score(numbers), numbers, values, excess, likeness, look.whole, distances)

    def in_words(self) -> tuple[str, ...]:
        """How parts are compared, and why, in sentences."""
        size = self.eyes.sizes[-1]
        details = (
            f"Details of the pictures are looked at, too: in tiles, as if each picture had {size} x {size} pixels.",
        )
        count = len(self.of_views)
        views = (f"The good pictures show {count} views. Each part is judged by what is usual of its own view.",)
        return (self.turning.in_words(), *(details if self.eyes.detailed else ()), *(views if count else ()))

    def map_of(self, distances: Sequence[Distances], area: Area) -> torch.Tensor:
        """(rows, columns) the joined map of an image, of its distances at each resolution."""
        return join_maps(pooled(self.levels, distances), self.usual, area)

    def in_deviations(self, numbers: Mapping[str, float], view: int = 0) -> dict[str, float]:
        """Each number against what is usual of a view."""
        usual = self.of_views[view] if self.of_views else self.standings
        return {name: standing.of_number(numbers[name]) for name, standing in usual.items()}

    def score(self, numbers: Mapping[str, float]) -> float:
        """The weighted mean of numbers in deviations, against that of left-out good images; raised by details."""
        return self.joined.of_number(weighted(numbers, self.weights)) + raised_by_details(numbers)


def measure(levels: Sequence[Level], look: Look) -> tuple[Distances, ...]:
    """The distances of an image's patches from normal, per resolution."""
    found = []
    for level, patches in zip(levels, look.patches, strict=True):
        shape = (patches.rows, patches.columns)
        found.append({way: values.view(shape) for way, values in level.distances(patches).items()})
    return tuple(found)


def pooled(levels: Sequence[Level], distances: Sequence[Distances]) -> tuple[Distances, ...]:
    """Distances for maps: those of details are on the grid of the level before, each cell the largest in it."""
    found: list[Distances] = []
    for level, each in zip(levels, distances, strict=True):
        if level.detailed:
            shape = found[-1]["residual"].shape
            each = {way: _largest_in(values, (shape[0], shape[1])) for way, values in each.items()}
        found.append(each)
    return tuple(found)


def numbers_of(
    levels: Sequence[Level], distances: Sequence[Distances], likeness: Likeness, area: Area
) -> dict[str, float]:
    """All numbers of an image, of the patches in an area."""
    numbers = {WHOLE: likeness.distance}
    for level, each in zip(levels, distances, strict=True):
        cells = area.cells(*each["residual"].shape)
        numbers |= statistics(level, {way: values[cells] for way, values in each.items()})
    return numbers


def weighted(numbers: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """The weighted mean of numbers."""
    return sum(weight * numbers[name] for name, weight in weights.items()) / sum(weights.values())


def raised_by_details(numbers: Mapping[str, float]) -> float:
    """By how much the detail that differs most raises a score: by what is more than usual of good parts."""
    return max(0.0, numbers.get(DETAILS, 0.0) - USUAL_DETAILS)


def join_maps(
    distances: Sequence[Distances], usual: Sequence[Mapping[str, Usual]], area: Area = EVERYWHERE
) -> torch.Tensor:
    """(rows, columns) the mean over resolutions and ways of how far patches exceed what is usual.

    On the finest grid; 0 outside the area.
    """
    shape = max(each["residual"].shape for each in distances)
    planes = []
    for found, expected in zip(distances, usual, strict=True):
        for way, values in found.items():
            excess = (values - expected[way].median) / (expected[way].low - expected[way].median)
            planes.append(on_grid(excess, (shape[0], shape[1])))
    return torch.stack(planes).mean(0).masked_fill(~area.cells(shape[0], shape[1]), 0.0)


def _largest_in(values: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """(rows, columns) the largest value in each cell of a grid that may be coarser."""
    return torch.nn.functional.adaptive_max_pool2d(values[None, None], shape)[0, 0]


def on_grid(values: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """(rows, columns), enlarged bilinearly."""
    if tuple(values.shape) == shape:
        return values
    larger = torch.nn.functional.interpolate(values[None, None], shape, mode="bilinear", align_corners=False)
    return larger[0, 0]
