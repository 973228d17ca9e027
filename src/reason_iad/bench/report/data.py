"""A report as data: CSV with one row per run, dataset and subtask, and JSON with everything. Shares in [0, 1]."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

from reason_iad.bench.compatible import Compatible
from reason_iad.bench.published import Reference, is_mmad, references
from reason_iad.bench.report.summary import Summary, Timing
from reason_iad.bench.scoring import Scores, Table

REPORT_VERSION = "1.0"
"""Version of the JSON; a new field raises the minor number."""

COLUMNS = (
    "run", "method", "model", "dataset", "subtask", "asked", "right", "unparsable", "failed",
    "accuracy", "low", "high", "compatible",
)  # fmt: skip


def render_csv(summaries: Sequence[Summary]) -> str:
    """One row per run, dataset and subtask; a cell without questions has no row."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for summary in summaries:
        manifest, table = summary.manifest, summary.scores.table
        for cell in (cell for d in table.datasets for s in table.subtasks if (cell := (d, s)) in table.values):
            tally = summary.scores.tallies[cell]
            figures = (table.values[cell], *summary.intervals[cell], summary.compatible.table.values.get(cell))
            writer.writerow(
                [summary.label, manifest.method, manifest.model.name, *cell,
                 tally.asked, tally.right, tally.unparsable, tally.failed,
                 *("" if value is None else f"{value:.6f}" for value in figures)]
            )  # fmt: skip
    return text.getvalue()


def render_json(summaries: Sequence[Summary], *, published: bool | None = None) -> str:
    """Everything that the other formats say, and every failure."""
    datasets = {name for summary in summaries for name in summary.scores.table.datasets}
    shown = references() if published or (published is None and is_mmad(datasets)) else ()
    report = {
        "report_version": REPORT_VERSION,
        "runs": [_run(summary) for summary in summaries],
        "published": [_reference(each) for each in shown],
    }
    return json.dumps(report, indent=2, ensure_ascii=False) + "\n"


def _run(summary: Summary) -> dict[str, Any]:
    return {
        "label": summary.label,
        "manifest": summary.manifest.model_dump(mode="json"),
        "answered": len(summary.answers),
        "complete": summary.complete,
        "notes": list(summary.notes),
        "exact": _exact(summary.scores, summary),
        "compatible": _compatible(summary.compatible),
        "calibration": _plain(summary.calibration),
        "risk_coverage": _plain(summary.risk),
        "by_reward": _plain(summary.rewards),
        "reasoning": _plain(summary.reasoning),
        "injection": _plain(summary.injection),
        "timing": _timing(summary.timing),
        "failures": [
            {"question": each.question, "failure": each.failure, "error": each.error, "reply": each.reply}
            for each in summary.scores.failures
        ],
    }


def _exact(scores: Scores, summary: Summary) -> dict[str, Any]:
    cells = [
        {
            "dataset": dataset,
            "subtask": subtask,
            **asdict(tally),
            "accuracy": scores.table.values.get((dataset, subtask)),
            "interval": _plain(summary.intervals.get((dataset, subtask))),
            "guessing": scores.guessing.values.get((dataset, subtask)),
        }
        for (dataset, subtask), tally in scores.tallies.items()
    ]
    detection = {
        dataset: {name: getattr(each, name) for name in ("recall", "precision", "f1", "overkill", "miss")}
        | {"normal": asdict(each.normal), "abnormal": asdict(each.abnormal)}
        for dataset, each in scores.detection.items()
    }
    return {
        "cells": cells,
        **_averages(scores.table),
        "interval": _plain(summary.average),
        "subtask_intervals": _plain(summary.subtasks),
        "guessing": scores.guessing.overall,
        "total": asdict(scores.total),
        "detection": detection,
    }


def _compatible(same: Compatible) -> dict[str, Any]:
    return {
        "cells": [
            {"dataset": dataset, "subtask": subtask, "accuracy": value}
            for (dataset, subtask), value in same.table.values.items()
        ],
        **_averages(same.table),
        "detection": _plain(same.detection),
        "unreadable": same.unreadable,
        "overlooked": same.overlooked,
        "left_out": same.left_out,
    }


def _averages(table: Table) -> dict[str, Any]:
    return {
        "datasets": {name: table.dataset_average(name) for name in table.datasets},
        "subtasks": {name: table.subtask_average(name) for name in table.subtasks},
        "average": table.overall,
    }


def _timing(timing: Timing | None) -> dict[str, Any] | None:
    if timing is None:
        return None
    quantiles = {f"p{round(100 * q)}_ms": timing.quantile(q) for q in (0.5, 0.9, 0.95, 0.99)}
    return {"questions": len(timing.ms), "total_ms": sum(timing.ms), **quantiles, "peak_mb": timing.peak_mb}


def _reference(each: Reference) -> dict[str, Any]:
    values = {} if each.table is None else each.table.values
    return {
        "name": each.name,
        "average": each.average,
        "shots": each.shots,
        "trained_on_mmad": each.trained,
        "source": each.source,
        "note": each.note,
        "cells": [
            {"dataset": dataset, "subtask": subtask, "accuracy": value}
            for (dataset, subtask), value in values.items()
        ],
    }


def _plain(value: Any) -> Any:
    """Dataclasses and named tuples as objects, by the names of their fields."""
    if hasattr(value, "_asdict"):
        return {name: _plain(each) for name, each in value._asdict().items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
