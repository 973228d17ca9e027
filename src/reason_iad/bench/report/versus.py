"""A comparison of two runs as Markdown, and as JSON."""

from __future__ import annotations

import json
from typing import Any

from reason_iad.bench.comparison import Comparison, Row
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
    first, second = comparison.labels
    value, (low, high) = comparison.average
    ahead = f"'{second if value > 0 else first}'"
    points = f"{percent(abs(value))} points (95 % interval of B - A: {_points(low)} to {_points(high)})"
    if value == 0:
        sentences = ["The averages are the same."]
    elif comparison.noise:
        sentences = [
            f"Warning: {ahead} is ahead by {points}, but the interval contains 0. This difference is noise: "
            "it does not tell the runs apart."
        ]
    else:
        sentences = [f"{ahead} is ahead by {points}. Chance alone does not explain it."]
    clear = [row for row in comparison.rows if not row.noise]
    noisy = [row.name for row in comparison.rows if row.noise]
    if clear:
        sentences.append("Clear differences: " + ", ".join(f"{row.name} ({verdict(row)})" for row in clear) + ".")
    if noisy:
        sentences.append(f"Noise, after correction for {len(comparison.rows)} subtasks: {', '.join(noisy)}.")
    return sentences


def verdict(row: Row) -> str:
    """Who is better, in a word or two."""
    if row.pairs.first + row.pairs.second == 0:
        return "no difference seen"
    if row.noise:
        return "noise"
    return "B better" if row.difference.value > 0 else "A better"


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
        },
        "agreement": comparison.agreement,
        "notes": list(comparison.notes),
        "conclusion": conclusion(comparison),
    }
    return json.dumps(report, indent=2, ensure_ascii=False) + "\n"


def _grid(comparison: Comparison) -> Grid:
    rows = [_cells(row, _bare(row.corrected)) for row in comparison.rows]
    rows.append(_cells(comparison.total, ""))
    value, (low, high) = comparison.average
    ours, theirs = comparison.averages
    better = "B better" if value > 0 else "A better"
    word = "no difference seen" if value == 0 else "noise" if comparison.noise else better
    rows.append(
        ("Average", "", percent(ours), percent(theirs), _points(value), f"{_points(low)} to {_points(high)}",
         "", "", "", "", word)
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
            "Percent, questions of all datasets together; only A, only B: questions that only this run has right. "
            "Intervals are Newcombe's for paired shares, in the last two rows widened to resampled images' ones; "
            "the test is McNemar's, exact, corrected by Holm's method. Anomaly Detection weighs normal and "
            "abnormal images alike. The average is over subtasks, then datasets, as in bench report.",
            f"A and B chose the same option in {percent(comparison.agreement)} % of {comparison.total.pairs.asked} "
            "questions.",
        ),
        last=True,
    )


def _cells(row: Row, corrected: str) -> tuple[str, ...]:
    low, high = row.difference.interval
    return (
        row.name, str(row.pairs.asked), percent(row.first), percent(row.second), _points(row.difference.value),
        f"{_points(low)} to {_points(high)}", str(row.pairs.second), str(row.pairs.first),
        _bare(row.p),
        corrected, verdict(row),
    )  # fmt: skip


def _bare(p: float) -> str:
    return p_value(p).removeprefix("p ").removeprefix("= ")


def _points(value: float) -> str:
    return f"{round(100 * value, 1) + 0.0:+.1f}"  # adding 0 turns -0.0 into +0.0


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
