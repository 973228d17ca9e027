"""The report of one inspection: one HTML file that a shop-floor person can read, offline, for years.

The file is self-contained (pictures as data URIs, plots as inline SVG, no script) and forbids itself any network
by a content security policy. `view.py` turns an inspection into what the page shows, in plain words, with
`compared.py`, `questions.py`, `facts.py` and `details.py`. `pictures.py` and `plots.py` draw; `template.html.j2`
and `style.css` lay out. All text is escaped: knowledge, questions and file names were written by others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from reason_iad.errors import ImageError
from reason_iad.files import write_atomic
from reason_iad.images import LoadedImage, Picture, as_pictures, load_image
from reason_iad.schema import Inspection

__all__ = ["render_report", "save_report"]


def save_report(
    inspection: Inspection,
    path: str | Path,
    *,
    image: Picture,
    references: Picture | Sequence[Picture] = (),
    compact: bool = False,
) -> Path:
    """Write the report of an inspection.

    Args:
        inspection: the result to show; whatever evidence it lacks is left out of the page.
        path: the HTML file to write (replaced atomically).
        image: the inspected image, because results carry hashes and no pixels. As in `Inspector.inspect`.
        references: those of `evidence.references` in order, of which the page shows the used ones; or these alone.
            The pictures of the nearest known defect and of the nearest good place are found among them, too.
        compact: smaller pictures, and for a pass no more than that of the part: for one of many parts.

    Returns:
        The path written.

    Raises:
        ImageError: an image cannot be read, or `image` is not the one that was inspected.
        OutputError: the file cannot be written; an old report is then unchanged.
    """
    write_atomic(path, render_report(inspection, image=image, references=references, compact=compact))
    return Path(path)


def render_report(
    inspection: Inspection,
    *,
    image: Picture,
    references: Picture | Sequence[Picture] = (),
    compact: bool = False,
) -> str:
    """Return the report of an inspection as HTML; see `save_report`. Same inspection, same text."""
    from reason_iad.report.known import wanted
    from reason_iad.report.layout import environment
    from reason_iad.report.pictures import COMPACT, FULL, PLAIN
    from reason_iad.report.view import build_view

    picture = load_image(image, white=inspection.image.white)
    if (picture.width, picture.height) != (inspection.image.width, inspection.image.height):
        raise ImageError(
            f"'{picture.name}' has {picture.width}x{picture.height} pixels, but the image inspected had "
            f"{inspection.image.width}x{inspection.image.height}; give the inspected image to the report."
        )
    _check_same(inspection, picture)
    detail = FULL if not compact else PLAIN if inspection.verdict == "pass" else COMPACT
    named, recorded = wanted(inspection), inspection.evidence.references
    given = as_pictures(references) if detail.evidence else ()
    every = len(given) >= len(recorded)
    used = [each for at, each in enumerate(given) if not every or at >= len(recorded) or recorded[at].used]
    whites = {each.sha256: each.white for each in recorded}
    loaded = [_as_it_was(each, whites, inspection.image.white) for each in used]
    beside = named - {each.sha256 for each in recorded}  # shown for themselves, not as good parts that were used
    good = [each for each in loaded if each.sha256 not in beside]
    view = build_view(inspection, picture, good, detail, [each for each in loaded if each.sha256 in named])
    return environment().get_template("template.html.j2").render(view=view, inspection=inspection)


def _as_it_was(source: Picture, whites: Mapping[str, float | None], white: float | None) -> LoadedImage:
    """A picture with the white that it had in the inspection: its own by its hash, or that of the part."""
    loaded = load_image(source)
    was = whites.get(loaded.sha256, white)
    return loaded if loaded.depth is None or was in (None, loaded.white) else load_image(source, white=was)


def _check_same(inspection: Inspection, picture: LoadedImage) -> None:
    """Refuse another picture than the one that was inspected, by the hash of its file or of its pixels."""
    was = inspection.image
    if was.sha256 != picture.sha256 and was.sha256 != load_image(picture.pixels).sha256:
        raise ImageError(
            f"'{picture.name}' is not the picture that was inspected: its hash begins with {picture.sha256[:12]}, "
            f"and that of '{was.name}' with {was.sha256[:12]}. Give the inspected picture, as the same file."
        )
