"""Beside the marked place: the labelled defect and the good place that it looks like most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reason_iad.images import LoadedImage
from reason_iad.report.pictures import FULL, Detail, Picture, picture
from reason_iad.schema import Box, Inspection

AROUND = 0.75
"""How much of what lies around a place is shown with it, in its longer sides."""
LEAST = 0.12
"""Shortest side that is shown, as a share of the longer side of the picture."""


@dataclass(frozen=True, slots=True)
class KnownPlace:
    """One picture of the row.

    Attributes:
        title: what it is, in a few words.
        text: more of it, in a sentence.
        picture: the place; None if the pixels were not given.
        name: file that it is from.
    """

    title: str
    text: str
    picture: Picture | None
    name: str


def wanted(inspection: Inspection) -> frozenset[str]:
    """Hashes of the pictures that are shown here, if they are given."""
    product = inspection.evidence.product
    if product is None:
        return frozenset()
    named = (product.example, product.good_place, product.template)
    return frozenset(each.sha256 for each in named if each is not None)


def known_places(
    inspection: Inspection, image: LoadedImage, given: Sequence[LoadedImage], detail: Detail = FULL
) -> tuple[KnownPlace, ...]:
    """The marked place, the nearest labelled defect, and the nearest good place, or that of the template.

    Empty without a labelled defect and without a template.

    Args:
        inspection: the result.
        image: the inspected picture.
        given: pictures; those that are named here are found by their hash.
        detail: how large pictures are, and whether there are any.
    """
    product, region = inspection.evidence.product, inspection.region
    if product is None or region is None or region.box is None or not detail.evidence:
        return ()
    example, good, template = product.example, product.good_place, product.template
    if example is None and template is None:
        return ()
    files = {each.sha256: each for each in given}
    own = _shown(image, region.box, "The marked place of the inspected part.", detail)
    places = [KnownPlace("The marked place.", "", own, inspection.image.name)]
    if template is not None and template.x is not None and template.y is not None:
        found = files.get(template.sha256)
        box = None if found is None else _around(template.x, template.y, region.box, image, found)
        picture_of = _shown(found, box, "The same place of the template.", detail)
        text = "The part was compared with this template."
        places.append(KnownPlace("The same place of its template.", text, picture_of, template.name))
    if example is not None:
        alike = _shown(files.get(example.sha256), example.box, f"Known defect: {example.type}.", detail)
        added = f"Added on {example.added.day} {example.added:%B %Y}."
        text = f"{added} Similarity {example.similarity:.2f}; 1 is equal."
        places.append(KnownPlace(f"The nearest known defect: {example.type}.", text, alike, example.name))
    if good is not None:
        found = files.get(good.sha256)
        box = None if found is None else _around(good.x, good.y, region.box, image, found)
        picture_of = _shown(found, box, "The most similar place of a good part.", detail)
        text = "Of all places of good parts, this one looks most like the marked place."
        places.append(KnownPlace("The nearest good place.", text, picture_of, good.name))
    return tuple(places)


def _around(x: float, y: float, box: Box, image: LoadedImage, good: LoadedImage) -> Box:
    """A box around a place of a good picture, as large as that of the part."""
    wide = (box.x2 - box.x1) / image.width * good.width
    high = (box.y2 - box.y1) / image.height * good.height
    middle = (x * good.width, y * good.height)
    return Box(
        x1=round(middle[0] - wide / 2), y1=round(middle[1] - high / 2),
        x2=round(middle[0] + wide / 2), y2=round(middle[1] + high / 2),
    )  # fmt: skip


def _shown(image: LoadedImage | None, box: Box | None, alt: str, detail: Detail) -> Picture | None:
    """A square around a place; None without pixels, or if nothing of the place is inside the picture."""
    if image is None or box is None:
        return None
    longer = max(box.x2 - box.x1, box.y2 - box.y1)
    half = max(longer * (0.5 + AROUND / 2), LEAST * max(image.width, image.height) / 2)
    x, y = (box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2
    x1, y1 = max(0, round(x - half)), max(0, round(y - half))
    x2, y2 = min(image.width, round(x + half)), min(image.height, round(y + half))
    if x2 <= x1 or y2 <= y1:
        return None
    return picture(image.pixels.crop((x1, y1, x2, y2)), alt, detail.row, detail.quality)
