"""The plots of a product's check: probability of detection against size, and scores of known parts."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reason_iad.report.svg import for_page, page_colours, page_style, settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = page_colours(2)
LINEAR = 10
"""Scores up to here are drawn on an even scale."""


@dataclass(frozen=True, slots=True)
class Curve:
    """How often defects of one kind are found, by their size.

    Attributes:
        title: the kind.
        words: what it means.
        unit: of sizes: mm or px.
        points: size, probability of detection, and its lower and upper bound.
        sizes, hits: of the defects that were drawn, and whether each was found.
        promised: from which size on 9 of 10 are found; None: not shown.
    """

    title: str
    words: str
    unit: str
    points: tuple[tuple[float, float, float, float], ...]
    sizes: tuple[float, ...]
    hits: tuple[bool, ...]
    promised: float | None


@dataclass(frozen=True, slots=True)
class Scores:
    """How far known parts stand out.

    Attributes:
        good, defective: scores.
        pass_below, defect_from: the limits; the second may be missing.
    """

    good: tuple[float, ...]
    defective: tuple[float, ...]
    pass_below: float
    defect_from: float | None


def curve_plot(curve: Curve, name: str) -> str:
    """An `<svg>` element of a curve. `name` is unique on the page."""
    with _drawing(name, (4.6, 2.9)) as (figure, svg):
        axes = figure.subplots()
        size, pod, low, high = zip(*curve.points, strict=True)
        axes.fill_between(size, low, high, color=_COLOURS["accent"], alpha=0.15, lw=0)
        axes.plot(size, pod, color=_COLOURS["accent"], lw=2)
        marks = [1.06 if hit else -0.06 for hit in curve.hits]
        axes.plot(curve.sizes, marks, "|", color=_COLOURS["muted"], ms=6)
        axes.axhline(0.9, color=_COLOURS["muted"], lw=0.8, ls=":")
        if curve.promised is not None:
            axes.axvline(curve.promised, color=_COLOURS["s2"], lw=1.4, ls="--")
        _sizes_axis(axes, curve.unit)
        axes.set_ylim(-0.12, 1.12)
        axes.set_yticks([0, 0.5, 0.9], ["none", "half", "9 of 10"])
        axes.tick_params(length=0)
        figure.savefig(svg, format="svg", transparent=True, metadata={"Date": None})
    return for_page(svg.getvalue(), _COLOURS)


def scores_plot(scores: Scores, name: str) -> str:
    """An `<svg>` element of the scores and the limits. `name` is unique on the page."""
    with _drawing(name, (5.4, 1.9 if scores.defective else 1.4)) as (figure, svg):
        axes = figure.subplots()
        rows = [("good", scores.good, "accent")]
        rows += [("defective", scores.defective, "s2")] if scores.defective else []
        for row, (_, values, colour) in enumerate(rows):
            heights = [-row + 0.5 * ((number * 0.618) % 1 - 0.5) for number in range(len(values))]
            axes.plot(sorted(values), heights, "o", color=_COLOURS[colour], ms=4, alpha=0.6, mew=0)
        for limit in sorted({scores.pass_below, scores.defect_from or scores.pass_below}):
            axes.axvline(limit, color=_COLOURS["ink"], lw=1.2, ls="--")
        _scores_axis(axes, max((*scores.good, *scores.defective, scores.pass_below)))
        axes.set_yticks([-row for row in range(len(rows))], [name for name, _, _ in rows])
        axes.set_ylim(-len(rows) + 0.5, 0.5)
        axes.set_xlabel("how far parts stand out from good ones, in standard deviations")
        axes.tick_params(length=0)
        axes.grid(False, axis="y")
        figure.savefig(svg, format="svg", transparent=True, metadata={"Date": None})
    return for_page(svg.getvalue(), _COLOURS)


@contextmanager
def _drawing(name: str, size: tuple[float, float]) -> Iterator[tuple[Figure, io.StringIO]]:
    """A figure in the style of the page, and where its SVG goes."""
    import matplotlib
    from matplotlib.figure import Figure

    style: Any = page_style(_COLOURS) | {"svg.hashsalt": name}
    with settings, matplotlib.rc_context(style):
        yield Figure(figsize=size, layout="constrained"), io.StringIO()


def _sizes_axis(axes: Axes, unit: str) -> None:
    """A logarithmic axis with a few plain numbers."""
    from matplotlib.ticker import FixedLocator, NullLocator

    axes.set_xscale("log")
    low, high = axes.get_xlim()
    steps = [digit * 10.0**power for power in range(-4, 6) for digit in (1, 2, 5)]
    axes.xaxis.set_major_locator(FixedLocator(_few([step for step in steps if low <= step <= high])))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel(f"length in {unit}")


def _scores_axis(axes: Axes, largest: float) -> None:
    """An axis that is logarithmic beyond 10 where defective parts stand out far, with a few plain numbers."""
    from matplotlib.ticker import FixedLocator, NullLocator

    if largest > 2 * LINEAR:
        axes.set_xscale("symlog", linthresh=LINEAR)
    low, high = axes.get_xlim()
    steps = [-50, -20, -10, -5, 0, 5, 10, *(digit * 10**power for power in range(1, 6) for digit in (2, 5, 10))]
    axes.xaxis.set_major_locator(FixedLocator([step for step in steps if low <= step <= high]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")


def _few(values: Sequence[float]) -> list[float]:
    return list(values[:: max(1, len(values) // 6 + (len(values) % 6 > 0))] if len(values) > 7 else values)
