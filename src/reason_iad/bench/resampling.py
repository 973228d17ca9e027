"""Intervals of averages by resampling images: what `report` prints beside an average, and `compare` beside two.

An image is drawn with all its questions, for both runs of a comparison alike, within its dataset and its side
(normal or abnormal): the sizes of these groups are the benchmark's design, not chance.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from reason_iad.bench.records import AnswerRecord
from reason_iad.bench.scoring import column_of
from reason_iad.bench.statistics import RESAMPLES, Interval, Vector, bootstrap
from reason_iad.bench.subtasks import DETECTION


class _Part(NamedTuple):
    """What is counted per image: answers of one run to one subtask; detection apart for each side."""

    run: int
    dataset: str
    subtask: str
    side: bool
    counted: str


_Images = list[list[dict[_Part, float]]]


def average_interval(answers: Sequence[AnswerRecord], *, seed: int = 0, resamples: int = RESAMPLES) -> Interval:
    """Interval of a run's average, over subtasks and then over datasets."""
    return bootstrap(_images([answers]), lambda sums: _average(sums, 0), seed=seed, resamples=resamples)


def average_difference(
    first: Sequence[AnswerRecord], second: Sequence[AnswerRecord], *, seed: int = 0, resamples: int = RESAMPLES
) -> Interval:
    """Interval of the average of the first run minus that of the second, for answers to the same questions."""
    return bootstrap(
        _images([first, second]),
        lambda sums: _average(sums, 0) - _average(sums, 1),
        seed=seed,
        resamples=resamples,
    )


def accuracy_difference(
    first: Sequence[AnswerRecord], second: Sequence[AnswerRecord], *, seed: int = 0, resamples: int = RESAMPLES
) -> Interval:
    """Interval of the share of right answers of the first run minus that of the second, all questions alike."""
    images: defaultdict[str, dict[str, float]] = defaultdict(lambda: {"gain": 0.0, "asked": 0.0})
    for ours, theirs in zip(first, second, strict=True):
        images[ours.image]["gain"] += ours.right - theirs.right
        images[ours.image]["asked"] += 1
    return bootstrap(
        [list(images.values())], lambda sums: sums["gain"] / sums["asked"], seed=seed, resamples=resamples
    )


def injection_interval(answers: Iterable[AnswerRecord], *, seed: int = 0) -> Interval:
    """Interval of the mean share of injected patches inside the mask minus that of all patches."""
    images: defaultdict[str, dict[str, float]] = defaultdict(lambda: {"sum": 0.0, "count": 0.0})
    for answer in answers:
        if answer.inside is not None and answer.chance is not None:
            images[answer.image]["sum"] += answer.inside - answer.chance
            images[answer.image]["count"] += 1
    return bootstrap([list(images.values())], lambda sums: sums["sum"] / sums["count"], seed=seed)


def _images(runs: Sequence[Sequence[AnswerRecord]]) -> _Images:
    """Per dataset and side, the counts of every image."""
    groups: defaultdict[tuple[str, bool], dict[str, defaultdict[_Part, float]]] = defaultdict(dict)
    for run, answers in enumerate(runs):
        for answer in answers:
            images = groups[answer.dataset, answer.abnormal]
            counts = images.setdefault(answer.image, defaultdict(float))
            subtask = column_of(answer)
            part = _Part(run, answer.dataset, subtask, subtask == DETECTION and answer.abnormal, "asked")
            counts[part] += 1
            counts[part._replace(counted="right")] += answer.right
    return [[dict(counts) for counts in images.values()] for images in groups.values()]


def _average(sums: Mapping[_Part, Vector], run: int) -> Vector:
    """The average of one run in every resample; a cell that was not drawn at all is left out of it."""
    cells: defaultdict[tuple[str, str], list[Vector]] = defaultdict(list)
    for part, asked in sums.items():
        if part.run == run and part.counted == "asked":
            right = sums[part._replace(counted="right")]
            share = np.divide(right, asked, out=np.full(len(asked), np.nan), where=asked > 0)
            cells[part.dataset, part.subtask].append(share)
    datasets: defaultdict[str, list[Vector]] = defaultdict(list)
    for (dataset, _), sides in cells.items():
        datasets[dataset].append(_mean(sides))
    return _mean([_mean(each) for each in datasets.values()])


def _mean(values: Sequence[Vector]) -> Vector:
    """Mean over those that are a number; NaN if none is. `nanmean`, without its warning."""
    stacked = np.stack(values)  # (values, resamples)
    there = ~np.isnan(stacked)
    count = there.sum(axis=0)
    total = np.where(there, stacked, 0.0).sum(axis=0)
    mean: Vector = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean
