"""A report as one HTML page: self-contained, without scripts, printable, and escaped throughout.

It shares the style sheet of the inspection report; questions, names and errors were written by others, so nothing
but the plots enters the page unescaped, and they hold only what matplotlib has escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reason_iad.bench.report.facts import conditions, findings
from reason_iad.bench.report.plots import (
    accuracy_plot,
    injection_plot,
    latency_plot,
    reliability_plot,
    reward_plot,
    risk_plot,
)
from reason_iad.bench.report.summary import Summary
from reason_iad.bench.report.tables import (
    Grid,
    Mark,
    accuracy_grid,
    cells_grid,
    compatible_grid,
    detection_grid,
    failures_grid,
    interval,
    methods_grid,
    percent,
    published_grid,
)


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing, and what it shows, for those who read it and those who cannot see it."""

    title: str
    svg: str
    caption: str
    wide: bool = False


@dataclass(frozen=True, slots=True)
class RunView:
    """What the page says about one run; `main` is always seen, `more` is folded."""

    label: str
    average: str
    interval: str
    guessing: str
    answered: str
    complete: bool
    conditions: list[tuple[str, str]]
    notes: tuple[str, ...]
    main: list[Grid]
    more: list[Grid]
    findings: list[str]
    plots: list[Plot]


def render_page(summaries: Sequence[Summary], *, published: bool | None = None) -> str:
    """The report of some runs as HTML; see `render`."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=ChoiceLoader([PackageLoader("reason_iad", "bench/report"), PackageLoader("reason_iad", "report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["mark"] = lambda cell: isinstance(cell, Mark)
    answered = [summary for summary in summaries if summary.answers]
    return environment.get_template("page.html.j2").render(
        title="Benchmark report: " + ", ".join(summary.label for summary in summaries),
        methods=methods_grid(summaries) if len(summaries) > 1 else None,
        overview=_overview(answered) if len(answered) > 1 else None,
        runs=[_view(summary, number, alone=len(answered) == 1) for number, summary in enumerate(summaries, 1)],
        published=published_grid(summaries, force=bool(published)) if published is not False else None,
        hidden=published is None,
    )


def _view(summary: Summary, number: int, alone: bool) -> RunView:
    grids = [cells_grid(summary), compatible_grid(summary)] if summary.answers else []
    if summary.scores.failures:
        grids.append(failures_grid(summary))
    return RunView(
        label=summary.label,
        average=percent(summary.scores.table.overall),
        interval=interval(summary.average),
        guessing=percent(summary.scores.guessing.overall),
        answered=f"{len(summary.answers)} of {summary.manifest.questions}",
        complete=summary.complete,
        conditions=conditions(summary),
        notes=summary.notes,
        main=[each for each in (accuracy_grid(summary), detection_grid(summary)) if each.rows and summary.answers],
        more=grids,
        findings=findings(summary),
        plots=([_overview([summary])] if alone and summary.answers else []) + _plots(summary, f"run{number}"),
    )


def _overview(summaries: Sequence[Summary]) -> Plot:
    return Plot(
        "Accuracy per subtask",
        accuracy_plot(summaries),
        "Mean over datasets, exact. The grey mark is what guessing would reach. The figures are in the table.",
        wide=True,
    )


def _plots(summary: Summary, name: str) -> list[Plot]:
    plots = []
    if summary.calibration:
        caption = "On the dashed line the model is as often right as it is sure. Tenths of the answers."
        plots.append(Plot("Is it right when it is sure?", reliability_plot(summary.calibration, name), caption))
    if summary.risk:
        caption = "How many answers would be wrong if the least sure ones went to a person. Dashed: none does."
        plots.append(Plot("What if only sure answers count?", risk_plot(summary.risk, name), caption))
    if summary.rewards:
        caption = "Tenths of the answers by their reward. If it rises, a better rewarded state answers better."
        plots.append(Plot("Does the reward know?", reward_plot(summary.rewards, name), caption))
    if summary.injection:
        caption = "Images with a defect's mask. Bars beyond the marks: injection finds the defect."
        plots.append(
            Plot("Are the injected patches at the defect?", injection_plot(summary.injection, name), caption)
        )
    if summary.timing:
        caption = f"Median {summary.timing.median:.0f} ms (line), peak memory {summary.timing.peak_mb:.0f} MB."
        plots.append(Plot("How long does a question take?", latency_plot(summary.timing, name), caption))
    return plots
