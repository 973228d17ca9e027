"""Two parts compared, as a page: both pictures with the same marks, and the map of what differs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from reason_iad.errors import ImageError
from reason_iad.files import write_atomic
from reason_iad.images import LoadedImage, load_image
from reason_iad.images import Picture as Source
from reason_iad.report.compared import laid_as
from reason_iad.report.pictures import Picture, Rectangle, heat_picture, picture, rectangle
from reason_iad.schema.comparison import Difference, PartComparison

HEADLINES = {"same": "No clear difference", "different": "The parts differ", "unjudged": "Cannot be compared"}
TONES = {"same": "pass", "different": "defect", "unjudged": "unjudged"}
"""The class of the page, by which its style sheet colours it."""


@dataclass(frozen=True, slots=True)
class Place:
    """One place that differs.

    Attributes:
        number: from 1, the clearest first.
        name: which part of the picture it lies in.
        words: what differs.
        measures: size and score.
        shape: its box over the picture.
        label: where its number stands, x and y.
    """

    number: int
    name: str
    words: str
    measures: str
    shape: Rectangle
    label: tuple[float, float]


@dataclass(frozen=True, slots=True)
class View:
    """Everything the page shows."""

    tone: str
    headline: str
    a: Picture
    b: Picture
    heat: Picture | None
    places: tuple[Place, ...]
    moved: bool


def save_comparison(comparison: PartComparison, path: str | os.PathLike[str], *, a: Source, b: Source) -> Path:
    """Write the page of a comparison.

    Args:
        comparison: the result.
        path: of the HTML file.
        a, b: the two pictures that were compared.

    Raises:
        ImageError: a picture cannot be read, or is not the one that was compared.
        OutputError: the file cannot be written; an old one is then unchanged.
    """
    write_atomic(Path(path), render_comparison(comparison, a=a, b=b))
    return Path(path)


def render_comparison(comparison: PartComparison, *, a: Source, b: Source) -> str:
    """Return the page of a comparison as HTML; see `save_comparison`."""
    from reason_iad.report.layout import environment

    one, other = load_image(a, white=comparison.a.white), load_image(b, white=comparison.b.white)
    for loaded, known in ((one, comparison.a), (other, comparison.b)):
        if loaded.sha256 != known.sha256:
            raise ImageError(f"'{loaded.name}' is not the picture that was compared. Compare the two again.")
    view = _view(comparison, one, other)
    return environment().get_template("parts.html.j2").render(view=view, comparison=comparison)


def _view(comparison: PartComparison, one: LoadedImage, other: LoadedImage) -> View:
    size = (one.width, one.height)
    laid = other.pixels if comparison.outcome == "unjudged" else laid_as(other.pixels, comparison.motion, size)
    alt = "Map over picture A: where the two parts differ."
    heat = None if comparison.heat is None else heat_picture(one.pixels, comparison.heat, alt)
    numbered = enumerate(comparison.differences, 1)
    return View(
        tone=TONES[comparison.outcome],
        headline=HEADLINES[comparison.outcome],
        a=picture(one.pixels, f"Picture A, {one.name}."),
        b=picture(laid, f"Picture B, {other.name}."),
        heat=heat,
        places=tuple(filter(None, (_place(number, each, size) for number, each in numbered))),
        moved=comparison.motion is not None,
    )


def _place(number: int, difference: Difference, size: tuple[int, int]) -> Place | None:
    shape = rectangle(difference.box, *size)
    if shape is None:
        return None
    length = f"{difference.length_px:.0f} pixels long"
    if difference.length_mm is not None:
        length = f"{difference.length_mm:.2f} mm long"
    unit = max(size) / 100
    above = shape.y > 5 * unit
    label = (min(max(shape.x, 2 * unit), size[0] - 2 * unit), shape.y - 2.4 * unit)
    return Place(
        number=number,
        name=difference.place,
        words=difference.words,
        measures=f"{length}, score {difference.score:.1f}",
        shape=shape,
        label=label if above else (label[0], shape.y + shape.height + 2.6 * unit),
    )
