"""Pictures of the report as data URIs, and the shapes drawn over them."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from reason_iad.images import WHOLE, at_most, tinted
from reason_iad.schema import PLACES, Box, Heat, InjectedPatch

SERIES = 6
"""Number of colours for think tokens, in the style sheet and in the plots."""


@dataclass(frozen=True, slots=True)
class Detail:
    """How large the pictures of a page are, and which there are.

    Attributes:
        main: longest side of the main pictures, pixels.
        closer: longest side of the pictures that repeat (closer looks, patches), pixels.
        row: longest side of the good parts in a row, pixels.
        quality: of JPEG.
        evidence: whether there are plots, and pictures beside that of the part.
    """

    main: int = 900
    closer: int = 520
    row: int = 320
    quality: int = 90
    evidence: bool = True


FULL = Detail()
COMPACT = Detail(main=600, closer=320, row=120, quality=75)
"""For a defect among many parts."""
PLAIN = Detail(main=360, quality=70, evidence=False)
"""For a pass among many parts."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An embedded picture.

    Attributes:
        uri: the data URI of the pixels.
        alt: what a person who cannot see it should know.
        width: of the original in pixels; shapes drawn over the picture use these coordinates.
        height: of the original in pixels.
    """

    uri: str
    alt: str
    width: int
    height: int

    @property
    def unit(self) -> float:
        """Size of a shape's details (text, radii), relative to the picture."""
        return max(self.width, self.height) / 100


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A rectangle over a picture, in its pixels."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class PatchBox:
    """An injected patch over a picture; one patch may have been injected after several think tokens."""

    rectangle: Rectangle
    label: str
    series: int


def picture(pixels: Image.Image, alt: str, side: int = FULL.main, quality: int = FULL.quality) -> Picture:
    """Embed pixels (RGB), scaled down to a longest side in pixels; small pictures keep their size."""
    small = at_most(pixels, WHOLE)
    small = small.copy() if small is pixels else small
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    data = io.BytesIO()
    small.save(data, "JPEG", quality=quality, subsampling=0 if quality == FULL.quality else 2, optimize=True)
    uri = "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode()
    return Picture(uri, alt, pixels.width, pixels.height)


def heat_picture(pixels: Image.Image, evidence: Heat, alt: str, detail: Detail = FULL) -> Picture | None:
    """Draw a map over a grey copy of the picture; None if the map is malformed."""
    if min(evidence.rows, evidence.columns) < 1 or len(evidence.values) != evidence.rows * evidence.columns:
        return None
    values = np.asarray(evidence.values, np.float32).reshape(evidence.rows, evidence.columns)
    grey = at_most(pixels, WHOLE).convert("L").convert("RGB")
    grey.thumbnail((detail.main, detail.main), Image.Resampling.LANCZOS)
    drawn = picture(tinted(grey, values), alt, detail.main, detail.quality)
    return Picture(drawn.uri, alt, pixels.width, pixels.height)


def rectangle(box: Box | None, width: int, height: int) -> Rectangle | None:
    """A box clipped to the picture; None if nothing is left of it."""
    if box is None:
        return None
    x1, y1 = max(box.x1, 0), max(box.y1, 0)
    x2, y2 = min(box.x2, width), min(box.y2, height)
    return Rectangle(x1, y1, x2 - x1, y2 - y1) if x2 > x1 and y2 > y1 else None


def place_cell(place: str, width: int, height: int) -> Rectangle | None:
    """The ninth of the picture that a place names."""
    if place not in PLACES:
        return None
    row, column = divmod(PLACES.index(place), 3)
    return Rectangle(column * width / 3, row * height / 3, width / 3, height / 3)


def patch_boxes(patches: Iterable[InjectedPatch], width: int, height: int) -> tuple[PatchBox, ...]:
    """Boxes of the injected patches, labelled with the think tokens (from 1) that they follow."""
    latents: dict[Box, list[int]] = {}
    for patch in patches:
        latents.setdefault(patch.box, []).append(patch.latent + 1)
    boxes = []
    for box, tokens in latents.items():
        shape = rectangle(box, width, height)
        if shape is not None:
            label = " ".join(str(token) for token in sorted(set(tokens)))
            boxes.append(PatchBox(shape, label, (min(tokens) - 1) % SERIES + 1))
    return tuple(boxes)
