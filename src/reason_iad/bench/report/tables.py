"""The tables of a report, as text: what stands where, for whichever format lays it out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from reason_iad.bench.published import Reference, is_mmad, references
from reason_iad.bench.report.summary import Summary
from reason_iad.bench.scoring import Cell, Table, ordered_subtasks
from reason_iad.bench.subtasks import DETECTION, SUBTASKS

NOTHING = "–"
FAILURES_SHOWN = 20

_SHORT = {"Classification": "Class.", "Localization": "Local.", "Description": "Descr."}


WORDS = frozenset({"detail", "verdict"})
"""Columns that are text wherever they stand."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A cell that stands out."""

    text: str


Text = str | Mark


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of text.

    Attributes:
        title: heading; may be empty.
        header: names of the columns.
        rows: as wide as the header.
        notes: sentences below it.
        labels: columns from the left that are text, not figures; so are those named in `WORDS`.
        last: whether the last row is a summary of those above it.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Text, ...], ...]
    notes: tuple[str, ...] = ()
    labels: int = 1
    last: bool = False

    @property
    def left(self) -> tuple[bool, ...]:
        """Per column, whether it is text and stands on the left."""
        return tuple(place < self.labels or name in WORDS for place, name in enumerate(self.header))


def methods_grid(summaries: Sequence[Summary]) -> Grid:
    """One row per run, one column per subtask (mean over datasets), and the average; the best is marked."""
    subtasks = _all_subtasks(summaries)
    rows = [
        (*(summary.scores.table.subtask_average(name) for name in subtasks), summary.scores.table.overall)
        for summary in summaries
    ]
    same = len({summary.manifest.questions_sha256 for summary in summaries}) == 1
    contest = [summary.complete and same for summary in summaries]
    cells = zip(*(_mark_best(column, contest) for column in zip(*rows, strict=True)), strict=True)
    notes = [
        f"'{each.label}' is not finished ({answered(each)}) and takes no part in the marks."
        for each in summaries
        if not each.complete
    ]
    if sum(contest) > 1:
        notes.append(
            "The best is marked. It may be the best by chance: 'bench compare' says whether a difference is more "
            "than chance."
        )
    if not same:
        notes.append("These runs were not asked the same questions; their figures cannot be compared.")
    return Grid(
        title="Runs",
        header=("run", "model", *map(short, subtasks), "Average", "95 % interval", "answered"),
        rows=tuple(
            (summary.label, summary.manifest.model.name, *row, interval(summary.average), answered(summary))
            for summary, row in zip(summaries, cells, strict=True)
        ),
        notes=tuple(notes),
        labels=2,
    )


def accuracy_grid(summary: Summary) -> Grid:
    """Dataset by subtask, exact."""
    table = summary.scores.table
    notes = ["Percent. Unreadable answers and failed images count as wrong."]
    if DETECTION in table.subtasks:
        notes.append(
            f"{DETECTION} is the mean of two shares: of the normal images called normal, and of the abnormal "
            "images called abnormal. A model that always gives the same answer gets 50, however many images are "
            "normal."
        )
    fewer = [
        *(
            _over(f"'{name}'", [(name, other) for other in table.subtasks], table, "subtasks")
            for name in table.datasets
        ),
        *(_over(name, [(other, name) for other in table.datasets], table, "datasets") for name in table.subtasks),
    ]
    if any(fewer):
        notes.append(f"Averages go over what there is: {', '.join(filter(None, fewer))}.")
    return _table_grid("Accuracy", table, notes)


def compatible_grid(summary: Summary) -> Grid:
    """Dataset by subtask, as MMAD's script prints them."""
    note = (
        "Percent, as MMAD's public script would print for these answers: it drops an unreadable answer and the one "
        "behind it, leaves out failed images, and counts a missing cell as 0. For comparison with published tables."
    )
    return _table_grid("Accuracy as MMAD's script counts", summary.compatible.table, [note])


def cells_grid(summary: Summary) -> Grid:
    """Every figure with its counts and its interval."""
    scores = summary.scores
    rows = []
    for dataset in scores.table.datasets:
        for subtask in scores.table.subtasks:
            cell = (dataset, subtask)
            if cell not in scores.tallies:
                continue
            tally = scores.tallies[cell]
            rows.append(
                (dataset, subtask, str(tally.asked), str(tally.right), str(tally.unparsable), str(tally.failed),
                 percent(scores.table.values.get(cell)), interval(summary.intervals.get(cell)),
                 percent(scores.guessing.values.get(cell)))
            )  # fmt: skip
    average = (percent(scores.table.overall), interval(summary.average), percent(scores.guessing.overall))
    total = scores.total
    rows.append(
        ("Average", "", str(total.asked), str(total.right), str(total.unparsable), str(total.failed), *average)
    )
    return Grid(
        title="Counts and intervals",
        header=(
            "dataset",
            "subtask",
            "asked",
            "right",
            "unreadable",
            "failed",
            "accuracy",
            "95 % interval",
            "guessing",
        ),
        rows=tuple(rows),
        notes=(
            f"Wilson's interval; for {DETECTION}, joined from those of normal and of abnormal images (MOVER); for "
            "the average, the wider of those joined and of images resampled. Guessing is choosing blindly.",
        ),
        labels=2,
        last=True,
    )


def detection_grid(summary: Summary) -> Grid:
    """Detection as a two-class problem, per dataset."""
    rows = tuple(
        (dataset, str(each.normal.asked), str(each.abnormal.asked),
         *map(percent, (each.recall, each.precision, each.f1, each.overkill, each.miss)))
        for dataset, each in summary.scores.detection.items()
    )  # fmt: skip
    return Grid(
        title="Detection",
        header=("dataset", "normal", "abnormal", "recall", "precision", "F1", "overkill", "miss"),
        rows=rows,
        notes=("Percent; abnormal is the positive class. Overkill: normal called abnormal. Miss: the reverse.",),
    )


