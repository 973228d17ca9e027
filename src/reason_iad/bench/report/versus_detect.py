"""A comparison of two detection runs as Markdown, and as JSON."""

from __future__ import annotations

import json
from typing import Any

from reason_iad.bench.detect.comparison import FEW, DetectComparison, DetectRow
from reason_iad.bench.detect.records import METRIC_NAMES
from reason_iad.bench.report.difference import CHANCE, SAME, average_sentence, between, points, word
from reason_iad.bench.report.facts import p_value
from reason_iad.bench.report.markdown import escape, grid
from reason_iad.bench.report.tables import Grid, clip, percent
from reason_iad.bench.statistics import RESAMPLES

TOO_FEW = "too few images"


def render_detect_comparison(comparison: DetectComparison) -> str:
    """The comparison as Markdown, its conclusion in words at the end."""
    first, second = comparison.labels
    lines = [f"# {escape(first)} against {escape(second)}", "", f"A is '{escape(first)}', B is '{escape(second)}'."]
    if comparison.differs:
        rows = tuple((name, clip(ours, 60), clip(theirs, 60)) for name, ours, theirs in comparison.differs)
        lines += ["", *grid(Grid("What differs", ("condition", "A", "B"), rows, labels=3))]
    lines += ["", *grid(_images(comparison))]
    if comparison.pixels:
        lines += ["", *grid(_pixels(comparison))]
    lines += [line for note in comparison.notes for line in ("", escape(note))]
    lines += ["", "## Conclusion", "", *(f"- {escape(sentence)}" for sentence in detect_conclusion(comparison))]
    return "\n".join(lines) + "\n"


def detect_conclusion(comparison: DetectComparison) -> list[str]:
    """What may be claimed, in plain words."""
    mean = comparison.means[0]
    if mean.few:
        few = ", ".join(row.name for row in comparison.categories if row.few)
        return [
            f"There are too few images to say which run is better. At least {FEW} good and {FEW} abnormal images "
            f"are needed in each category. Too few: {few}."
        ]
    of = METRIC_NAMES[mean.metric]
    sentences = [average_sentence(mean.difference, comparison.labels, mean.noise, of=f"mean {of}")]
    if len(comparison.categories) > 1:
        found = [(row, detect_verdict(row)) for row in comparison.categories]
        if clear := [f"{row.name} ({said})" for row, said in found if said not in (CHANCE, SAME)]:
            sentences.append(f"More than chance: {', '.join(clear)}.")
        for each in (CHANCE, SAME):
            if names := [row.name for row, said in found if said == each]:
                sentences.append(f"{each.capitalize()}: {', '.join(names)}.")
    return sentences


def detect_verdict(row: DetectRow) -> str:
    """Who is better, in a word or two."""
    return TOO_FEW if row.few else word(row.difference.value, row.noise)


def detect_comparison_json(comparison: DetectComparison) -> str:
    """The comparison as JSON; metrics in [0, 1], differences are B - A."""
    first, second = comparison.labels
    report = {
        "report_version": "1.0",
        "a": first,
        "b": second,
        "differs": [{"condition": name, "a": ours, "b": theirs} for name, ours, theirs in comparison.differs],
        "categories": [_row(row) for row in comparison.categories],
        "means": [_row(row) for row in comparison.means],
        "pixel_means": [
            {"metric": name, "a": ours, "b": theirs, "difference": theirs - ours}
            for name, ours, theirs in comparison.pixels
        ],
        "notes": list(comparison.notes),
        "conclusion": detect_conclusion(comparison),
    }
    return json.dumps(report, indent=2, ensure_ascii=False) + "\n"


def _images(comparison: DetectComparison) -> Grid:
    rows = [_cells(row) for row in (*comparison.categories, *comparison.means)]
    return Grid(
        title="Images",
        header=("category", "metric", "good", "abnormal", "A", "B", "B - A", "95 % interval", "p", "verdict"),
        rows=tuple(rows),
        labels=2,
        notes=(
            "A and B are percent. B - A is the difference in points: a plus means that B is better.",
            "A run is called better only if the interval does not contain 0 and p is below 0.05. All other "
            "differences may be chance.",
            f"The intervals and p are from a paired bootstrap: images are drawn again {RESAMPLES} times, the same "
            "ones for both runs, good and abnormal ones of each category apart. p of a category is corrected by "
            "Holm's method for the number of categories. The means are over categories.",
        ),
    )


def _pixels(comparison: DetectComparison) -> Grid:
    rows = tuple(
        (METRIC_NAMES[name], percent(ours), percent(theirs), points(theirs - ours))
        for name, ours, theirs in comparison.pixels
    )
    note = "Means over categories. They have no interval, so whether a difference is more than chance is not known."
    return Grid("Pixels", ("metric", "A", "B", "B - A"), rows, (note,))


def _cells(row: DetectRow) -> tuple[str, ...]:
    return (
        row.name, METRIC_NAMES[row.metric], str(row.normal), str(row.abnormal), percent(row.first),
        percent(row.second), points(row.difference.value), between(row.difference),
        p_value(row.p).removeprefix("p ").removeprefix("= "), detect_verdict(row),
    )  # fmt: skip


def _row(row: DetectRow) -> dict[str, Any]:
    low, high = row.difference.interval
    return {
        "name": row.name,
        "metric": row.metric,
        "normal": row.normal,
        "abnormal": row.abnormal,
        "a": row.first,
        "b": row.second,
        "difference": row.difference.value,
        "low": low,
        "high": high,
        "p": row.p,
        "noise": row.noise,
        "verdict": detect_verdict(row),
    }
