"""The metrics as a table: Markdown or CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from reason_iad.bench.detect.records import METRIC_NAMES, CategoryMetrics, DetectReport, ScoreRecord

UNDEFINED = "–"


def as_markdown(report: DetectReport) -> str:
    """One row per category and the mean, in percent with one decimal; what is undefined is explained below."""
    rows = [
        [one.category, str(one.normal), str(one.abnormal), *(_percent(getattr(one, name)) for name in METRIC_NAMES)]
        for one in report.categories
    ]
    if len(rows) > 1:
        rows.append(["**mean**", "", "", *(_percent(report.mean[name]) for name in METRIC_NAMES)])
    heads = ["category", "normal", "abnormal", *METRIC_NAMES.values()]
    lines = [_row(heads), _row(["---", *["---:"] * (len(heads) - 1)]), *(_row(row) for row in rows)]
    notes = list(_notes(report))
    return "\n".join([*lines, *(["", *notes] if notes else [])]) + "\n"


def as_csv(report: DetectReport) -> str:
    """One row per category and '(mean)', as fractions in full precision; what is undefined is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["category", "normal", "abnormal", "failed", *METRIC_NAMES])
    for one in report.categories:
        values = [getattr(one, name) for name in METRIC_NAMES]
        writer.writerow([one.category, one.normal, one.abnormal, one.failed, *map(_exact, values)])
    writer.writerow(["(mean)", "", "", "", *(_exact(report.mean[name]) for name in METRIC_NAMES)])
    return text.getvalue()


def scores_as_csv(records: Sequence[ScoreRecord]) -> str:
    """One row per image, with a column for each further number; what an image does not have is empty."""
    text = io.StringIO()
    details = sorted({name for record in records for name in record.details})
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "category", "kind", "label", "score", *details, "error"])
    for record in records:
        numbers = [record.score, *(record.details.get(name) for name in details)]
        error = record.error or ""
        writer.writerow([record.id, record.category, record.kind, record.label, *map(_exact, numbers), error])
    return text.getvalue()


def _notes(report: DetectReport) -> Iterable[str]:
    """What a reader of the table must know."""
    for one in report.categories:
        if one.failed:
            yield f"- {one.category}: {one.failed} images failed and are in no metric."
        for reason, names in _by_reason(one).items():
            yield f"- {one.category}: no {', '.join(names)}, because {reason}."
    if len(report.categories) > 1:
        for name, count in report.mean_of.items():
            if 0 < count < len(report.categories):
                yield f"- The mean {METRIC_NAMES[name]} is over {count} of {len(report.categories)} categories."
    if any(one.saturated for one in report.categories):
        yield "- Overlap saturates as defects_config.json says: AUPRO is AU-sPRO (MVTec LOCO)."


def _by_reason(one: CategoryMetrics) -> dict[str, list[str]]:
    reasons: dict[str, list[str]] = {}
    for name in METRIC_NAMES:
        if name in one.undefined:
            reasons.setdefault(one.undefined[name], []).append(METRIC_NAMES[name])
    return reasons


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _percent(value: float | None) -> str:
    return UNDEFINED if value is None else f"{100 * value:.1f}"


def _exact(value: float | None) -> str:
    return "" if value is None else repr(value)
