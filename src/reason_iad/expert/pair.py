"""How two parts differ: patch by patch and pixel by pixel, in both directions (METHOD section 4) [ours].

What one picture shows and the other lacks is seen from both sides: each patch looks for its like in the other
picture, and so does each pixel. What is usual is measured on the pair itself, over the whole picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from reason_iad.expert.calibration import RADIUS, where_shown
from reason_iad.expert.change import Change, change_at
from reason_iad.expert.distance import residual_map
from reason_iad.expert.memory.features import joined
from reason_iad.expert.normality.plausible import ENCODER
from reason_iad.expert.registration import Motion, register
from reason_iad.expert.template import pixel_differences, small_copy
from reason_iad.schema import Box

if TYPE_CHECKING:
    from reason_iad.expert.encoders.base import Encoder
    from reason_iad.expert.regions import Marked
    from reason_iad.expert.template import Pixels
    from reason_iad.schema.comparison import Side

SIZE = 320
"""Root of the number of pixels at which patches are compared."""
DEPTHS = 2
"""The finest maps of the encoder, so many: small differences are gone from the deepest."""
LEVEL = 2.5
"""Score from which a place counts as a difference. Of 50 pairs of a good board and its template none reaches 2.2,
and all of 90 defective boards exceed 3.8; copies in other light, a little blurred or compressed stay below 1.7."""
GREY_FLOOR, FLOOR = 8.0, 0.1
"""Grey levels, and cosine distance, that are added before ratios are taken: less than that is noise."""
USUAL = 0.75
"""Quantile of the pixels' differences that is usual; of the patches' distances it is the median."""
AROUND = 0.3
"""How far beyond a place its edges are counted, in its longer sides."""
CLEARLY_MORE = 1.3
"""Factor by which one picture must show more edges there than the other to be the one that shows something."""
LIGHTER = 16.0
"""Grey levels by which a place must differ to be called darker or brighter."""

Values = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Pair:
    """Two pictures, compared.

    Attributes:
        standing: (h, w) by how many times what is usual each place differs, less one; at least 0.
        laid: the second picture as the first one lies, in its size.
        motion: how it was moved; None if it was not.
        small: (h, w, 3) both pictures as their pixels were compared.
        unseen: shares of the width and of the height, at either border, that the moved picture does not show.
    """

    standing: Values
    laid: Image.Image
    motion: Motion | None
    small: tuple[Pixels, Pixels]
    unseen: tuple[float, float]


@cache
def encoder() -> Encoder:
    """What makes the features of patches; loaded when it is first needed.

    Raises:
        ModelError: its weights are not installed.
    """
    from reason_iad.expert.encoders import make_encoder

    made: Any = make_encoder(ENCODER, None)
    sized: Encoder = made.with_size(SIZE)
    return sized


def compare_pair(a: Image.Image, b: Image.Image, *, align: bool = True) -> Pair:
    """Compare two pictures, RGB.

    Args:
        a: the first one; places are those of its pixels.
        b: the second one, of about the same shape.
        align: whether it is moved to lie as the first one does, where that makes both agree.

    Raises:
        ModelError: the weights of the encoder are not installed.
    """
    found = register(b, a) if align else None
    laid, motion = found if found is not None else (b, None)
    if laid.size != a.size:
        laid = laid.resize(a.size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    unseen = (0.0, 0.0) if motion is None else motion.unseen(a.width, a.height)
    small = (small_copy(a), small_copy(laid))
    pixels = pixel_differences(small[0], [small[1]], unseen)
    patches = _patches(a, laid, motion)
    ratio = _ratio(patches, float(np.median(patches)), FLOOR)
    if pixels is None:
        standing = ratio
    else:
        size = (pixels.shape[1], pixels.shape[0])
        standing = np.sqrt(_enlarged(ratio, size) * _ratio(pixels, float(np.quantile(pixels, USUAL)), GREY_FLOOR))
    return Pair(np.maximum(standing - 1, 0).astype(np.float32), laid, motion, small, unseen)


def change_of(pair: Pair, marked: Marked, size: tuple[int, int], shown: Side) -> Change | None:
    """What the part that shows something has or lacks there, on parts of two tones; None if nobody can tell.

    Args:
        pair: both parts.
        marked: the place.
        size: (width, height) of the first picture.
        shown: which part that is; where both show something, the first one.
    """
    x1, y1, x2, y2 = _box(pair, marked, size)
    one, other = reversed(pair.small) if shown == "b" else pair.small
    return change_at(one, [other], Box(x1=x1, y1=y1, x2=x2, y2=y2), pair.unseen)


def shown_by(pair: Pair, marked: Marked, size: tuple[int, int]) -> Side:
    """Which of two pictures shows something at a place: the one with clearly more edges there."""
    x1, y1, x2, y2 = _box(pair, marked, size)
    around = max(2, round(AROUND * max(x2 - x1, y2 - y1)))
    window = (slice(max(0, y1 - around), y2 + around), slice(max(0, x1 - around), x2 + around))
    one, other = (_edges(picture[window]) for picture in pair.small)
    if one > CLEARLY_MORE * other:
        return "a"
    return "b" if other > CLEARLY_MORE * one else "both"


def brightness_of(pair: Pair, marked: Marked, size: tuple[int, int]) -> int:
    """1 where the first part is clearly brighter at a place than the second, -1 where it is darker, else 0."""
    x1, y1, x2, y2 = _box(pair, marked, size)
    one, other = (float(picture[y1:y2, x1:x2].mean()) for picture in pair.small)
    return 0 if abs(one - other) < LIGHTER else 1 if one > other else -1


def _patches(a: Image.Image, laid: Image.Image, motion: Motion | None) -> Values:
    """(rows, columns) the larger distance of each patch from its nearest like in the other picture, both ways.

    What a moved picture does not show counts as usual.
    """
    one, other = (joined(maps[:DEPTHS]) for maps in encoder().encode([a, laid]))
    apart = torch.maximum(residual_map(one, [other], RADIUS), residual_map(other, [one], RADIUS))
    shown = None if motion is None else motion.shows(one.rows, one.columns, a.width, a.height)
    found: Values = where_shown(apart, shown).cpu().numpy().astype(np.float32)
    return found


def _ratio(values: Values, usual: float, floor: float) -> Values:
    """How many times what is usual each value is."""
    ratio: Values = ((values + floor) / (usual + floor)).astype(np.float32)
    return ratio


def _enlarged(values: Values, size: tuple[int, int]) -> Values:
    import cv2

    larger: Any = cv2.resize(np.ascontiguousarray(values), size, interpolation=cv2.INTER_LINEAR)
    return larger  # type: ignore[no-any-return]


def _box(pair: Pair, marked: Marked, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The box of a place in the pictures as they were compared; at least one pixel."""
    high, wide = pair.small[0].shape[:2]
    x1, y1, x2, y2 = marked.box
    left, top = min(x1 * wide // size[0], wide - 1), min(y1 * high // size[1], high - 1)
    return left, top, max(left + 1, -(-x2 * wide // size[0])), max(top + 1, -(-y2 * high // size[1]))


def _edges(picture: Pixels) -> float:
    """How much neighbouring pixels differ, on average."""
    grey = picture.astype(np.float32).mean(-1)
    steps = (np.abs(np.diff(grey, axis=0)), np.abs(np.diff(grey, axis=1)))
    return float(sum(each.mean() for each in steps if each.size)) + 0.5
