"""Two runs on the same questions, question by question: which is better at what, and what is only noise.

Differences are the second run minus the first. A subtask's test is McNemar's, exact; p-values are corrected for
being several (Holm). Detection weighs normal and abnormal images alike, in accuracy, interval and test.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from reason_iad.bench.intervals import Paired, accuracy_difference, average_difference, count_pairs, paired_tables
from reason_iad.bench.records import Manifest
from reason_iad.bench.runs import Run
from reason_iad.bench.scoring import column_of, ordered_subtasks, score
from reason_iad.bench.statistics import (
    RESAMPLES,
    Difference,
    Pairs,
    holm,
    mcnemar,
    mcnemar_over,
    paired_difference,
)
from reason_iad.errors import DatasetError

ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Row:
    """A comparison over some questions.

    Attributes:
        name: the subtask, or what else the questions are.
        pairs: counts; 'first' is right in the second run only, 'second' in the first run only.
        first, second: accuracies of the first and the second run, shares in [0, 1].
        difference: second minus first, with its interval.
        p: exact p-value.
        corrected: p-value corrected for the number of subtasks; p itself over all questions.
    """

    name: str
    pairs: Pairs
    first: float
    second: float
    difference: Difference
    p: float
    corrected: float

    @property
    def noise(self) -> bool:
        """Whether chance explains the difference: the interval holds 0, or the corrected p-value is not small."""
        return self.holds_zero or self.corrected >= ALPHA

    @property
    def holds_zero(self) -> bool:
        """Whether the interval contains 0."""
        low, high = self.difference.interval
        return low <= 0 <= high


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs side by side.

    Attributes:
        labels: of the first and the second.
        rows: one per subtask that was asked.
        total: over all questions alike.
        averages: of both runs over the paired questions, as `bench report` averages.
        average: their difference, second minus first, with its interval.
        agreement: share of the questions with the same choice.
        differs: conditions under which the runs differ: name, of the first, of the second.
        notes: what else a reader must know, in sentences.
    """

    labels: tuple[str, str]
    rows: tuple[Row, ...]
    total: Row
    averages: tuple[float, float]
    average: Difference
    agreement: float
    differs: tuple[tuple[str, str, str], ...]
    notes: tuple[str, ...]

    @property
    def noise(self) -> bool:
        """Whether the difference of the averages may be chance: its interval holds 0."""
        low, high = self.average.interval
        return low <= 0 <= high


