"""What the plots of all pages share: stand-ins for the style sheet's colours, and the way into the page."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import Any

settings = threading.Lock()
"""Held while drawing: matplotlib's rc_context changes its settings for all threads."""


def page_colours(series: int) -> dict[str, str]:
    """Variable of the style sheet to the colour that stands for it in a drawing; matplotlib wants real ones.

    Args:
        series: how many of the colours s1, s2, ... are used.
    """
    names = ("ink", "muted", "line", "accent", "faint")
    fixed = {name: f"#0001{number:02d}" for number, name in enumerate(names, 1)}
    return fixed | {f"s{number}": f"#0002{number:02d}" for number in range(1, series + 1)}


def page_style(colours: Mapping[str, str]) -> dict[str, Any]:
    """Settings of matplotlib for a drawing in the style of the page."""
    return {
        "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10,
        "axes.edgecolor": colours["line"], "axes.labelcolor": colours["muted"],
        "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
        "grid.color": colours["line"], "grid.linewidth": 0.7, "text.color": colours["ink"],
        "xtick.color": colours["line"], "ytick.color": colours["line"],
        "xtick.labelcolor": colours["muted"], "ytick.labelcolor": colours["muted"],
        "legend.frameon": False, "legend.fontsize": 9,
    }  # fmt: skip


def for_page(svg: str, colours: Mapping[str, str]) -> str:
    """Only the `<svg>` element, without what HTML knows itself, with the colours and fonts of the page."""
    svg = svg[svg.index("<svg") :]
    removed = (
        r"<metadata>.*?</metadata>|<style.*?</style>| xmlns(:\w+)?=\"[^\"]*\"|(?<=<g) id=\"[^\"]*\"|<!--.*?-->"
    )
    svg = re.sub(removed, "", svg, flags=re.DOTALL)
    svg = re.sub(r"<svg[^>]*?viewBox=(\"[^\"]*\")[^>]*>", r'<svg viewBox=\1 aria-hidden="true">', svg)
    svg = re.sub(r"font-family: [^;\"]*", "font-family: var(--sans)", svg)
    svg = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font: \1 var(--sans)", svg)
    for variable, colour in colours.items():
        svg = svg.replace(colour, f"var(--{variable})")
    return svg
