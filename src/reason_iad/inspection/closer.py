"""A closer look: the most suspicious part of a picture, enlarged, with the same part of its references [ours].

A model sees a picture through a fixed number of tokens, and a small defect fills a corner of one of them. Asked
again about a crop around the place where most differs from good parts, the same model sees it larger. What the part
is and where on it something is, only the whole picture tells; both looks are weighed (`inspection/fusion.py`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from reason_iad.schema import Box

if TYPE_CHECKING:
    from PIL import Image

ENLARGED = 2.0
"""How much larger everything is seen at a closer look, each way."""


def closer_box(spot: tuple[float, float], width: int, height: int) -> Box:
    """The part of a width x height picture to look at again, in pixels: around a spot, inside the picture.

    Args:
        spot: (x, y), each a share of the picture's side.
        width, height: of the picture.
    """
    x, y = spot
    x1, x2 = _window(x * width, width)
    y1, y2 = _window(y * height, height)
    return Box(x1=x1, y1=y1, x2=x2, y2=y2)


def _window(centre: float, side: int) -> tuple[int, int]:
    length = math.ceil(side / ENLARGED)  # rounded up, so that no crop is narrower than its picture
    start = min(max(round(centre - length / 2), 0), side - length)
    return start, start + length


def crop(picture: Image.Image, box: Box, width: int, height: int) -> Image.Image:
    """The same part of a picture of the same view, whatever its size.

    Args:
        picture: the inspected picture, or a reference laid as it lies.
        box: in pixels of the inspected picture.
        width, height: of that picture.
    """
    across, down = picture.width / width, picture.height / height
    left, top = min(int(box.x1 * across), picture.width - 1), min(int(box.y1 * down), picture.height - 1)
    right, bottom = max(left + 1, round(box.x2 * across)), max(top + 1, round(box.y2 * down))
    return picture.crop((left, top, min(right, picture.width), min(bottom, picture.height)))
