"""The curves of a run, drawn from its log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SHOWN = ("detection_balanced", "type", "place", "object", "cover_auc", "patch_auc", "image_auc", "kind", "family")


def read_log(path: Path) -> list[dict[str, Any]]:
    """The events of a log; a last line cut by a kill is left out."""
    events = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            events.append(json.loads(line))
        except ValueError:
            continue
    return events


def draw_curves(log: Path, out: Path) -> None:
    """Loss and validation measures over the steps, one column per stage.

    Args:
        log: the run's `log.jsonl`.
        out: the PNG file to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    events = read_log(log)
    stages = list(dict.fromkeys(event["stage"] for event in events))
    figure = Figure(figsize=(5 * len(stages), 7), layout="constrained")
    axes = figure.subplots(2, len(stages), squeeze=False)
    for column, stage in enumerate(stages):
        mine = [event for event in events if event["stage"] == stage]
        losses = [event for event in mine if "loss" in event]
        axes[0][column].plot([e["step"] for e in losses], [e["loss"] for e in losses])
        axes[0][column].set(title=stage, ylabel="loss", yscale="log")
        checks = [event for event in mine if event.get("validation")]
        for name in SHOWN:
            points = [(e["step"], e[name]) for e in checks if name in e]
            if points:
                axes[1][column].plot(*zip(*points, strict=True), marker=".", label=name)
        axes[1][column].set(xlabel="step", ylabel="validation", ylim=(0, 1))
        if checks:
            axes[1][column].legend(fontsize="small")
    figure.set_canvas(FigureCanvasAgg(figure))
    figure.savefig(out, format="png")