def failures_grid(summary: Summary) -> Grid:
    """The questions that got no answer, the first of them."""
    failures = summary.scores.failures
    rows = tuple(
        (each.question, each.failure or "unparsable", clip(each.error or each.reply or ""))
        for each in failures[:FAILURES_SHOWN]
    )
    more = len(failures) - len(rows)
    return Grid(
        title="Questions without an answer",
        header=("question", "why", "detail"),
        rows=rows,
        notes=(f"And {more} more; --format json lists all.",) if more else (),
        labels=3,
    )


def published_grid(summaries: Sequence[Summary], force: bool = False) -> Grid | None:
    """The runs among what was published, the best average first; None if there is nothing to set beside them."""
    datasets = {name for summary in summaries for name in summary.scores.table.datasets}
    everything = references()
    fitting = [found for each in everything if (found := each.restricted(datasets))] if is_mmad(datasets) else []
    shown = list(everything) if force and not fitting else fitting
    if not shown:
        return None
    notes = ["Rows marked 'measured' are these runs, exact; all others are published figures, not measured here."]
    if force and not fitting:
        notes.append("These runs are not on MMAD's images: the published figures are no yardstick for them.")
    elif len(fitting) < len(everything):
        notes.append("Published tables are restricted to the datasets of these runs; averages alone cannot be.")
    for summary in summaries:
        lacking = [name for name in SUBTASKS if summary.scores.table.subtask_average(name) is None]
        if lacking or not summary.complete or summary.manifest.limit is not None:
            notes.append(
                f"'{summary.label}' was not asked, or has not answered, all that the published figures cover."
            )
    sources = list(dict.fromkeys(each.source for each in shown))
    rows = [*map(_measured_row, summaries), *(_reference_row(each, sources) for each in shown)]
    rows.sort(key=lambda row: -row.average)
    notes += [f"[{number}] {source}." for number, source in enumerate(sources, 1)]
    return Grid(
        title="Beside what was published on MMAD",
        header=("method", "", "shots", *map(short, SUBTASKS), "Average", "source"),
        rows=tuple(row.cells for row in rows),
        notes=tuple(notes),
        labels=2,
    )


class _Ranked(NamedTuple):
    """A row, and the average to sort it by."""

    average: float
    cells: tuple[Text, ...]


def _reference_row(each: Reference, sources: Sequence[str]) -> _Ranked:
    columns = (percent(each.table.subtask_average(name) if each.table else None) for name in SUBTASKS)
    name = f"{each.name} ({each.note})" if each.note else each.name
    source = f"[{sources.index(each.source) + 1}]"
    return _Ranked(each.average, (name, "published", str(each.shots), *columns, percent(each.average), source))


def _measured_row(summary: Summary) -> _Ranked:
    table = summary.scores.table
    columns = (percent(table.subtask_average(name)) for name in SUBTASKS)
    average = -1.0 if table.overall is None else table.overall
    shots = str(summary.manifest.shots)
    return _Ranked(
        average, (Mark(summary.label), "measured", shots, *columns, Mark(percent(table.overall)), "here")
    )


def _over(name: str, cells: Sequence[Cell], table: Table, noun: str) -> str:
    """What an average goes over, if that is not everything; an average of nothing is not shown anyway."""
    there = sum(cell in table.values for cell in cells)
    return f"{name} {there} of {len(cells)} {noun}" if 0 < there < len(cells) else ""


def _table_grid(title: str, table: Table, notes: Iterable[str]) -> Grid:
    rows = [
        (dataset, *(percent(table.values.get((dataset, name))) for name in table.subtasks),
         percent(table.dataset_average(dataset)))
        for dataset in table.datasets
    ]  # fmt: skip
    averages = (percent(table.subtask_average(name)) for name in table.subtasks)
    rows.append(("Average", *averages, percent(table.overall)))
    return Grid(title, ("dataset", *map(short, table.subtasks), "Average"), tuple(rows), tuple(notes), last=True)


def short(subtask: str) -> str:
    """A column's name that fits a terminal."""
    for word, replacement in _SHORT.items():
        subtask = subtask.replace(word, replacement)
    return subtask


def percent(value: float | None) -> str:
    """A share as percent with one decimal."""
    return NOTHING if value is None else f"{100 * value:.1f}"


def interval(bounds: tuple[float, float] | None) -> str:
    """An interval of shares as percent."""
    return NOTHING if bounds is None else f"{100 * bounds[0]:.1f} to {100 * bounds[1]:.1f}"


def clip(text: str, length: int = 160) -> str:
    """One line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1]}…"


def _all_subtasks(summaries: Sequence[Summary]) -> tuple[str, ...]:
    return ordered_subtasks(name for summary in summaries for name in summary.scores.table.subtasks)


def answered(summary: Summary) -> str:
    """How far a run is."""
    return f"{len(summary.answers)} of {summary.manifest.questions}"


def _mark_best(column: Sequence[float | None], contest: Sequence[bool]) -> list[Text]:
    """The largest figure of those in the contest marked, and its equals in print; nothing if there is only one."""
    texts = [percent(value) for value in column]
    values = [value for value, entered in zip(column, contest, strict=True) if entered and value is not None]
    best = percent(max(values)) if len(values) > 1 else None
    return [Mark(text) if entered and text == best else text for text, entered in zip(texts, contest, strict=True)]
