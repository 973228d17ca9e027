"""What a difference does to a part of two tones, in words: adds or takes away, and what it touches [ours].

A board, a stencil or a print is dark here and bright there, and its defects are told apart by what they join or
divide: optical inspection has classified them by referential comparison for decades (Moganti et al., "Automatic PCB
Inspection Algorithms: A Survey", CVIU 1996). A vision language model sees a bridge of three pixels badly, but it
knows which entry of the knowledge speaks of a bridge. So the pixels say what changed, in a sentence, and the model
reads which defect is described like that.

The dark tone is taken for the thing and the bright one for the ground, as in thresholded scans and in print. Where
it is the other way round, a bridge is called a gap.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reason_iad.expert.template import SIDE, TOLERANCE, Pixels
from reason_iad.schema import Box

TWO_TONES = 0.88
"""A picture has two tones if so much of its grey levels' variance lies between them (Otsu 1979)."""
LEAST_TONE = 0.03
"""Share of the picture that each tone covers at least."""
LEAST_BORDER = 0.02
"""Share of the picture's border that each covers at least: a pattern runs on, a thing before a ground does not."""
AROUND = 0.75
"""How far around the region is looked, in its longer sides."""
LEAST_AROUND = 12
"""Pixels around it at least."""
MOST_CHANGED = 0.2
"""Where more of the window has changed, the reference is another part or lies elsewhere."""
LEAST_PIXELS = 4
"""Pixels that a change, or an area that it touches, has at least."""

Tones = npt.NDArray[np.bool_]

WORDS = {
    (True, 0): "An isolated dark spot touches nothing.",
    (True, 1): "A small dark spike sticks out of the edge of a dark area.",
    (True, 2): "A dark bridge joins two areas that should be apart.",
    (False, 0): "A small hole lies inside a dark area.",
    (False, 1): "A bite is missing from the edge of a dark area.",
    (False, 2): "A gap interrupts a dark line.",
}
"""By whether dark was added, and how many areas of the same tone the change touches."""

TONES = (
    "A {0} spot is there that touches no other {0} area.",
    "A {0} area is larger there.",
    "Two {0} areas are joined there.",
)
"""By how many areas of the same tone the change touches."""


@dataclass(frozen=True, slots=True)
class Change:
    """What changed at one place.

    Attributes:
        darker: whether dark was added; else it was taken away.
        touches: how many areas of its own tone, apart on the good part, the change touches: 0, 1, or 2 and more.
    """

    darker: bool
    touches: int

    def in_words(self) -> str:
        """A sentence, for parts whose thing is dark."""
        return WORDS[self.darker, self.touches]

    def in_tones(self) -> str:
        """A sentence that is true whichever tone is the thing."""
        return TONES[self.touches].format("dark" if self.darker else "bright")


def change_at(
    image: Pixels, references: Iterable[Pixels], box: Box, unseen: tuple[float, float] = (0.0, 0.0)
) -> Change | None:
    """What changed in a region; None where there are no two tones, nothing clear changed, or references disagree.

    Args:
        image: (H, W, 3), of the part, not larger than pixels are compared (`template.compared_size`).
        references: (h, w, 3) each, of good parts, laid as the part lies; brought to its size.
        box: the region, in pixels of the image.
        unseen: shares of the width and of the height, at either border, that a moved reference does not show.
    """
    import cv2

    grey = _grey(image)
    level = two_tones(grey)
    if level is None:
        return None
    height, width = grey.shape
    around = int(max(AROUND * max(box.x2 - box.x1, box.y2 - box.y1), LEAST_AROUND))
    window = tuple(slice(max(0, low - around), high + around) for low, high in ((box.y1, box.y2), (box.x1, box.x2)))
    inside, seen = np.zeros(grey.shape, bool), np.zeros(grey.shape, bool)
    inside[box.y1 : box.y2, box.x1 : box.x2] = True
    across, down = (math.ceil(share * side) for share, side in zip(unseen, (width, height), strict=True))
    seen[down : height - down, across : width - across] = True
    tolerance = math.ceil(TOLERANCE * max(width, height) / SIDE)
    changes: set[Change] = set()
    for reference in references:
        how = cv2.INTER_AREA if reference.shape[1] > width else cv2.INTER_LINEAR
        good = cv2.resize(_grey(reference), (width, height), interpolation=how).astype(np.uint8, copy=False)
        usual = two_tones(good)
        if usual is None:
            return None
        change = _change((grey <= level)[window], (good <= usual)[window], inside[window], seen[window], tolerance)
        if change is None:
            return None
        changes.add(change)
    return changes.pop() if len(changes) == 1 else None


def _grey(image: Pixels) -> npt.NDArray[np.uint8]:
    """(H, W) luma of an RGB image."""
    import cv2

    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)


def two_tones(grey: npt.NDArray[np.uint8]) -> int | None:
    """The grey level up to which a picture, (h, w), is dark; None if it is no pattern of two tones."""
    import cv2

    level, dark = cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    share = float(dark.mean())
    border = float(np.concatenate([dark[0], dark[-1], dark[1:-1, 0], dark[1:-1, -1]]).mean())
    if not (LEAST_TONE <= share <= 1 - LEAST_TONE and LEAST_BORDER <= border <= 1 - LEAST_BORDER):
        return None
    apart = float(grey[dark == 0].mean() - grey[dark == 1].mean())
    between = share * (1 - share) * apart**2
    return int(level) if between >= TWO_TONES * max(float(grey.var()), 1e-9) else None


def _change(dark: Tones, good: Tones, inside: Tones, seen: Tones, tolerance: int) -> Change | None:
    """The largest change that reaches into the region, of what the reference shows."""
    import cv2

    reach = np.ones((2 * tolerance + 1, 2 * tolerance + 1), np.uint8)
    best: tuple[int, bool, Tones] | None = None
    changed = 0
    for darker, now, before in ((True, dark, good), (False, ~dark, ~good)):
        new = now & (cv2.dilate(before.astype(np.uint8), reach) == 0) & seen
        changed += int(new.sum())
        count, labels = cv2.connectedComponents(new.astype(np.uint8), connectivity=8)
        areas = np.bincount(labels[inside], minlength=count)
        areas[0] = 0
        if areas.max() >= LEAST_PIXELS and (best is None or areas.max() > best[0]):
            best = int(areas.max()), darker, labels == int(areas.argmax())
    if best is None or changed > MOST_CHANGED * dark.size:
        return None
    _, darker, core = best
    now, before = (dark, good) if darker else (~dark, ~good)
    whole = _pieces_at(now, core)
    touched = _count(before & now & whole)
    near = cv2.dilate(core.astype(np.uint8), reach) > 0
    divided = _count(~now & _pieces_at(~before, core), near)
    return Change(darker, 2 if divided > 1 else min(2, touched))


def _pieces_at(tone: Tones, at: Tones) -> Tones:
    """The pieces of a tone that reach into a place."""
    import cv2

    _, pieces = cv2.connectedComponents(tone.astype(np.uint8), connectivity=8)
    found: Tones = np.isin(pieces, np.setdiff1d(pieces[at], [0]))
    return found


def _count(areas: Tones, at: Tones | None = None) -> int:
    """How many areas there are, or reach into a place; specks are none."""
    import cv2

    count, labels = cv2.connectedComponents(areas.astype(np.uint8), connectivity=8)
    sizes = np.bincount(labels.ravel(), minlength=count)
    sizes[0] = 0
    large = sizes >= LEAST_PIXELS
    return int(large.sum() if at is None else large[np.unique(labels[at])].sum())
