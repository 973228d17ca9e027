"""The plots of a report, as inline SVG in the colours of the page's style sheet.

Drawn with matplotlib's object interface: no pyplot, no global state left behind. A drawing holds nothing of the
runs but numbers and names, and the names are escaped by matplotlib's SVG writer.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from reason_iad.bench.confidence import Bin, Calibration, RiskCoverage
from reason_iad.bench.report.summary import Injection, Summary, Timing
from reason_iad.bench.report.tables import short
from reason_iad.bench.scoring import ordered_subtasks
from reason_iad.bench.statistics import wilson
from reason_iad.report.svg import for_page, page_colours, page_style, settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SERIES = 6
"""Colours for runs in the style sheet; a seventh run has the first one again."""

_COLOURS = page_colours(SERIES)
_STYLE: Any = page_style(_COLOURS) | {
    "text.parse_math": False, "axes.labelsize": 9.5, "axes.axisbelow": True, "legend.labelcolor": _COLOURS["muted"],
}  # fmt: skip
_MARKERS = "osD^vPX"
_POINTS = 300  # of a curve: more cannot be seen


def accuracy_plot(summaries: Sequence[Summary]) -> str:
    """Accuracy per subtask with its interval, one colour per run, and what guessing would reach."""
    names = [
        name
        for name in ordered_subtasks(each for summary in summaries for each in summary.scores.table.subtasks)
        if any(name in summary.subtasks for summary in summaries)
    ]
    rows = [*names, "Average"]
    height = 0.7 + len(rows) * (0.3 + 0.13 * len(summaries)) + (0.3 if len(summaries) > 1 else 0)
    with _drawing("accuracy", (7.6, height)) as drawing:
        axes = drawing.axes
        for number, summary in enumerate(summaries):
            table, shift = (
                summary.scores.table,
                (number - (len(summaries) - 1) / 2) * min(0.16, 0.8 / len(summaries)),
            )
            colour = _COLOURS["accent"] if len(summaries) == 1 else _COLOURS[f"s{number % SERIES + 1}"]
            points = [
                (place, value, bounds)
                for place, name in enumerate(rows)
                for value, bounds in [
                    (table.overall, summary.average)
                    if name == "Average"
                    else (table.subtask_average(name), summary.subtasks.get(name))
                ]
                if value is not None and bounds is not None
            ]
            axes.errorbar(
                [100 * value for _, value, _ in points], [place + shift for place, _, _ in points],
                xerr=[[100 * max(0.0, value - low) for _, value, (low, _) in points],
                      [100 * max(0.0, high - value) for _, value, (_, high) in points]],
                fmt=_MARKERS[number % len(_MARKERS)], color=colour, ms=5, lw=1.4, capsize=2.5,
                label=f"\u200b{summary.label}",  # matplotlib hides labels that begin with an underscore
            )  # fmt: skip
        _guessing(axes, summaries[0], rows)
        axes.set_yticks(range(len(rows)), rows, color=_COLOURS["ink"])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.axhline(len(rows) - 1.5, color=_COLOURS["line"], lw=1)
        axes.grid(axis="y", visible=False)
        axes.set_xlim(0, 100)
        axes.set_xlabel("accuracy, percent, with 95 % interval")
        if len(summaries) > 1:
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, borderpad=0, handletextpad=0.4)
    return drawing.svg


def reliability_plot(found: Calibration, name: str) -> str:
    """Accuracy against confidence, in bins of equal size."""
    with _drawing(f"reliability-{name}") as drawing:
        axes = drawing.axes
        axes.plot([0, 100], [0, 100], "--", color=_COLOURS["muted"], lw=1)
        _binned(axes, found.bins, scale=100)
        axes.set_xlim(-3, 103)
        axes.set_xlabel("confidence, percent")
    return drawing.svg


def reward_plot(bins: Sequence[Bin], name: str) -> str:
    """Accuracy per tenth of the answers by their reward."""
    with _drawing(f"reward-{name}") as drawing:
        _binned(drawing.axes, bins)
        drawing.axes.set_xlabel("best reward of latent reasoning")
    return drawing.svg


def risk_plot(found: RiskCoverage, name: str) -> str:
    """Share of wrong answers when only the surest are kept."""
    with _drawing(f"risk-{name}") as drawing:
        axes = drawing.axes
        step = max(1, len(found.coverage) // _POINTS)
        keep = sorted({*range(0, len(found.coverage), step), len(found.coverage) - 1})
        axes.plot(
            [100 * found.coverage[place] for place in keep], [100 * found.risk[place] for place in keep],
            color=_COLOURS["accent"], lw=1.8, marker="o" if len(keep) == 1 else None,
        )  # fmt: skip
        axes.axhline(100 * found.risk[-1], color=_COLOURS["muted"], lw=1, ls="--")
        axes.set_xlim(0, 100)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("answers kept, the surest first, percent")
        axes.set_ylabel("wrong among them, percent")
    return drawing.svg


def injection_plot(found: Injection, name: str) -> str:
    """Share of injected patches that touch the mask, and of all patches, per subtask."""
    with _drawing(f"injection-{name}") as drawing:
        axes = drawing.axes
        places = list(range(len(found.subtasks)))
        inside, chance = zip(*found.subtasks.values(), strict=True)
        axes.barh(places, [100 * value for value in inside], 0.5, color=_COLOURS["accent"], label="injected")
        axes.plot(
            [100 * value for value in chance], places, "|", color=_COLOURS["ink"], ms=17, mew=2, label="by chance"
        )
        axes.set_yticks(places, [short(each) for each in found.subtasks])
        axes.set_ylim(len(places) - 0.5, -0.5)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("patches that touch the mask, percent")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderpad=0, handletextpad=0.5)
    return drawing.svg


def latency_plot(timing: Timing, name: str) -> str:
    """How long questions took, on a logarithmic scale."""
    import numpy as np

    with _drawing(f"latency-{name}") as drawing:
        axes = drawing.axes
        low, high = max(timing.ms[0], 0.1), max(timing.ms[-1], 0.2)
        edges = np.geomspace(low / 1.02, high * 1.02, 31)
        axes.hist(np.clip(timing.ms, low, None), edges.tolist(), color=_COLOURS["accent"])
        axes.axvline(timing.median, color=_COLOURS["ink"], lw=1.4)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_formatter(lambda value, _: f"{value:g}" if str(value)[0] in "25" else "")
        axes.grid(axis="x", visible=False)
        axes.set_xlabel("milliseconds per question")
        axes.set_ylabel("questions")
    return drawing.svg


def _guessing(axes: Axes, summary: Summary, rows: Sequence[str]) -> None:
    table = summary.scores.guessing
    values = [table.overall if name == "Average" else table.subtask_average(name) for name in rows]
    there = [(100 * value, place) for place, value in enumerate(values) if value is not None]
    axes.plot(
        [x for x, _ in there], [y for _, y in there], "|", color=_COLOURS["muted"], ms=16, mew=1.6, label="guessing"
    )


def _binned(axes: Axes, bins: Sequence[Bin], scale: float = 1.0) -> None:
    """Accuracy of bins with Wilson's intervals, over the mean of their values."""
    bounds = [wilson(each.right, each.asked) for each in bins]
    axes.errorbar(
        [scale * each.mean for each in bins], [100 * each.accuracy for each in bins],
        yerr=[[100 * max(0.0, each.accuracy - low) for each, (low, _) in zip(bins, bounds, strict=True)],
              [100 * max(0.0, high - each.accuracy) for each, (_, high) in zip(bins, bounds, strict=True)]],
        fmt="o-", color=_COLOURS["accent"], ms=4.5, lw=1.4, capsize=2,
    )  # fmt: skip
    axes.set_ylim(-3, 103)
    axes.set_yticks(range(0, 101, 20))
    axes.set_ylabel("accuracy, percent")


class _Drawing:
    """A figure with one pair of axes; `svg` is there once it is finished."""

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        self.axes: Axes = figure.subplots()
        self.svg = ""


@contextmanager
def _drawing(name: str, size: tuple[float, float] = (4.6, 3.1)) -> Iterator[_Drawing]:
    """A drawing in the style of the page; its name keeps the ids in the SVG unique, and the same every time."""
    import matplotlib
    from matplotlib.figure import Figure

    with settings, matplotlib.rc_context(_STYLE | {"svg.hashsalt": name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the browser has the fonts, text stays text
        drawing = _Drawing(Figure(figsize=size, layout="constrained"))
        yield drawing
        drawing.axes.tick_params(length=0, which="both")
        text = io.StringIO()
        drawing.figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    drawing.svg = for_page(text.getvalue(), _COLOURS)
