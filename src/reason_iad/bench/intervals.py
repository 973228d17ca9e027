"""How sure each figure of a run is, and each difference of two runs.

Averages get the wider of two intervals, since each is blind to something. Joining the intervals of the cells
(MOVER) knows how little a cell of three questions says, but takes cells as independent. Resampling images knows
that the questions about one image go together, but a cell of three questions has hardly anything to resample.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from reason_iad.bench.records import AnswerRecord
from reason_iad.bench.resampling import (
    resampled_accuracy_difference,
    resampled_average,
    resampled_average_difference,
)
from reason_iad.bench.scoring import Cell, Scores, Table, column_of
from reason_iad.bench.statistics import (
    RESAMPLES,
    Difference,
    Interval,
    Pairs,
    join_intervals,
    mean_interval,
    paired_difference,
    wilson,
)
from reason_iad.bench.subtasks import DETECTION

Paired = tuple[AnswerRecord, AnswerRecord]
"""Answers of two runs to the same question."""


def cell_intervals(scores: Scores) -> dict[Cell, Interval]:
    """Of every accuracy: Wilson's; for detection joined from both sides."""
    found = {}
    for cell in scores.table.values:
        tallies = [scores.tallies[cell]]
        if cell[1] == DETECTION:
            tallies = [scores.detection[cell[0]].normal, scores.detection[cell[0]].abnormal]
        shares = [(tally.right, tally.asked) for tally in tallies if tally.asked]
        found[cell] = wilson(*shares[0]) if len(shares) == 1 else mean_interval(shares)
    return found


def subtask_intervals(table: Table, cells: Mapping[Cell, Interval]) -> dict[str, Interval]:
    """Of the means over datasets, which have no image in common."""
    found = {}
    for subtask in table.subtasks:
        if there := [cell for cell in table.values if cell[1] == subtask]:
            found[subtask] = join_intervals([table.values[each] for each in there], [cells[each] for each in there])
    return found


def average_interval(
    scores: Scores, answers: Sequence[AnswerRecord], *, seed: int = 0, resamples: int = RESAMPLES
) -> Interval:
    """Of a run's average, over subtasks and then over datasets."""
    cells = {
        cell: Difference(scores.table.values[cell], interval) for cell, interval in cell_intervals(scores).items()
    }
    return _wider(_joined(cells).interval, resampled_average(answers, seed=seed, resamples=resamples))


def paired_tables(subtask: str, paired: Sequence[Paired]) -> list[Pairs]:
    """Paired counts of one subtask; for detection of normal and of abnormal images, as far as there are both."""
    if subtask != DETECTION:
        return [count_pairs(paired)]
    sides = ([pair for pair in paired if pair[0].abnormal == side] for side in (False, True))
    return [count_pairs(side) for side in sides if side]


def count_pairs(paired: Sequence[Paired]) -> Pairs:
    """Paired counts: 'first' is right in the first run only."""
    outcomes = [(ours.right, theirs.right) for ours, theirs in paired]
    return Pairs(*(outcomes.count(case) for case in ((True, True), (True, False), (False, True), (False, False))))


def average_difference(paired: Sequence[Paired], *, seed: int = 0, resamples: int = RESAMPLES) -> Difference:
    """The average of the first run minus that of the second, over the same questions."""
    cells: defaultdict[Cell, list[Paired]] = defaultdict(list)
    for pair in paired:
        cells[pair[0].dataset, column_of(pair[0])].append(pair)
    value, joined = _joined(
        {cell: paired_difference(paired_tables(cell[1], those)) for cell, those in cells.items()}
    )
    ours, theirs = zip(*paired, strict=True)
    return Difference(
        value, _wider(joined, resampled_average_difference(ours, theirs, seed=seed, resamples=resamples))
    )


def accuracy_difference(paired: Sequence[Paired], *, seed: int = 0, resamples: int = RESAMPLES) -> Difference:
    """The share of right answers of the first run minus that of the second, all questions alike."""
    value, independent = paired_difference([count_pairs(paired)])
    ours, theirs = zip(*paired, strict=True)
    resampled = resampled_accuracy_difference(ours, theirs, seed=seed, resamples=resamples)
    return Difference(value, _wider(independent, resampled))


def _joined(cells: Mapping[Cell, Difference]) -> Difference:
    """Mean over subtasks, then over datasets, of figures with their intervals."""
    datasets: defaultdict[str, list[Difference]] = defaultdict(list)
    for (dataset, _), figure in cells.items():
        datasets[dataset].append(figure)
    return _mean([_mean(figures) for figures in datasets.values()])


def _mean(figures: Sequence[Difference]) -> Difference:
    values = [figure.value for figure in figures]
    return Difference(sum(values) / len(values), join_intervals(values, [figure.interval for figure in figures]))


def _wider(first: Interval, second: Interval) -> Interval:
    return Interval(min(first.low, second.low), max(first.high, second.high))
