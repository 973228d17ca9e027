"""Defects drawn on good pictures: many kinds, sizes and contrasts, spread evenly, the same for the same seed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from reason_iad.expert.brushes.types import Mask
from reason_iad.expert.normality.area import EVERYWHERE, Area

if TYPE_CHECKING:
    from PIL import Image

    from reason_iad.images import LoadedImage

CONTRASTS = (60.0, 120.0)
"""Grey levels by which a defect changes its pixels, on average: the faintest and the clearest."""
DRAWN_AT = 512
"""Root of the number of pixels at which defects are drawn, at most; on larger pictures they are enlarged."""
STRIP = 2**20
"""Pixels of a large picture that are changed at a time."""


@dataclass(frozen=True, slots=True)
class Family:
    """Defects that are alike, and so have one detection limit.

    Attributes:
        kinds: of brushes.
        shares: of the picture that they cover: the smallest and the largest.
        larger: how one says that they are larger.
    """

    kinds: tuple[str, ...]
    shares: tuple[float, float]
    larger: str = "larger"


FAMILIES: Mapping[str, Family] = {
    "scratches and cracks": Family(("scratch", "crack", "loose thread"), (1e-4, 2e-2), "longer"),
    "stains and dirt": Family(("stain", "contamination", "color"), (3e-4, 1e-1)),
    "pores and dents": Family(("blowhole", "pitting", "hole", "dent"), (2e-4, 5e-2)),
    "broken edges": Family(("chip", "break"), (5e-4, 1e-1)),
}
"""Name in the plural to what is drawn."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A defect to draw.

    Attributes:
        image: number of the good picture.
        family, kind: what to draw.
        share: of the picture that it covers, about.
        contrast: in grey levels.
        seed: of the brush.
    """

    image: int
    family: str
    kind: str
    share: float
    contrast: float
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A picture with a drawn defect.

    Attributes:
        wanted: what was asked for.
        picture: RGB, as large as the good one.
        mask: (h, w) the pixels of the defect; smaller than the picture by `scale`.
        scale: pixels of the picture per pixel of the mask; at least 1.
        length: pixels of the picture along the longer side of the smallest rectangle around the defect.
        area: pixels of the picture that it covers.
    """

    wanted: Wanted
    picture: Image.Image
    mask: Mask
    scale: float
    length: float
    area: float


def plan(
    images: Sequence[int], count: int, seed: int, families: Mapping[str, Family] = FAMILIES
) -> tuple[Wanted, ...]:
    """Which defects to draw: all families and pictures as often as each other, sizes and contrasts spread evenly.

    Args:
        images: numbers of the good pictures to draw on; at least one.
        count: how many defects.
        seed: at least 0; another one plans other defects.
        families: what to draw.
    """
    rng = np.random.default_rng(seed)
    wanted: list[Wanted] = []
    for at, (name, family) in enumerate(families.items()):
        number = len(range(at, count, len(families)))
        shares = _spread(rng, number, *family.shares)
        contrasts = _spread(rng, number, *CONTRASTS)
        for trial in range(number):
            kind = family.kinds[trial % len(family.kinds)]
            drawn_seed = int(rng.integers(2**31))
            wanted.append(Wanted(0, name, kind, float(shares[trial]), float(contrasts[trial]), drawn_seed))
    order = rng.permutation(len(wanted))
    turns = [images[turn % len(images)] for turn in range(len(wanted))]
    return tuple(
        Wanted(turn, each.family, each.kind, each.share, each.contrast, each.seed)
        for turn, each in zip(turns, (wanted[at] for at in order), strict=True)
    )


