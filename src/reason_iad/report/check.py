"""The page of a product's check: what is wrong with its pictures, what is found, and what would help.

It takes what it shows as plain values, so that this room knows neither products nor experts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reason_iad.files import write_atomic
from reason_iad.images import load_image
from reason_iad.report.check_plots import Curve, Scores, curve_plot, scores_plot

SHOWN = 12
"""Pictures of a remark that the page shows, at most."""
SIDE = 260
"""Longest side of such a picture, in pixels."""

__all__ = ["CheckPage", "Curve", "Remark", "Scores", "save_check"]


@dataclass(frozen=True, slots=True)
class Remark:
    """Pictures that somebody should look at.

    Attributes:
        words: what is wrong with them, and what to do.
        images: the files, and a caption for each.
    """

    words: str
    images: tuple[tuple[Path, str], ...]


@dataclass(frozen=True, slots=True)
class CheckPage:
    """What the page shows.

    Attributes:
        name: of the product.
        has: what it has, in short sentences.
        advice: what would help, the most first.
        finds: what its expert finds, in short sentences.
        curves: by kind of defect.
        promise: the limits and what they promise.
        scores: of known parts.
        remarks: what is wrong with its pictures.
        white: what is white in pictures with more than 8 bits; None: what their files say.
    """

    name: str
    has: tuple[str, ...]
    advice: tuple[str, ...]
    finds: tuple[str, ...]
    curves: tuple[Curve, ...]
    promise: str
    scores: Scores
    remarks: tuple[Remark, ...]
    white: float | None = None


def save_check(page: CheckPage, path: str | Path) -> Path:
    """Write the page: one HTML file that needs nothing else.

    Raises:
        ImageError: a picture cannot be read.
        OutputError: the file cannot be written; an old one is then unchanged.
    """
    write_atomic(path, render_check(page))
    return Path(path)


def render_check(page: CheckPage) -> str:
    """The page as HTML. Same content, same text."""
    from reason_iad.report.layout import environment
    from reason_iad.report.pictures import picture

    def pictures(images: Sequence[tuple[Path, str]]) -> list[object]:
        shown = ((load_image(path, white=page.white).whole, caption) for path, caption in images[:SHOWN])
        return [picture(pixels, caption, SIDE, 80) for pixels, caption in shown]

    return (
        environment()
        .get_template("check.html.j2")
        .render(
            page=page,
            curves=[(curve, curve_plot(curve, f"curve{at}")) for at, curve in enumerate(page.curves)],
            scores=scores_plot(page.scores, "scores"),
            remarks=[(remark, pictures(remark.images)) for remark in page.remarks],
        )
    )
