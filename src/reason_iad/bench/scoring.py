"""The exact figures of a run: what was answered rightly, of everything that was asked.

An answer that could not be read and an image that failed count as wrong; nothing is guessed, nothing is left out.
A cell that has no questions has no figure: it is absent, never 0, and averages go over the cells there are.
All figures are shares in [0, 1].

Source: Jiang et al., "MMAD", ICLR 2025: detection is the mean of the accuracies on normal and on abnormal images,
a dataset's average is the mean over its subtasks, and the last row is the mean over datasets.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from reason_iad.bench.records import AnswerRecord
from reason_iad.bench.subtasks import DETECTION, SUBTASKS, subtask_of

Cell = tuple[str, str]
"""Dataset and subtask."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of some questions. `unparsable` and `failed` are among the wrong ones."""

    asked: int = 0
    right: int = 0
    unparsable: int = 0
    failed: int = 0

    @property
    def accuracy(self) -> float | None:
        """Share of right answers in [0, 1]; None if nothing was asked."""
        return self.right / self.asked if self.asked else None

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.asked + other.asked,
            self.right + other.right,
            self.unparsable + other.unparsable,
            self.failed + other.failed,
        )


@dataclass(frozen=True, slots=True)
class Table:
    """Accuracies per dataset and subtask, with the averages of the published tables.

    Attributes:
        datasets: rows, in the order they are printed.
        subtasks: columns, MMAD's seven in the published order, then any others.
        values: cell to share in [0, 1]; a cell without questions is absent.
    """

    datasets: tuple[str, ...]
    subtasks: tuple[str, ...]
    values: Mapping[Cell, float]

    def dataset_average(self, dataset: str) -> float | None:
        """Mean over the subtasks that the dataset has."""
        return mean(self.values.get((dataset, subtask)) for subtask in self.subtasks)

    def subtask_average(self, subtask: str) -> float | None:
        """Mean over the datasets that have the subtask."""
        return mean(self.values.get((dataset, subtask)) for dataset in self.datasets)

    @property
    def overall(self) -> float | None:
        """Mean over subtasks, then over datasets: the one figure of a method."""
        return mean(self.dataset_average(dataset) for dataset in self.datasets)


@dataclass(frozen=True, slots=True)
class Detection:
    """Detection as a two-class problem; 'abnormal' is the positive class. A figure that is undefined is None.

    Attributes:
        normal: questions about normal images; a wrong answer is a false alarm (overkill).
        abnormal: questions about abnormal images; a wrong answer is a miss.
    """

    normal: Tally
    abnormal: Tally

    @property
    def accuracy(self) -> float | None:
        """Mean of the accuracies on normal and on abnormal images; of the one there is, if one is missing."""
        return mean((self.normal.accuracy, self.abnormal.accuracy))

    @property
    def recall(self) -> float | None:
        """Share of the abnormal images that were found."""
        return self.abnormal.accuracy

    @property
    def precision(self) -> float | None:
        """Share of the alarms that were right."""
        alarms = self.abnormal.right + self.normal.asked - self.normal.right
        return self.abnormal.right / alarms if alarms else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall."""
        wrong = self.normal.asked - self.normal.right + self.abnormal.asked - self.abnormal.right
        return 2 * self.abnormal.right / (2 * self.abnormal.right + wrong) if self.abnormal.asked else None

    @property
    def overkill(self) -> float | None:
        """Share of the normal images that were called abnormal, or got no answer."""
        return None if self.normal.accuracy is None else 1 - self.normal.accuracy

    @property
    def miss(self) -> float | None:
        """Share of the abnormal images that were not found."""
        return None if self.abnormal.accuracy is None else 1 - self.abnormal.accuracy


@dataclass(frozen=True, slots=True)
class Scores:
    """The exact figures of a run.

    Attributes:
        table: accuracies and averages.
        guessing: what choosing an option blindly would reach on average, in the same cells.
        tallies: counts behind every cell of the table.
        detection: per dataset that has detection questions.
        failures: answers without a choice, in the order of the run.
    """

    table: Table
    guessing: Table
    tallies: Mapping[Cell, Tally]
    detection: Mapping[str, Detection]
    failures: tuple[AnswerRecord, ...]

    @property
    def total(self) -> Tally:
        """Over all questions alike."""
        return sum(self.tallies.values(), Tally())


def score(answers: Iterable[AnswerRecord]) -> Scores:
    """Count and average the answers of a run; their order decides the order of the datasets and nothing else."""
    cells: defaultdict[Cell, list[AnswerRecord]] = defaultdict(list)
    sides: defaultdict[tuple[str, bool], list[AnswerRecord]] = defaultdict(list)
    failures: list[AnswerRecord] = []
    for answer in answers:
        cell = (answer.dataset, column_of(answer))
        cells[cell].append(answer)
        if cell[1] == DETECTION:
            sides[answer.dataset, answer.abnormal].append(answer)
        if answer.choice is None:
            failures.append(answer)
    datasets = tuple(dict.fromkeys(dataset for dataset, _ in cells))
    detection = {
        dataset: Detection(_tally(sides[dataset, False]), _tally(sides[dataset, True]))
        for dataset in datasets
        if (dataset, DETECTION) in cells
    }
    subtasks = ordered_subtasks(subtask for _, subtask in cells)
    right = {cell: _over_sides(cell, those, _share_right) for cell, those in cells.items()}
    guessed = {cell: _over_sides(cell, those, _share_guessed) for cell, those in cells.items()}
    return Scores(
        table=Table(datasets, subtasks, right),
        guessing=Table(datasets, subtasks, guessed),
        tallies={cell: _tally(those) for cell, those in cells.items()},
        detection=detection,
        failures=tuple(failures),
    )


def column_of(answer: AnswerRecord) -> str:
    """The column an answer counts in: MMAD's subtask, or the question's own type where MMAD has none."""
    return subtask_of(answer.kind) or answer.kind


def ordered_subtasks(names: Iterable[str]) -> tuple[str, ...]:
    """MMAD's seven in the published order whether they occur or not, then the other names by alphabet."""
    return (*SUBTASKS, *sorted(set(names) - set(SUBTASKS)))


def mean(values: Iterable[float | None]) -> float | None:
    """Mean of the values there are; None if there are none."""
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there else None


def _over_sides(cell: Cell, answers: list[AnswerRecord], share: Callable[[list[AnswerRecord]], float]) -> float:
    """A share of some answers; for detection its mean over normal and abnormal images, as far as there are both."""
    if cell[1] != DETECTION:
        return share(answers)
    sides = [[answer for answer in answers if answer.abnormal == side] for side in (False, True)]
    shares = [share(side) for side in sides if side]
    return sum(shares) / len(shares)


def _share_right(answers: list[AnswerRecord]) -> float:
    return sum(answer.right for answer in answers) / len(answers)


def _share_guessed(answers: list[AnswerRecord]) -> float:
    return sum(1 / max(1, len(answer.options)) for answer in answers) / len(answers)


def _tally(answers: list[AnswerRecord]) -> Tally:
    lost = [answer for answer in answers if answer.choice is None]
    failed = sum(answer.failure in ("image", "error") for answer in lost)
    return Tally(len(answers), sum(answer.right for answer in answers), len(lost) - failed, failed)
