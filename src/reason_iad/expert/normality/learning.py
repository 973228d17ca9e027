"""An expert from good images: memories, and what is usual, each image left out of its own memory."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from reason_iad.errors import ConfigError
from reason_iad.expert.calibration import largest_region
from reason_iad.expert.jitter import jittered_copies
from reason_iad.expert.normality.area import EVERYWHERE, Area
from reason_iad.expert.normality.expert import (
    Distances,
    ProductExpert,
    Threshold,
    Usual,
    join_maps,
    measure,
    numbers_of,
    pooled,
    raised_by_details,
    weighted,
)
from reason_iad.expert.normality.level import Level
from reason_iad.expert.normality.likeness import FEW_FAR, LikenessModel
from reason_iad.expert.normality.looks import Eyes, Look
from reason_iad.expert.normality.seeing import Progress, Seen, few, see, silent
from reason_iad.expert.normality.sightings import NOTHING, Sightings
from reason_iad.expert.normality.spread import Some, drawn, left_out_images, names_of
from reason_iad.expert.normality.standing import Standing
from reason_iad.expert.normality.statistics import prior
from reason_iad.expert.normality.turning import Orientation, find_turning
from reason_iad.expert.normality.views import LEAST

if TYPE_CHECKING:
    from reason_iad.expert.memory.shelf import Shelf
    from reason_iad.images import LoadedImage

FEWEST = 3
"""With fewer good images, none can be left out: slightly changed copies stand in."""
EACH_ALONE = 24
"""Up to so many good images, each is left out alone; beyond, a few at a time."""
FOLDS = 20
"""So many groups are left out, one after another, beyond that."""
FOLDS_THINNED = 4
"""The same where patches stand for those of other images, so that the memory has to be chosen anew."""
TURNED = 12
"""Good images of which turned and mirrored copies are looked at."""
LAYOUTS = "layouts"
"""What is seen of these, among sightings."""
QUANTILE = 0.99
EXPLAINED = 0.9
"""A patch of an exception is compared with if it is farther from usual images than this quantile of the patches of
left-out ones. If all were, every part would look more normal with each exception."""


@dataclass(frozen=True, eq=False)
class LeftOut:
    """A good image that was left out of the memory, and measured.

    Attributes:
        numbers: of the image.
        distances: of its patches, per resolution, as they are joined in a map (`expert.pooled`).
        view: that it shows.
    """

    numbers: Mapping[str, float]
    distances: tuple[Distances, ...]
    view: int = 0


def learn(
    good: Sequence[LoadedImage],
    eyes: Eyes,
    progress: Progress = silent,
    shelves: Sequence[Shelf] = (),
    area: Area = EVERYWHERE,
    orientation: Orientation = "auto",
    sightings: Sightings = NOTHING,
    exceptions: Collection[str] = (),
) -> ProductExpert:
    """Learn what is normal.

    Args:
        good: good images, at least one. Each is asked for a few times and let go, so a sequence may load them then.
        eyes: how the expert looks at pictures.
        progress: told how far it is.
        shelves: where patches of each image are kept, for each resolution; none: in memory.
        area: what counts of a picture.
        orientation: whether parts lie one way or at any angle; 'auto' if it is to be found out.
        sightings: what was seen of these images before.
        exceptions: hashes of images that are normal and say nothing about what is usual: people were asked about
            them because they were doubtful. They only bring what is like them nearer to normal. Where fewer than
            `FEWEST` others are left, there are no exceptions.

    Raises:
        ConfigError: there is no good image.
    """
    if not len(good):
        raise ConfigError("There is no good image to learn from; give at least one.")
    eyes, names = replace(eyes, area=area), names_of(good)
    exceptions = _exceptions(names, exceptions)
    usual = Some(good, [number for number, name in enumerate(names) if name not in exceptions])
    turning = find_turning(usual, eyes, orientation, sightings)
    seen = see(good, eyes, progress, shelves, turning.steps, sightings, exceptions)
    odd = [number for number, name in enumerate(seen.names) if name in exceptions]
    count = len(seen.names) - len(odd)
    copies = _changed(usual, eyes if count < FEWEST else eyes.coarsest()) if count in FEW_FAR else []
    turned = turned_layouts(usual, seen.names, eyes, sightings) if turning.steps == 1 else {}
    likeness = LikenessModel.of(seen.wholes, [look.whole for look in copies], turned, seen.copies, odd)
    stand_ins = copies if count < FEWEST else []
    if stand_ins:
        left_out = [_measured(seen.levels, look, likeness, area) for look in stand_ins]
    else:
        left_out = _left_out(seen, good, likeness, area, progress)
    expert = calibrated(eyes, seen.levels, likeness, left_out, (bool(stand_ins), area))
    return replace(expert, turning=turning)


def _exceptions(names: Sequence[str], asked: Collection[str]) -> frozenset[str]:
    """Those exceptions that are there; none where too few other images are left."""
    found = frozenset(asked) & frozenset(names)
    return found if len(set(names) - found) >= FEWEST else frozenset()


def calibrated(
    eyes: Eyes,
    levels: tuple[Level, ...],
    likeness: LikenessModel,
    left_out: Sequence[LeftOut],
    how: tuple[bool, Area],
) -> ProductExpert:
    """The expert that follows from what left-out good images show.

    Args:
        eyes, levels, likeness: what it looks and compares with.
        left_out: the good images.
        how: whether changed copies stood in for them, and what counts of a picture.
    """
    stood_in, area = how
    if any(level.exceptions for level in levels):
        levels = tuple(replace(level, explained=_explained(left_out, at)) for at, level in enumerate(levels))
    usual = tuple(_usual([each.distances[at] for each in left_out]) for at in range(len(levels)))
    standings = _standings(left_out)
    weights = {name: prior(name) for name in standings if prior(name)}
    expert = ProductExpert(
        eyes, levels, usual, _threshold([join_maps(each.distances, usual, area) for each in left_out]),
        standings, weights, Standing(0.0, 1.0), likeness, (), stood_in, area,
    )  # fmt: skip
    expert = replace(expert, of_views=_of_views(likeness, left_out))
    numbers = tuple(expert.in_deviations(each.numbers, each.view) for each in left_out)
    return reweighted(replace(expert, left_out_numbers=numbers), numbers, weights)


def _standings(left_out: Sequence[LeftOut]) -> dict[str, Standing]:
    return {name: Standing.of([each.numbers[name] for each in left_out]) for name in left_out[0].numbers}


def _of_views(likeness: LikenessModel, left_out: Sequence[LeftOut]) -> tuple[dict[str, Standing], ...]:
    """What is usual of each view; of one of which too few were left out, what is usual of all."""
    views = range(int(likeness.views.max()) + 1)
    own = [[each for each in left_out if each.view == view] for view in views]
    if len(views) == 1:
        return ()
    return tuple(_standings(some if len(some) >= LEAST else left_out) for some in own)


def reweighted(
    expert: ProductExpert, left_out: Sequence[Mapping[str, float]], weights: Mapping[str, float]
) -> ProductExpert:
    """The same expert with other weights.

    Args:
        expert: any.
        left_out: the numbers of left-out good images, in deviations.
        weights: what each number counts from now on.
    """
    means = [weighted(numbers, weights) for numbers in left_out]
    joined = Standing.of(means)
    scores = (
        joined.of_number(mean) + raised_by_details(numbers) for mean, numbers in zip(means, left_out, strict=True)
    )
    return replace(expert, weights=weights, joined=joined, left_out=tuple(scores))


def left_out_again(
    expert: ProductExpert, good: Sequence[LoadedImage], progress: Progress = silent
) -> Iterator[tuple[int, Look, tuple[Distances, ...]]]:
    """What is seen of the good images that were left out, and their distances; a few at a time are held.

    Args:
        expert: that was learnt from them.
        good: the images that it was learnt from, each once, in the same order.
        progress: told how far it is.

    Returns:
        For each its number in `expert.left_out`; these are not in order.

    Raises:
        ConfigError: it was learnt from other images.
    """
    if expert.stood_in:
        for at, look in enumerate(_changed(good, expert.eyes)):
            yield at, look, measure(expert.levels, look)
        return
    names = [member.sha256 for member in expert.levels[0].bank.members]
    numbers = left_out_images(names, expert.exceptions)
    if len(numbers) != len(expert.left_out) or len(names) != len(good):
        raise ConfigError("The expert was learnt from other good images; learn it anew.")
    done = 0
    for places in _folds(expert.levels, range(len(numbers))):
        without = _without(expert.levels, {names[numbers[at]] for at in places})
        for some in few(good, (numbers[at] for at in places)):
            looks = expert.eyes.look([image.pixels for image in some.values()])
            for number, look in zip(some, looks, strict=True):
                yield numbers.index(number), look, measure(without, look)
        done += len(places)
        progress("good images compared with known defects", done, len(numbers))


def turned_layouts(
    good: Sequence[LoadedImage], names: Sequence[str], eyes: Eyes, sightings: Sightings = NOTHING
) -> dict[int, torch.Tensor]:
    """For some good images, by their place in `names`, (ways, g) layouts in every way but as they are."""
    from PIL import Image as Pillow

    coarse = eyes.coarsest()
    found, chosen = {}, drawn(good, TURNED)
    for name, at in chosen.items():
        known = sightings.get(LAYOUTS, name)
        if known is None:
            picture = good[at].whole
            looks = coarse.look([picture.transpose(way) for way in Pillow.Transpose])
            known = {"layouts": torch.stack([look.whole.layout for look in looks])}
            sightings.put(LAYOUTS, name, known)
        found[names.index(name)] = known["layouts"]
    sightings.keep(LAYOUTS, list(chosen))
    return found


def _left_out(
    seen: Seen, good: Sequence[LoadedImage], likeness: LikenessModel, area: Area, progress: Progress
) -> list[LeftOut]:
    """Good images, each measured by a memory without it and without exceptions."""
    order, odd = sorted(seen.measured), likeness.exceptional.nonzero().flatten().tolist()
    found: dict[int, LeftOut] = {}
    for numbers in _folds(seen.levels, order):
        without = _without(seen.levels, {seen.names[at] for at in numbers})
        for at in numbers:
            found[at] = _measured(without, seen.look(at, good), likeness.without(at, *odd), area)
        progress("good images compared with the others", len(found), len(order))
    return [found[at] for at in order]


def _without(levels: Sequence[Level], names: set[str]) -> tuple[Level, ...]:
    """The memories as if these images had never been there, and no exceptions either: so what is usual does not
    depend on these."""
    return tuple(level.without(names | level.exceptions) for level in levels)


def _folds(levels: Sequence[Level], numbers: Sequence[int]) -> list[Sequence[int]]:
    """Which images are left out together."""
    thinned = any(level.bank.thinned for level in levels)
    folds = FOLDS_THINNED if thinned else len(numbers) if len(numbers) <= EACH_ALONE else FOLDS
    return [numbers[fold::folds] for fold in range(folds)]


def _measured(levels: tuple[Level, ...], look: Look, likeness: LikenessModel, area: Area) -> LeftOut:
    distances = measure(levels, look)
    likely = likeness.judge(look.whole)
    return LeftOut(numbers_of(levels, distances, likely, area), pooled(levels, distances), likely.view)


def _usual(distances: Sequence[Distances]) -> dict[str, Usual]:
    usual = {}
    for way in distances[0]:
        values = torch.cat([each[way].flatten() for each in distances])
        median = float(values.median())
        low = _quantile(values)
        usual[way] = Usual(median, max(low, median + 1e-6 + 1e-3 * abs(median)))
    return usual


def _explained(left_out: Sequence[LeftOut], level: int) -> dict[str, float]:
    """Up to which distance, by way, a patch is nothing unusual at one resolution."""
    ways = left_out[0].distances[level]
    return {
        way: _quantile(torch.cat([each.distances[level][way].flatten() for each in left_out]), EXPLAINED)
        for way in ways
    }


def _threshold(maps: Sequence[torch.Tensor]) -> Threshold:
    """theta_low, theta_high and the gate, of the joined maps of left-out good images."""
    values = torch.cat([each.flatten() for each in maps])
    low = _quantile(values)
    high = low + max(3 * (low - float(values.median())), 1e-3)
    areas = torch.tensor([largest_region(each > low) for each in maps])
    peak = sum(float(each.max()) for each in maps) / len(maps)
    return Threshold(low, high, float(areas.quantile(QUANTILE)), peak)


def _quantile(values: torch.Tensor, share: float = QUANTILE) -> float:
    """A quantile. `torch.quantile` refuses more than 16 million values."""
    rank = max(1, round(share * len(values)))
    return float(values.kthvalue(rank).values)


def _changed(good: Sequence[LoadedImage], eyes: Eyes) -> list[Look]:
    """What is seen of slightly changed copies of good images."""
    copies = [copy for at in range(len(good)) for copy in jittered_copies(good[at].whole)]
    return list(eyes.look(copies))
