"""The plot of one question's reasoning: reward and entropy per step, as inline SVG.

Drawn with matplotlib's object interface (no pyplot, no global state left behind). Colours and fonts are then
handed over to the page's style sheet, so that one drawing serves the light and the dark scheme and print.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from reason_iad.report.pictures import SERIES
from reason_iad.report.svg import for_page, page_colours, page_style, settings
from reason_iad.schema import StepRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = page_colours(SERIES)


def steps_plot(steps: Sequence[StepRecord], name: str) -> str:
    """Draw reward (above) and entropy (below) of each step.

    Args:
        steps: at least one step.
        name: unique on the page; keeps the ids inside the SVG unique and the same every time.

    Returns:
        An `<svg>` element. It holds nothing of the input but numbers.
    """
    import matplotlib
    from matplotlib.figure import Figure

    style: Any = page_style(_COLOURS) | {"svg.hashsalt": name, "axes.grid.axis": "y", "legend.handlelength": 1.4}
    with settings, matplotlib.rc_context(style):
        figure = Figure(figsize=(5.4, 3.9), layout="constrained")
        reward, entropy = figure.subplots(2, 1, sharex=True)
        _draw_reward(reward, steps)
        _draw_entropy(entropy, steps)
        svg = io.StringIO()
        figure.savefig(svg, format="svg", transparent=True, metadata={"Date": None})
    return for_page(svg.getvalue(), _COLOURS)


def _draw_reward(axes: Axes, steps: Sequence[StepRecord]) -> None:
    x = [step.step for step in steps]
    axes.plot(x, [step.mean_reward for step in steps], "--", color=_COLOURS["muted"], lw=1, label="mean")
    axes.plot(x, [step.reward for step in steps], "o", color=_COLOURS["muted"], ms=3.5, label="best of step")
    axes.plot(
        x, [step.best_reward for step in steps], drawstyle="steps-post", color=_COLOURS["accent"], lw=2,
        label="best so far",
    )  # fmt: skip
    _finish(axes, "Reward", columns=3)


def _draw_entropy(axes: Axes, steps: Sequence[StepRecord]) -> None:
    from matplotlib.ticker import MaxNLocator

    x = [step.step for step in steps]
    latents = max(len(step.entropy) for step in steps)
    for latent in range(latents):
        y = [step.entropy[latent] if latent < len(step.entropy) else float("nan") for step in steps]
        label = f"think token {latent + 1}" if latent == 0 else str(latent + 1)
        axes.plot(
            x, y, "-", color=_COLOURS[f"s{latent % SERIES + 1}"], lw=1.1, marker=".", ms=4,
            label=label if latents <= SERIES else "_nolegend_",
        )  # fmt: skip
    axes.plot(
        x, [step.answer_entropy for step in steps], "-", color=_COLOURS["ink"], lw=2, marker=".", label="answer"
    )
    axes.set_ylim(-0.04, 1.04)
    axes.set_yticks([0, 0.5, 1])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("step")
    _finish(axes, "Entropy", columns=SERIES + 1)


def _finish(axes: Axes, title: str, columns: int) -> None:
    axes.set_title(title, loc="left", fontsize=10.5, fontweight="bold")
    axes.legend(
        loc="lower right", bbox_to_anchor=(1.0, 0.97), ncols=columns, borderpad=0, columnspacing=0.9,
        handletextpad=0.4,
    )  # fmt: skip
    axes.tick_params(length=0)