def draw(
    image: LoadedImage, wanted: Sequence[Wanted], area: Area = EVERYWHERE, size: int = DRAWN_AT
) -> Iterator[Drawn]:
    """The picture with each of the defects; one that finds no room is left out.

    Args:
        image: a good picture.
        wanted: what to draw.
        area: what counts of the picture; defects lie inside.
        size: root of the number of pixels at which they are drawn, at most.
    """
    from reason_iad.expert.brushes import draw_defect

    scale = max(1.0, (image.width * image.height) ** 0.5 / size)
    before = _scaled(image.pixels, scale)
    where = None if area.counts.all() else area.without(np.zeros(before.shape[:2], np.bool_)).counts
    for each in wanted:
        drawn = draw_defect(before, each.kind, seed=each.seed, size=each.share, contrast=each.contrast, where=where)
        if drawn is not None:
            change = drawn.picture.astype(np.int16) - before
            picture = _changed(image.pixels, change) if scale > 1 else _picture(drawn.picture)
            length = _length(drawn.mask) * scale
            yield Drawn(each, picture, drawn.mask, scale, length, float(drawn.mask.sum()) * scale**2)


def hits(mask: Mask, spot: tuple[float, float], reach: float) -> bool:
    """Whether a spot lies in a mask or near it.

    Args:
        mask: (h, w), not empty.
        spot: (x, y) as shares of width and height.
        reach: how far from the mask it may lie, as a share of the longer side.
    """
    rows, columns = np.nonzero(mask)
    across = np.abs(columns + 0.5 - spot[0] * mask.shape[1]) - 0.5
    down = np.abs(rows + 0.5 - spot[1] * mask.shape[0]) - 0.5
    apart = np.hypot(across.clip(0), down.clip(0))
    return bool(apart.min() <= reach * max(mask.shape))


def _spread(rng: np.random.Generator, number: int, low: float, high: float) -> npt.NDArray[np.float64]:
    """Numbers spread evenly by their logarithms, one in each of as many steps, in any order."""
    steps = (rng.permutation(number) + rng.random(number)) / max(number, 1)
    spread: npt.NDArray[np.float64] = low * (high / low) ** steps
    return spread


def _length(mask: Mask) -> float:
    """Pixels along the longer side of the smallest rectangle around all of a mask."""
    import cv2

    rows, columns = np.nonzero(mask)
    points = np.stack([columns, rows], 1).astype(np.float32)
    return float(max(cv2.minAreaRect(points)[1])) + 1  # from centre to centre, and half a pixel at each end


def _scaled(pixels: Image.Image, scale: float) -> npt.NDArray[np.uint8]:
    """(h, w, 3)."""
    from PIL import Image as Pillow

    if scale > 1:
        size = (max(1, round(pixels.width / scale)), max(1, round(pixels.height / scale)))
        pixels = pixels.resize(size, Pillow.Resampling.BOX)
    return np.asarray(pixels.convert("RGB"))


def _changed(pixels: Image.Image, change: npt.NDArray[np.int16]) -> Image.Image:
    """A large picture with a change (h, w, 3) that was drawn on a smaller one; equal elsewhere. In strips."""
    from PIL import Image as Pillow

    result = pixels.convert("RGB")
    planes = [Pillow.fromarray(change[..., channel].astype(np.float32)) for channel in range(3)]
    rows = np.flatnonzero(change.any((1, 2)))
    scale, step = len(change) / pixels.height, max(1, STRIP // pixels.width)
    first, last = (0, 0) if not len(rows) else (int((rows[0] - 1) / scale), math.ceil((rows[-1] + 2) / scale))
    for top in range(max(0, first), min(last, pixels.height), step):
        bottom = min(top + step, pixels.height)
        box = (0.0, top * scale, float(change.shape[1]), bottom * scale)
        more = [
            np.asarray(plane.resize((pixels.width, bottom - top), Pillow.Resampling.BILINEAR, box=box))
            for plane in planes
        ]
        strip = np.asarray(result.crop((0, top, pixels.width, bottom)), np.float32) + np.stack(more, axis=2)
        result.paste(_picture(np.clip(np.round(strip), 0, 255).astype(np.uint8)), (0, top))
    return result


def _picture(pixels: npt.NDArray[np.uint8]) -> Image.Image:
    from PIL import Image as Pillow

    return Pillow.fromarray(pixels)
