"""What averages and differences become when other images are drawn: the bootstrap of a benchmark.

An image is drawn with all its questions, for both runs of a comparison alike, among the images of its dataset that
were asked the same kinds of questions. So every resample has as many questions of every kind as the benchmark has:
that is its design, not chance. An image that is alone in its group is always drawn; see `intervals` for what that
hides.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from reason_iad.bench.records import AnswerRecord
from reason_iad.bench.scoring import column_of
from reason_iad.bench.statistics import RESAMPLES, Interval, Vector, bootstrap
from reason_iad.bench.subtasks import DETECTION


class _Part(NamedTuple):
    """What is counted per image: right answers of one run to one subtask; detection apart for each side."""

    run: int
    dataset: str
    subtask: str
    side: bool


def resampled_average(answers: Sequence[AnswerRecord], *, seed: int = 0, resamples: int = RESAMPLES) -> Interval:
    """Interval of a run's average, over subtasks and then over datasets."""
    asked = _asked(answers)
    return bootstrap(_images([answers]), lambda sums: _average(sums, asked, 0), seed=seed, resamples=resamples)


def resampled_average_difference(
    first: Sequence[AnswerRecord], second: Sequence[AnswerRecord], *, seed: int = 0, resamples: int = RESAMPLES
) -> Interval:
    """Interval of the average of the first run minus that of the second, for answers to the same questions."""
    asked = _asked(first)
    return bootstrap(
        _images([first, second]),
        lambda sums: _average(sums, asked, 0) - _average(sums, asked, 1),
        seed=seed,
        resamples=resamples,
    )


def resampled_accuracy_difference(
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


def resampled_injection(answers: Iterable[AnswerRecord], *, seed: int = 0) -> Interval:
    """Interval of the mean share of injected patches inside the mask minus that of all patches."""
    images: defaultdict[str, dict[str, float]] = defaultdict(lambda: {"sum": 0.0, "count": 0.0})
    for answer in answers:
        if answer.inside is not None and answer.chance is not None:
            images[answer.image]["sum"] += answer.inside - answer.chance
            images[answer.image]["count"] += 1
    return bootstrap([list(images.values())], lambda sums: sums["sum"] / sums["count"], seed=seed)


def _part(answer: AnswerRecord, run: int = 0) -> _Part:
    subtask = column_of(answer)
    return _Part(run, answer.dataset, subtask, subtask == DETECTION and answer.abnormal)


def _asked(answers: Iterable[AnswerRecord]) -> Counter[_Part]:
    """How many questions there are of each kind, in every resample."""
    return Counter(_part(answer) for answer in answers)


def _images(runs: Sequence[Sequence[AnswerRecord]]) -> list[list[dict[_Part, float]]]:
    """Right answers of every image, in groups of images that were asked the same kinds of questions."""
    images: dict[str, dict[_Part, float]] = {}
    kinds: defaultdict[str, Counter[_Part]] = defaultdict(Counter)
    for run, answers in enumerate(runs):
        for answer in answers:
            part = _part(answer, run)
            right = images.setdefault(answer.image, {})
            right[part] = right.get(part, 0.0) + answer.right
            kinds[answer.image][part] += 1
    groups: defaultdict[frozenset[tuple[_Part, int]], list[dict[_Part, float]]] = defaultdict(list)
    for image, right in images.items():
        groups[frozenset(kinds[image].items())].append(right)
    return list(groups.values())


def _average(sums: Mapping[_Part, Vector], asked: Mapping[_Part, int], run: int) -> Vector:
    """The average of one run in every resample: over sides, subtasks and datasets, in this order."""
    cells: defaultdict[tuple[str, str], list[Vector]] = defaultdict(list)
    for part, count in asked.items():
        cells[part.dataset, part.subtask].append(sums[part._replace(run=run)] / count)
    datasets: defaultdict[str, list[Vector]] = defaultdict(list)
    for (dataset, _), sides in cells.items():
        datasets[dataset].append(_mean(sides))
    return _mean([_mean(each) for each in datasets.values()])


def _mean(values: Sequence[Vector]) -> Vector:
    mean: Vector = np.mean(values, axis=0)
    return mean
