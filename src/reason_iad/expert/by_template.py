"""Parts that have a template: by how many grey levels a part differs from it, and where [ours].

Boards, labels and prints are made after a drawing, and each may show another pattern. What good parts have in
common says little then, and the part's own template says everything. It is laid as the part lies
(`registration.py`), and pixels are compared (`template.py`). The score is the largest difference. Good parts with
their templates show which difference is usual, and the limits follow from them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from reason_iad.expert.change import Change, change_at
from reason_iad.expert.copies import same_picture
from reason_iad.expert.regions import regions
from reason_iad.expert.registration import Motion, correlation, register
from reason_iad.expert.template import Pixels, pixel_differences, small_copy
from reason_iad.schema import Box

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reason_iad.expert.conformal import Limits
    from reason_iad.expert.normality.area import Area
    from reason_iad.expert.regions import Marked
    from reason_iad.images import LoadedImage

SAME_SHAPE = 0.05
"""By how much the aspect ratios of a part and its template may differ."""
DIFFERS = 16.0
"""Grey levels from which on a place differs, for telling whether a picture looks like the template at all."""
MOST_DIFFERS = 0.5
"""Share of the picture that differs, from which on it does not look like the template."""
LOOSE, SOME_DIFFERS = 0.3, 0.1
"""The same holds if both pictures are correlated less than this, and more than this share differs."""
LEVEL = 0.5
"""Share of the largest difference from which on a place is marked."""
ROUNDS = 4
"""How often places that are too small to count are taken away, at most."""
AROUND = 0.015
"""Share of the longer side around such a place that is taken away with it."""

Grey = npt.NDArray[np.float32]
Unfit = Literal["same", "unlike"]
"""Why a picture is not the template of a part: it is the same picture, or looks different."""


@dataclass(frozen=True, eq=False)
class Difference:
    """How a part differs from its template.

    Attributes:
        values: (rows, columns) grey levels, at least 0; 0 where nothing counts.
        marked: the places that differ most, the clearest first.
        fits: whether the picture looks like the template at all.
        motion: how the template was moved; None if it was not.
        size: (width, height) of the part.
        pictures: (h, w, 3) the part, as small as it was compared, and the template as the part lies.
    """

    values: Grey
    marked: tuple[Marked, ...]
    fits: bool
    motion: Motion | None
    size: tuple[int, int]
    pictures: tuple[Pixels, Pixels]

    @property
    def score(self) -> float:
        """The largest difference, in grey levels."""
        return float(self.values.max())

    def in_template(self, place: Marked) -> tuple[float, float]:
        """Where the middle of a place lies in the template, as shares of its width and height."""
        x, y = (each / side for each, side in zip(place.centre, self.size, strict=True))
        dx, dy = (0.0, 0.0) if self.motion is None else (self.motion.dx, self.motion.dy)
        return min(max(x - dx, 0.0), 1.0), min(max(y - dy, 0.0), 1.0)

    def change_in(self, box: tuple[int, int, int, int]) -> Change | None:
        """What the part has or lacks in a box, x1, y1, x2, y2 in pixels of the part; None if nobody can tell."""
        seen, good = self.pictures
        across, down = seen.shape[1] / self.size[0], seen.shape[0] / self.size[1]
        x1, y1 = int(box[0] * across), int(box[1] * down)
        x2, y2 = max(x1 + 1, math.ceil(box[2] * across)), max(y1 + 1, math.ceil(box[3] * down))
        unseen = (0.0, 0.0) if self.motion is None else self.motion.unseen(*self.size)
        return change_at(seen, [good], Box(x1=x1, y1=y1, x2=x2, y2=y2), unseen)


@dataclass(frozen=True, eq=False)
class TemplateRule:
    """What parts that have a template are judged by, beside the limits.

    Attributes:
        scores: of good parts, each compared with its own template; what the limits are set by.
        align: whether templates are moved to lie as the part does.
        single: the template of all parts; None if each has its own.
        changes: what labelled defects changed of their templates, by the hash of their pictures; without those of
            which nobody can tell.
    """

    scores: tuple[float, ...]
    align: bool = True
    single: LoadedImage | None = None
    changes: Mapping[str, Change] = field(default_factory=dict)

    @property
    def usual(self) -> float:
        """The mean of the good parts' scores; at least a grey level."""
        return max(1.0, sum(self.scores) / max(1, len(self.scores)))

    def changed_alike(self, change: Change | None) -> frozenset[str] | None:
        """Labelled defects, by hash, that changed the same of their templates; None if nobody can tell."""
        if change is None or not self.changes:
            return None
        return frozenset(name for name, each in self.changes.items() if each == change)

    def clear(self, limits: Limits) -> float:
        """The difference, in grey levels, that is shown in full in maps."""
        ends = [limit for limit in (limits.defect_from, limits.pass_below) if math.isfinite(limit)]
        return max(2 * self.usual, *ends)

    def deviations(self, score: float) -> float:
        """A score in the deviations of good parts, for probabilities."""
        middle = sum(self.scores) / max(1, len(self.scores))
        spread = math.sqrt(sum((each - middle) ** 2 for each in self.scores) / max(1, len(self.scores)))
        return score / max(1.0, spread)


