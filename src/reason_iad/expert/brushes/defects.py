"""Draw a defect on the photo of a good part: any kind, any shape of picture, the same for the same seed.

A brush (`marks.py`) works on a square canvas, and its defects are as large as the canvas makes them. So the canvas
is a square window of the picture: larger windows make larger defects, and what lies beyond the picture belongs to
no part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reason_iad.errors import ConfigError, ImageError
from reason_iad.expert.brushes import marks
from reason_iad.expert.brushes.drawing import spot
from reason_iad.expert.brushes.types import Apply, Canvas, Design, Image, Mask

Pixels = npt.NDArray[np.uint8]
"""(H, W, 3), RGB."""

KINDS: Mapping[str, Apply] = {
    "scratch": marks.scratch,
    "crack": marks.crack,
    "stain": marks.stain,
    "burn": marks.burn,
    "contamination": marks.contamination,
    "hole": marks.hole,
    "blowhole": marks.blowhole,
    "pitting": marks.pitting,
    "dent": marks.dent,
    "bubble": marks.bubble,
    "break": marks.edge_piece,
    "chip": marks.chip,
    "fray": marks.fray,
    "uneven": marks.uneven,
    "color": marks.wrong_colour,
    "fold": marks.fold,
    "loose thread": marks.loose_thread,
}
"""Kind of defect to its brush: all that make sense on any picture."""

LEAST_CHANGE = 8.0
"""Grey levels by which a defect changes its pixels, on average. What changes less is drawn anew."""
LEAST_SIDE = 16
"""Pixels of the shorter side of a picture, at least."""
_TRIES = 12
_FITTINGS = 4
_USUAL = 0.01
"""Share of a window that a defect covers, roughly: where the search for the right window begins."""
_LARGEST_WINDOW = 4
"""Sides of a window, in longer sides of the picture, at most."""


@dataclass(frozen=True, slots=True)
class DrawnDefect:
    """A picture with a drawn defect.

    Attributes:
        picture: (H, W, 3), RGB, 0 to 255; equal to the given picture wherever `mask` is False.
        mask: (H, W), the pixels of the defect; never empty.
        kind: a name of `KINDS`.
    """

    picture: Pixels
    mask: Mask
    kind: str


def draw_defect(
    picture: Pixels,
    kind: str,
    *,
    seed: int,
    size: float | None = None,
    contrast: float | None = None,
    where: Mask | None = None,
) -> DrawnDefect | None:
    """Draw one defect on a picture, which is not changed itself.

    Args:
        picture: (H, W, 3), RGB, 0 to 255; at least 16 pixels each way. A picture without colour stays without.
        kind: a name of `KINDS`.
        seed: at least 0; the same arguments draw the same defect.
        size: share of the picture that the defect covers, in (0, 0.5], as nearly as the kind and the part
            allow; None: as the kind has it.
        contrast: grey levels by which the defect changes its pixels, on average, in (0, 255], or less where black
            and white are reached; None: as the kind has it.
        where: (H, W), the pixels of the part; the defect lies inside. None: the whole picture.

    Returns:
        The picture with the defect, or None if the part has no room for one that can be seen.

    Raises:
        ConfigError: the kind is unknown, or the seed, the size or the contrast is out of its range.
        ImageError: the picture or the mask has another shape or type.
    """
    _check(picture, kind, seed, size, contrast, where)
    part = np.ones(picture.shape[:2], bool) if where is None else where
    before = picture.astype(np.float32)
    design: Design = {}
    if not part.all() and part.any():
        design["background"] = np.median(before[~part], axis=0)
    for attempt in range(_TRIES):
        found = _fitted(before, part, design, kind, [seed, attempt], size)
        if found is None:
            continue
        at, change = found
        if (picture == picture[..., :1]).all():
            change = np.repeat(change.mean(-1, keepdims=True), 3, axis=-1)
        drawn = _as_strong(before[at], change, contrast)
        if float(np.abs(drawn - before[at]).mean()) < min(LEAST_CHANGE, (contrast or LEAST_CHANGE) / 2):
            continue
        result, mask = picture.copy(), np.zeros(part.shape, bool)
        result[at], mask[at] = np.round(drawn).astype(np.uint8), True
        return DrawnDefect(result, mask, kind)
    return None


At = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]
"""(rows, columns) of pixels."""


def _fitted(
    before: Image, part: Mask, design: Design, kind: str, seed: list[int], size: float | None
) -> tuple[At, Image] | None:
    """The pixels of a defect of about the wanted size, and how each changes, (N, 3)."""
    longer = max(part.shape)
    guess = longer if size is None else _side(longer * (size / _USUAL) ** 0.5, longer)
    side, best, nearest = guess, None, np.inf
    for _ in range(_FITTINGS):
        found = _drawn(before, part, design, kind, seed, side)
        if found is None or size is None:
            return found if best is None else best
        ratio = size * part.size / len(found[0][0])
        if abs(np.log(ratio)) < nearest:
            best, nearest = found, abs(float(np.log(ratio)))
        side = _side(side * ratio**0.5, longer)
    return best


def _side(wanted: float, longer: int) -> int:
    """Pixels of the side of a window, within bounds."""
    return int(np.clip(round(wanted), LEAST_SIDE, _LARGEST_WINDOW * longer))


def _drawn(
    before: Image, part: Mask, design: Design, kind: str, seed: list[int], side: int
) -> tuple[At, Image] | None:
    """A defect in a square window of `side` pixels: its pixels in the picture, and how each changes, (N, 3)."""
    rng = np.random.default_rng(seed)
    centre = spot(rng, part)
    if centre is None:
        return None
    top, left = (_start(rng, middle, side, length) for middle, length in zip(centre, part.shape, strict=True))
    rows, columns = slice(max(top, 0), top + side), slice(max(left, 0), left + side)
    seen = before[rows, columns]
    high, wide = seen.shape[:2]
    inside = slice(max(-top, 0), max(-top, 0) + high), slice(max(-left, 0), max(-left, 0) + wide)
    image, allowed = np.zeros((side, side, 3), np.float32), np.zeros((side, side), bool)
    image[inside], allowed[inside] = seen, part[rows, columns]
    canvas = Canvas(image, allowed)
    mask = KINDS[kind](rng, canvas, design)
    if mask is None:
        return None
    at = np.nonzero(mask[inside])
    here = canvas.image[inside][at]
    return (at[0] + rows.start, at[1] + columns.start), here - seen[at]


def _start(rng: np.random.Generator, middle: int, side: int, length: int) -> int:
    """Where a window of `side` that holds `middle` begins along an axis of `length`."""
    if side >= length:  # the picture lies at one end of the window or the other, where brushes of sides find it
        return 0 if rng.random() < 0.5 else length - side
    return int(np.clip(middle - side // 2, 0, length - side))


def _as_strong(before: Image, change: Image, contrast: float | None) -> Image:
    """The new values, (N, 3), changed by about `contrast` grey levels on average."""
    drawn: Image = np.clip(before + change, 0, 255)
    if contrast is None:
        return drawn
    for _ in range(_FITTINGS):  # black and white take some of it, which the other pixels make up for
        reached = float(np.abs(drawn - before).mean())
        if reached < 1e-3:
            break
        change = change * np.float32(contrast / reached)
        drawn = np.clip(before + change, 0, 255)
    return drawn


def _check(
    picture: Pixels, kind: str, seed: int, size: float | None, contrast: float | None, where: Mask | None
) -> None:
    if kind not in KINDS:
        raise ConfigError(f"There is no defect '{kind}' to draw; choose one of: {', '.join(KINDS)}.")
    if seed < 0:
        raise ConfigError(f"The seed {seed} is negative; give 0 or more.")
    if size is not None and not 0 < size <= 0.5:
        raise ConfigError(
            f"A defect cannot cover a share of {size:g} of the picture; give more than 0, at most 0.5."
        )
    if contrast is not None and not 0 < contrast <= 255:
        raise ConfigError(f"A contrast of {contrast:g} grey levels cannot be drawn; give more than 0, at most 255.")
    is_rgb = picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3
    if not is_rgb or min(picture.shape[:2]) < LEAST_SIDE:
        raise ImageError(
            f"A picture of shape {picture.shape} and type {picture.dtype} cannot be drawn on; give RGB as 8-bit "
            f"numbers, (H, W, 3), at least {LEAST_SIDE} pixels each way."
        )
    if where is not None and (where.dtype != np.bool_ or where.shape != picture.shape[:2]):
        raise ImageError(
            f"The mask of the part has shape {where.shape} and type {where.dtype}; give one boolean per pixel, "
            f"{picture.shape[:2]}."
        )
