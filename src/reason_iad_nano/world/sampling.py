"""One sample by its seed: a design, a part of it with or without defects, and pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from reason_iad.errors import ConfigError
from reason_iad.expert.brushes.marks import LEAST_PIXELS
from reason_iad.expert.brushes.types import Canvas, Design, Image, Mask
from reason_iad.schema import PLACES
from reason_iad_nano.world.camera import STILL, draw_pose, photograph
from reason_iad_nano.world.families import FAMILIES
from reason_iad_nano.world.kinds import KINDS
from reason_iad_nano.world.types import Defect, Family, Pixels, Sample, Size, sides

Split = Literal["train", "held_out", "all"]
Features = tuple[tuple[str, int], ...]
_View = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]
WORLD = 6
"""Part of every seed: raise it when the same seed no longer draws the same sample."""
SEVERAL = 0.08
"""Share of defective parts with two or three defects."""
ATTEMPTS = 100
"""Designs that are tried until one has room for a kind that was asked for."""
TRIES, EACH = 12, 4
"""Defects that are tried until one shows, and how many of a kind, so that kinds that rarely fit are not rare."""
LEAST_AREA = 0.0005
"""Share of the image that a defect covers at least."""
LEAST_CHANGE = 18.0
"""Grey levels by which its pixels differ, on average, from a part without it. Less is a label without a defect."""
ALIGNED = 0.65
"""Share of samples whose references lie where the query lies."""
FEATURED = 0.3
"""Share of designs with marks that belong there: they look like defects, and every good part has them."""
AT_DEFECT = 0.85
"""Share of crops of a defective part that are laid so that they show a defect."""
_QUARTERS = (cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_CLOCKWISE)
MAJOR, CRITICAL = 0.003, 0.015
"""Shares of the image from which a defect is major, and critical."""


def make_sample(
    seed: int,
    *,
    size: Size = 168,
    split: Split = "train",
    references: int = 1,
    defect_probability: float = 0.5,
    family: str | None = None,
    kind: str | None = None,
    zoom: float = 1.0,
) -> Sample:
    """Draw a sample: a pure function of its arguments, in any process.

    Args:
        seed: number of the sample.
        size: pixels each way, at least 56, or (height, width): a window of a square of the longer side.
        split: 'train' draws only families and kinds that may be trained on, 'held_out' only families that may
            not, with every kind they have.
        references: good pictures of the same design.
        defect_probability: share of defective parts; 1.0 if a kind is asked for.
        family: only this one, whatever the split.
        kind: only this kind of defect.
        zoom: above 1, the pictures are crops of larger ones: `zoom` times fewer of the part, each way.

    Raises:
        ConfigError: family or kind are unknown or do not go together, the size is too small, or the zoom below 1.
    """
    window = sides(size)
    if min(window) < 56:
        raise ConfigError(f"A sample of {min(window)} pixels is too small to show anything; ask for at least 56.")
    if zoom < 1:
        raise ConfigError(f"A zoom of {zoom} would show more than there is; ask for 1 or more.")
    rng = np.random.default_rng([seed, WORLD])
    chosen = _family(rng, split, family)
    kinds = _kinds(chosen, split, kind)
    drawn = round(max(window) * zoom)
    part, found = _draw(rng, chosen, kinds, drawn, defect_probability, sure=kind is not None)
    grey = bool(rng.random() < chosen.grey)
    aligned = bool(rng.random() < ALIGNED)
    view = _view(rng, drawn, window, found)
    query = photograph(rng, part.canvas.image, STILL, grey)
    pictures = [_reference(rng, part, drawn, aligned, grey) for _ in range(references)]
    cut = LEAST_PIXELS if drawn > min(window) else 1
    seen = [(name, pixels) for name, pixels in ((n, view(p)) for n, p in found) if int(pixels.sum()) >= cut]
    mask = np.zeros(window, bool)
    for _, pixels in seen:
        mask |= pixels
    return Sample(
        query=view(query),
        references=tuple(view(picture) for picture in pictures),
        mask=mask,
        family=chosen.name,
        object_name=chosen.object_name,
        defects=tuple(_describe(name, pixels) for name, pixels in seen),
        aligned=aligned,
        featured=bool(part.features),
        seed=seed,
    )


class _Part(NamedTuple):
    """A design, the marks that belong to it (kind and seed), and one part of it."""

    family: Family
    design: Design
    features: Features
    canvas: Canvas


def _render(rng: np.random.Generator, family: Family, design: Design, features: Features, size: int) -> Canvas:
    """One part with the marks of its design, which are drawn alike on every part."""
    canvas = family.render(rng, design, size)
    for name, seed in features:
        family.defects[name](np.random.default_rng(seed), canvas, design)
    return canvas


def _draw(
    rng: np.random.Generator, family: Family, kinds: list[str], size: int, probability: float, sure: bool
) -> tuple[_Part, list[tuple[str, Mask]]]:
    """A design and a part of it with its defects; if one is `sure` to be wanted, a design that has room for it."""
    for _ in range(ATTEMPTS):
        design = family.design(rng, size)
        features: Features = ()
        if kinds and rng.random() < FEATURED and family.marked:
            names = [kinds[int(rng.integers(len(kinds)))] for _ in range(int(rng.integers(1, 3)))]
            features = tuple((name, int(rng.integers(1 << 31))) for name in names)
        canvas = _render(rng, family, design, features, size)
        found: list[tuple[str, Mask]] = []
        if kinds and (sure or rng.random() < probability):
            for _ in range(1 if sure or rng.random() >= SEVERAL else int(rng.integers(2, 4))):
                found += _add_defect(rng, canvas, design, family, kinds)
        if found or not sure:
            return _Part(family, design, features, canvas), found
    raise ConfigError(f"No '{family.name}' of {size} pixels had room for '{kinds[0]}'; ask for a larger size.")


def _family(rng: np.random.Generator, split: Split, name: str | None) -> Family:
    if name is not None:
        if name not in FAMILIES:
            raise ConfigError(f"Unknown family '{name}'; choose one of: {', '.join(FAMILIES)}.")
        return FAMILIES[name]
    allowed = [one for one in FAMILIES.values() if split == "all" or one.held_out == (split == "held_out")]
    weights = np.array([one.weight for one in allowed])
    return allowed[int(rng.choice(len(allowed), p=weights / weights.sum()))]


def _kinds(family: Family, split: Split, kind: str | None) -> list[str]:
    if kind is None:
        return [name for name in family.defects if split != "train" or not KINDS[name].held_out]
    if kind not in family.defects:
        raise ConfigError(f"The family '{family.name}' has no '{kind}'; it has: {', '.join(family.defects)}.")
    return [kind]


def _add_defect(
    rng: np.random.Generator, canvas: Canvas, design: Design, family: Family, kinds: list[str]
) -> list[tuple[str, Mask]]:
    """Draw one defect that shows; another attempt where the part had no room for it, or it cannot be seen."""
    before = replace(canvas, image=canvas.image.copy(), layers=dict(canvas.layers))
    order = rng.permutation(len(kinds))
    for attempt in range(TRIES):
        name = kinds[order[attempt // EACH % len(kinds)]]
        pixels = family.defects[name](rng, canvas, design)
        if pixels is not None and _shows(before.image, canvas.image, pixels):
            return [(name, pixels)]
        canvas.image[:], canvas.part, canvas.layers = before.image, before.part, dict(before.layers)
    return []


def _shows(before: Image, after: Image, pixels: Mask) -> bool:
    """Whether a person could see it: large enough, and different enough from what was there."""
    if int(pixels.sum()) < LEAST_AREA * pixels.size:
        return False
    return float(np.abs(after[pixels] - before[pixels]).mean()) >= LEAST_CHANGE


def _reference(rng: np.random.Generator, part: _Part, size: int, aligned: bool, grey: bool) -> Pixels:
    canvas = _render(rng, part.family, part.design, part.features, size)
    return photograph(rng, canvas.image, draw_pose(rng, size, aligned), grey)


def _view(rng: np.random.Generator, drawn: int, window: tuple[int, int], found: list[tuple[str, Mask]]) -> _View:
    """Which part of the drawn square is shown, and which way up; with a defect in it more often than not."""
    quarter, mirrored = int(rng.integers(4)), bool(rng.integers(2))
    high, wide = window if quarter % 2 == 0 else window[::-1]
    top, left = int(rng.integers(0, drawn - high + 1)), int(rng.integers(0, drawn - wide + 1))
    if found and drawn > min(window) and rng.random() < AT_DEFECT:
        at = np.nonzero(found[0][1])
        index = int(rng.integers(len(at[0])))
        top, left = (
            int(np.clip(along[index] - rng.integers(side // 8, side - side // 8), 0, drawn - side))
            for along, side in zip(at, (high, wide), strict=True)
        )

    def view(picture: npt.NDArray[Any]) -> npt.NDArray[Any]:
        shown: npt.NDArray[Any] = picture[top : top + high, left : left + wide].view(np.uint8)
        if quarter:
            shown = cv2.rotate(shown, _QUARTERS[quarter - 1])
        if mirrored:
            shown = cv2.flip(shown, 1)
        return np.ascontiguousarray(shown).view(picture.dtype)

    return view


def _describe(kind: str, pixels: Mask) -> Defect:
    high, wide = pixels.shape
    rows, columns = np.nonzero(pixels)
    area = float(pixels.mean())
    place = PLACES[int(rows.mean() * 3 / high) * 3 + int(columns.mean() * 3 / wide)]
    box = (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
    severity = "minor" if area < MAJOR else "major" if area < CRITICAL else "critical"
    return Defect(kind, area, severity, box, place)
