"""A comparison of two runs as Markdown, and as JSON."""

from __future__ import annotations

import json
from typing import Any

from reason_iad.bench.comparison import Comparison, Row
from reason_iad.bench.report.difference import CHANCE, SAME, average_sentence, between, points, word
from reason_iad.bench.report.facts import p_value
from reason_iad.bench.report.markdown import escape, grid
from reason_iad.bench.report.tables import Grid, clip, percent
from reason_iad.bench.statistics import Difference


def render_comparison(comparison: Comparison) -> str:
    """The comparison as Markdown, its conclusion in words at the end."""
    first, second = comparison.labels
    lines = [f"# {escape(first)} against {escape(second)}", "", f"A is '{escape(first)}', B is '{escape(second)}'."]
    if comparison.differs:
        rows = tuple((name, clip(ours, 60), clip(theirs, 60)) for name, ours, theirs in comparison.differs)
        lines += ["", *grid(Grid("What differs", ("condition", "A", "B"), rows, labels=3))]
    lines += ["", *grid(_grid(comparison))]
    lines += [line for note in comparison.notes for line in ("", escape(note))]
    lines += ["", "## Conclusion", "", *(f"- {escape(sentence)}" for sentence in conclusion(comparison))]
    return "\n".join(lines) + "\n"


def conclusion(comparison: Comparison) -> list[str]:
    """What may be claimed, in plain words."""
    sentences = [average_sentence(comparison.average, comparison.labels, comparison.noise)]
    rows = comparison.rows
    if clear := [row for row in rows if verdict(row) not in (CHANCE, SAME)]:
        sentences.append("More than chance: " + ", ".join(f"{row.name} ({verdict(row)})" for row in clear) + ".")
    for each in (CHANCE, SAME):
        if names := [row.name for row in rows if verdict(row) == each]:
            sentences.append(f"{each.capitalize()}: {', '.join(names)}.")
    if narrow := [row.name for row in rows if verdict(row) == CHANCE and not row.holds_zero]:
        sentences.append(
            f"The interval of {', '.join(narrow)} does not contain 0. Even so it may be chance: among {len(rows)} "
            "kinds of questions, one such interval is easily found by chance. The corrected p-value counts."
        )
    return sentences


def verdict(row: Row) -> str:
    """Who is better, in a word or two."""
    return word(row.difference.value, row.noise)


def comparison_json(comparison: Comparison) -> str:
    """The comparison as JSON; shares in [0, 1], differences are B - A."""
    first, second = comparison.labels
    report = {
        "report_version": "1.0",
        "a": first,
        "b": second,
        "differs": [{"condition": name, "a": ours, "b": theirs} for name, ours, theirs in comparison.differs],
        "subtasks": [_row(row) for row in comparison.rows],
        "all_questions": _row(comparison.total),
        "average": {
            "a": comparison.averages[0],
            "b": comparison.averages[1],
            **_difference(comparison.average),
            "noise": comparison.noise,
            "verdict": word(comparison.average.value, comparison.noise),
        },
        "agreement": comparison.agreement,
        "notes": list(comparison.notes),
        "conclusion": conclusion(comparison),
    }
    return json.dumps(report, indent=2, ensure_ascii=False) + "\n"


def _grid(comparison: Comparison) -> Grid:
    rows = [_cells(row, _bare(row.corrected)) for row in comparison.rows]
    rows.append(_cells(comparison.total, ""))
    average, (ours, theirs) = comparison.average, comparison.averages
    rows.append(
        ("Average", "", percent(ours), percent(theirs), points(average.value), between(average),
         "", "", "", "", word(average.value, comparison.noise))
    )  # fmt: skip
    return Grid(
        title="Accuracy",
        header=(
            "subtask",
            "n",
            "A",
            "B",
            "B - A",
            "95 % interval",
            "only A",
            "only B",
            "p",
            "corrected",
            "verdict",
        ),
        rows=tuple(rows),
        notes=(
            "A and B are percent of right answers. B - A is the difference in points: a plus means that B is "
            "better.",
            "A run is called better only if the interval does not contain 0 and the corrected p-value is below "
            "0.05. The average has no p-value, so its interval decides alone. All other differences may be chance.",
            "Only A, only B: the number of questions that only this run has right. The intervals are Newcombe's "
            "for paired shares. In the last two rows they are widened where images, drawn again at random, differ "
            "more. The test is McNemar's exact test, corrected by Holm's method for the number of kinds of "
            "questions. Anomaly Detection weighs normal and abnormal images alike. The average is over subtasks, "
            "then over datasets, as in bench report.",
            f"A and B chose the same option in {percent(comparison.agreement)} % of {comparison.total.pairs.asked} "
            "questions.",
        ),
        last=True,
    )


def _cells(row: Row, corrected: str) -> tuple[str, ...]:
    return (
        row.name, str(row.pairs.asked), percent(row.first), percent(row.second), points(row.difference.value),
        between(row.difference), str(row.pairs.second), str(row.pairs.first), _bare(row.p), corrected, verdict(row),
    )  # fmt: skip


def _bare(p: float) -> str:
    return p_value(p).removeprefix("p ").removeprefix("= ")


def _difference(difference: Difference) -> dict[str, Any]:
    low, high = difference.interval
    return {"difference": difference.value, "low": low, "high": high}


def _row(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "n": row.pairs.asked,
        "a": row.first,
        "b": row.second,
        **_difference(row.difference),
        "both_right": row.pairs.both,
        "only_a_right": row.pairs.second,
        "only_b_right": row.pairs.first,
        "both_wrong": row.pairs.neither,
        "p": row.p,
        "p_corrected": row.corrected,
        "noise": row.noise,
        "verdict": verdict(row),
    }