def compare(
    first: Run,
    second: Run,
    labels: tuple[str, str] | None = None,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Comparison:
    """Compare two runs.

    Args:
        first, second: answers to the same questions.
        labels: names to print; the runs' own by default.
        seed: of the resampled images.
        resamples: how many times images are resampled.

    Raises:
        DatasetError: they were not asked the same questions, or no question is answered in both.
        MissingExtraError: statsmodels is not installed.
    """
    labels = labels or (first.name, second.name)
    paired = _pair(first, second, labels)
    turned = [(theirs, ours) for ours, theirs in paired]  # differences are the second minus the first
    raw = []
    for name in ordered_subtasks(column_of(ours) for ours, _ in paired):
        if those := [pair for pair in turned if column_of(pair[0]) == name]:
            tables = paired_tables(name, those)
            raw.append(_row(name, those, tables, paired_difference(tables)))
    corrected = holm([row.p for row in raw])
    total = accuracy_difference(turned, seed=seed, resamples=resamples)
    ours, theirs = [pair[0] for pair in paired], [pair[1] for pair in paired]
    averages = (score(ours).table.overall or 0.0, score(theirs).table.overall or 0.0)
    return Comparison(
        labels=labels,
        rows=tuple(replace(row, corrected=p) for row, p in zip(raw, corrected, strict=True)),
        total=_row("All questions", turned, [count_pairs(turned)], total),
        averages=averages,
        average=average_difference(turned, seed=seed, resamples=resamples),
        agreement=sum(a.choice is not None and a.choice == b.choice for a, b in paired) / len(paired),
        differs=tuple(_differences(first.manifest, second.manifest)),
        notes=tuple(_notes(first, second, labels, len(paired))),
    )


def _pair(first: Run, second: Run, labels: tuple[str, str]) -> list[Paired]:
    """Answers to the same questions, in the order of the first run."""
    if first.manifest.questions_sha256 != second.manifest.questions_sha256:
        reasons = "; ".join(_why_different(first, second, labels))
        raise DatasetError(f"'{labels[0]}' and '{labels[1]}' were not asked the same questions: {reasons}.")
    answers = {answer.question: answer for answer in second.answers}
    paired = [(answer, answers[answer.question]) for answer in first.answers if answer.question in answers]
    if not paired:
        raise DatasetError(
            f"'{labels[0]}' and '{labels[1]}' have no answered question in common; finish the runs first."
        )
    for ours, theirs in paired:
        if (ours.truth, ours.options, ours.kind) != (theirs.truth, theirs.options, theirs.kind):
            raise DatasetError(
                f"Question '{ours.question}' is not the same in '{labels[0]}' and '{labels[1]}', although their "
                "manifests say so; one of them was changed, run it anew."
            )
        if ours.files_sha256 and theirs.files_sha256 and ours.files_sha256 != theirs.files_sha256:
            raise DatasetError(
                f"'{labels[0]}' and '{labels[1]}' were not shown the same images: those of question "
                f"'{ours.question}' have other bytes; run one of them anew."
            )
    return paired


def _why_different(first: Run, second: Run, labels: tuple[str, str]) -> Iterable[str]:
    """In words, what makes the questions of two runs differ, as far as their folders tell."""
    found = False
    for name in ("questions", "limit", "shots", "templates", "seed"):
        ours, theirs = getattr(first.manifest, name), getattr(second.manifest, name)
        if ours != theirs:
            found = True
            yield f"{name} {ours} and {theirs}"
    asked = [{answer.question for answer in run.answers} for run in (first, second)]
    for label, only in zip(labels, (asked[0] - asked[1], asked[1] - asked[0]), strict=True):
        if only:
            found = True
            yield f"only '{label}' has answered {len(only)}, such as '{min(only)}'"
    if not found:
        yield "the same ids, but other texts, options, answers or templates"


def _row(name: str, paired: Sequence[Paired], tables: Sequence[Pairs], difference: Difference) -> Row:
    """A row before correction; tables and difference are of the second run against the first."""
    p = mcnemar(tables[0]) if len(tables) == 1 else mcnemar_over(tables)
    return Row(
        name=name,
        pairs=count_pairs(paired),
        first=sum((each.both + each.second) / each.asked for each in tables) / len(tables),
        second=sum((each.both + each.first) / each.asked for each in tables) / len(tables),
        difference=difference,
        p=p,
        corrected=p,
    )


def _differences(first: Manifest, second: Manifest) -> Iterable[tuple[str, str, str]]:
    """Conditions that are not the same, nested ones by their path; what says the same thing twice stands once."""
    ours, theirs = _flat(first.model_dump(mode="json")), _flat(second.model_dump(mode="json"))
    for name in sorted(ours.keys() | theirs.keys()):
        mine, other, outer = ours.get(name), theirs.get(name), name.removeprefix("config.")
        if mine == other or name == "status":
            continue
        if outer != name and (ours.get(outer), theirs.get(outer)) == (mine, other):
            continue
        if name == "knowledge_sha256":
            yield "knowledge files", _hashed(mine), _hashed(other)
        else:
            yield name, str(ours.get(name, "–")), str(theirs.get(name, "–"))


def _hashed(sha256: str | None) -> str:
    """Files that are known by their hash only."""
    return "none" if sha256 is None else f"sha256 {sha256[:12]}"


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, each in value.items():
        path = f"{prefix}{name}"
        flat |= _flat(each, f"{path}.") if isinstance(each, dict) else {path: each}
    return flat


def _notes(first: Run, second: Run, labels: tuple[str, str], paired: int) -> Iterable[str]:
    for label, run in zip(labels, (first, second), strict=True):
        if len(run.answers) != run.manifest.questions:
            yield (
                f"'{label}' is not finished ({len(run.answers)} of {run.manifest.questions}); only the {paired} "
                "questions that both have answered are compared."
            )
        lost = sum(answer.choice is None for answer in run.answers)
        if lost:
            yield f"'{label}' has no answer to {lost} question{'' if lost == 1 else 's'}; these count as wrong."