def same_shape(part: tuple[int, int], template: tuple[int, int]) -> bool:
    """Whether two pictures of these (width, height) have the same proportions."""
    return abs(math.log(part[0] * template[1] / (part[1] * template[0]))) <= SAME_SHAPE


def compare(
    image: LoadedImage, template: LoadedImage, area: Area, *, align: bool, least_px: float | None = None
) -> Difference:
    """Compare a part with its template.

    Args:
        image: the part.
        template: the template, which may have another size.
        area: what counts of the picture.
        align: whether the template is moved to lie as the part does, where that makes both agree.
        least_px: the length of the smallest place that counts, in pixels of the part; None: every one does.
    """
    size = (image.width, image.height)
    found = register(template.whole, image.whole) if align else None
    laid, motion = found if found is not None else (template.whole, None)
    unseen = (0.0, 0.0) if motion is None else motion.unseen(image.width, image.height)
    seen, good = small_copy(image.whole), small_copy(laid)
    values = pixel_differences(seen, [good], unseen)
    if values is None or not same_shape(size, (template.width, template.height)):
        nothing = np.zeros(seen.shape[:2], np.float32)
        return Difference(nothing, (), fits=False, motion=motion, size=size, pictures=(seen, good))
    counts = _counts(area, values.shape)
    values = np.where(counts, values, np.float32(0))
    plain = Difference(values, (), _fits(values, seen, good, counts), motion, size, (seen, good))
    return _counting(plain, counts, least_px)


def score_of(
    image: LoadedImage, template: LoadedImage, area: Area, *, align: bool, least_px: float | None = None
) -> float | Unfit:
    """The score of a good part, or why the template cannot be its own.

    Args:
        image, template, area, align, least_px: as in `compare`.
    """
    if same_picture(template, image) is not None:
        return "same"
    found = compare(image, template, area, align=align, least_px=least_px)
    return found.score if found.fits else "unlike"


def _fits(values: Grey, seen: npt.NDArray[Any], good: npt.NDArray[Any], counts: npt.NDArray[np.bool_]) -> bool:
    """Whether both pictures, (h, w, 3), look alike where it counts."""
    import cv2

    share = float((values[counts] > DIFFERS).mean())
    if share > MOST_DIFFERS or share <= SOME_DIFFERS:
        return share <= SOME_DIFFERS
    if good.shape != seen.shape:
        good = cv2.resize(good, seen.shape[1::-1], interpolation=cv2.INTER_AREA)
    one, other = (picture.astype(np.float32).mean(-1) for picture in (seen, good))
    return correlation(one, other, counts) >= LOOSE


def _counts(area: Area, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """(rows, columns) which pixels count; all, where none would."""
    import cv2

    drawn: Any = cv2.resize(area.counts.astype(np.uint8), (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST)
    found = np.asarray(drawn) > 0
    return found if found.any() else np.ones_like(found)


def _counting(plain: Difference, counts: npt.NDArray[np.bool_], least_px: float | None) -> Difference:
    """The same with its places, and without those that are too small to count."""
    values, marked = plain.values, _marked(plain.values, plain.size, counts)
    for _ in range(0 if least_px is None else ROUNDS):
        small = [each for each in marked if each.length < (least_px or 0)]
        if not small:
            break
        values = _without(values, small, plain.size)
        marked = _marked(values, plain.size, counts)
    return replace(plain, values=values, marked=marked)


def _marked(values: Grey, size: tuple[int, int], counts: npt.NDArray[np.bool_]) -> tuple[Marked, ...]:
    highest = float(values.max())
    if highest <= 0:
        return ()
    return regions(values, *size, level=LEVEL * highest, inspect=None if counts.all() else counts)


def _without(values: Grey, places: Sequence[Marked], size: tuple[int, int]) -> Grey:
    """The differences without some places and what lies close around them."""
    import cv2

    rows, columns = values.shape
    scale = (columns / size[0], rows / size[1])
    gone = np.zeros((rows, columns), np.uint8)
    for each in places:
        cv2.fillPoly(gone, [np.rint(np.array(each.polygon) * scale).astype(np.int32)], 1)
    grown = cv2.dilate(gone, np.ones((3, 3), np.uint8), iterations=max(3, round(AROUND * max(rows, columns))))
    return np.where(np.asarray(grown) > 0, np.float32(0), values)
