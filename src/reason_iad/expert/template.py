"""What differs from the template, pixel by pixel: the classical comparison with good parts laid alike [ours].

Patch features are 14 pixels wide and see little of a cut of two. Where a reference shows the same part, the pixels
say more: each is compared with the range of grey levels that good parts have within two pixels of it (a variation
model, as machine vision libraries call it), after their light was made equal. Where a reference shows another piece
of the same material, pixels differ everywhere and nothing stands out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL import Image

SIDE = 448
"""Pixels of the longer side at which pictures are compared, at most: as large as the patches' pictures."""
TOLERANCE = 2
"""Pixels by which an edge may lie elsewhere."""
NOISE, SPECK = 0.8, 1.2
"""Standard deviations, in pixels, of the blur before the comparison and after it."""
LIGHT = 0.1
"""Share of the longer side over which light is made equal."""
COARSE = 8
"""By how much the copy is shrunk on which that is found."""
MARGIN = 0.02
"""Share of each side at either border that is never compared: edges wander there."""

Pixels = npt.NDArray[np.uint8]
Grey = npt.NDArray[np.float32]


def pixel_differences(
    image: Pixels, references: Sequence[Pixels], unseen: tuple[float, float] = (0.0, 0.0)
) -> Grey | None:
    """By how many grey levels each pixel differs from every good part.

    Args:
        image: (H, W, 3), the inspected one.
        references: (h, w, 3) each, at least one, laid as the image lies; brought to its size.
        unseen: shares of the width and of the height, at either border, that a moved reference does not show.

    Returns:
        (rows, columns) at least 0, of the image shrunk to at most `SIDE` pixels; 0 at the border. None where the
        border is all there is.
    """
    import cv2

    size = compared_size(image.shape[1], image.shape[0])
    border = tuple(max(1, math.ceil(max(MARGIN, share) * side)) for share, side in zip(unseen, size, strict=True))
    if any(side <= 2 * edge for side, edge in zip(size, border, strict=True)):
        return None
    seen = _soft(image, size)
    good = [_soft(reference, size) for reference in references]
    good = [each + _light(seen - each) for each in good]
    near = np.ones((2 * TOLERANCE + 1,) * 2, np.uint8)
    brightest = np.max([cv2.dilate(each, near) for each in good], axis=0)
    darkest = np.min([cv2.erode(each, near) for each in good], axis=0)
    added = np.maximum(seen - brightest, darkest - seen)
    # What the part lacks shows from the other side: a pixel of the good part that has no like in the image.
    bright, dark = cv2.dilate(seen, near), cv2.erode(seen, near)
    lacking = np.min([np.maximum(each - bright, dark - each) for each in good], axis=0)
    differs = np.maximum(np.maximum(added, lacking), 0).max(-1)
    result: Grey = np.zeros(size[::-1], np.float32)
    inner = (slice(border[1], -border[1]), slice(border[0], -border[0]))
    result[inner] = cv2.GaussianBlur(differs, (0, 0), SPECK)[inner]
    return result


def compared_size(width: int, height: int) -> tuple[int, int]:
    """(width, height) at which a picture is compared."""
    scale = min(1.0, SIDE / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def small_copy(picture: Image.Image) -> Pixels:
    """(h, w, 3) a picture at the size at which pixels are compared."""
    from PIL import Image as Pillow

    size = compared_size(picture.width, picture.height)
    return np.asarray(picture.resize(size, Pillow.Resampling.BOX, reducing_gap=2.0), np.uint8)


def usual_difference(references: Sequence[Pixels], unseen: tuple[float, float] = (0.0, 0.0)) -> float | None:
    """Mean of the largest differences of each good part from the others, laid alike; None if none is compared."""
    others = [[*references[:i], *references[i + 1 :]] for i in range(len(references))]
    found = [pixel_differences(one, rest, unseen) for one, rest in zip(references, others, strict=True)]
    peaks = [float(each.max()) for each in found if each is not None]
    return sum(peaks) / len(peaks) if peaks else None


def _light(difference: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The part of a difference that changes slowly, (h, w, 3): found on a small copy, where that costs little."""
    import cv2

    high, wide = difference.shape[:2]
    small = cv2.resize(difference, (-(-wide // COARSE), -(-high // COARSE)), interpolation=cv2.INTER_AREA)
    smooth = cv2.GaussianBlur(small, (0, 0), LIGHT * max(high, wide) / COARSE)
    return cv2.resize(smooth, (wide, high), interpolation=cv2.INTER_LINEAR)


def _soft(picture: Pixels, size: tuple[int, int]) -> npt.NDArray[Any]:
    """A picture of that (width, height), without its noise."""
    import cv2

    shrinks = picture.shape[1] > size[0]
    shrunk = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return cv2.GaussianBlur(shrunk.astype(np.float32), (0, 0), NOISE)
