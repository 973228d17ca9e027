"""Does a picture show this kind of part at all, and well enough to judge it? (METHOD section 5, step 1)

A blank picture, another part, a part that is turned or half covered is never a pass: it cannot be judged.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from reason_iad.expert.normality.looks import Whole
from reason_iad.expert.normality.views import find_views

NEIGHBOURS = 3
"""Good images that a picture is compared with: those most like it."""
FAR = 1.9
"""Times the largest distance among good images beyond which a picture shows something else. Of the development
sets, left-out good images reach 1.0; other parts, noise and blank pictures begin at 1.7 (benchmarks/judging.py)."""
FEW_FAR: Mapping[int, float] = {1: 6.6, 2: 3.9, 3: 3.5, 4: 3.3}
"""With so few good images, how far a picture is at least that shows something else, in deviations per channel. The
distances among them say too little then. Of left-out good images of the development sets, 99 % are nearer."""
LIGHT = 1.7
"""Factor beyond the darkest and the brightest good image beyond which the light is wrong."""
SHARP = 0.4
"""Share of the sharpness of the least sharp good image below which a picture is blurred."""
SHAPE = 1.5
"""Factor beyond the widest and the narrowest good image beyond which a picture has another shape."""
GRAIN = 1.15
"""Factor beyond the finest and the coarsest good image beyond which a picture is blurred or shows another size."""
FEW_MARGIN = 4.0
"""These factors are raised to the power of 1 + this / good images: the extremes of a few images lie too near."""
LEAST = 1e-3
"""A smaller light, sharpness or grain counts as so much."""
FEW = 4.0
"""The deviation of a few good images is held together with a guess that counts as much as so many of them."""
GUESS = 0.15
"""That guess: this share of the size of each channel."""
NO_ODDER, ODD = 1, 2
"""Of a good image that says nothing about what is usual: whether it looks unusual as a whole."""
EXPLAINED = 0.9
"""It does if it is farther from usual images than this quantile of them is from the others."""
APART = 0.8
"""Good parts never lie turned so if all of them are told from all turned copies, by this share of the usual gap."""

TEXTS: Mapping[str, str] = {
    "dark": "The picture is much darker than the good ones. Check the light, and that it shows the whole part.",
    "bright": "The picture is much brighter than the good ones. Check the light, and that it shows the whole part.",
    "blurred": "The picture is less sharp than the good ones. Check the focus, and that it shows the whole part.",
    "shape": "The picture has other proportions, width to height, than the good ones.",
    "grain": "The picture is out of focus, or shows the part larger or smaller than the good ones do.",
    "turned": "The part is turned or mirrored, compared with the good ones.",
    "template": "The picture does not look like its template.",
    "other": "The picture does not look like the good ones. It may show another part, or only a piece of it.",
}
"""Why a picture cannot be judged, in words."""
OF_OTHERS = ("turned", "other")
"""The reasons that say that a picture does not look like good pictures. A template says it better."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """How much a picture looks like the product.

    Attributes:
        distance: from the good images most like it, in units of the largest among good images; about 1 or less for
            good parts.
        reason: a key of `TEXTS` if it cannot be judged; else None.
        view: the number of the view that it shows (`views.find_views`).
    """

    distance: float
    reason: str | None
    view: int = 0


@dataclass(frozen=True, eq=False)
class LikenessModel:
    """The good images, as wholes.

    Attributes:
        embeddings: (n, 2 c) standardised. Where parts lie at any angle, n more for each further angle.
        middle, spread: (2 c,) by which they are; exceptions have no part in these.
        largest: of the distances of good images from those most like them, each left out; more where they are few.
        light, sharpness, shape: the least and the largest of good images.
        layouts: (n, g) of good images.
        turned: (w, m, g) of m good images, turned or mirrored in those ways in which no good part lies; maybe none.
        grain: the least and the largest of good images, at each of the two scales.
        views: (n,) the number of the view that each good image shows.
        exceptional: (n,) int64, 0 for usual images. The others say nothing about what is usual: `ODD` where they
            look unusual as wholes, so that pictures are compared with them, and `NO_ODDER` where they do not.
    """

    embeddings: torch.Tensor
    middle: torch.Tensor
    spread: torch.Tensor
    largest: float
    light: tuple[float, float]
    sharpness: tuple[float, float]
    shape: tuple[float, float]
    layouts: torch.Tensor
    turned: torch.Tensor
    grain: tuple[tuple[float, float], tuple[float, float]]
    views: torch.Tensor
    exceptional: torch.Tensor

    @classmethod
    def of(
        cls,
        good: Sequence[Whole],
        changed: Sequence[Whole] = (),
        turned: Mapping[int, torch.Tensor] | None = None,
        copies: Sequence[Whole] = (),
        exceptions: Collection[int] = (),
    ) -> LikenessModel:
        """From good images.

        Args:
            good: at least one.
            changed: slightly changed copies of them, where they are few: they show what may vary.
            turned: for some of the good images, by number, (w, g) layouts of it turned or mirrored in w ways.
            copies: all good images turned by one angle, then by the next; they are as good.
            exceptions: numbers of good images that are as good as any, and say nothing about what is usual.
        """
        exceptional = torch.tensor([number in exceptions for number in range(len(good))])
        kept = torch.stack([each.embedding for each in (*good, *copies)])
        usual = ~exceptional.repeat(len(kept) // len(good))
        embeddings = torch.cat([kept[usual], *(each.embedding[None] for each in changed)])
        middle = embeddings.mean(0)
        guess = GUESS * middle.abs() + 1e-3 * middle.abs().max()
        count = len(embeddings)
        spread = ((count * embeddings.var(0, correction=0) + FEW * guess.square()) / (count + FEW)).sqrt()
        standard = (kept - middle) / spread
        layouts = torch.stack([each.layout for each in good])
        return cls(
            standard,
            middle,
            spread,
            _largest(standard[usual], len(good) - len(exceptions)),
            _range([each.light for each in good]),
            _range([each.sharpness for each in good]),
            _range([each.shape for each in good]),
            layouts,
            _one_way(layouts, turned or {}),
            (_range([each.grain[0] for each in good]), _range([each.grain[1] for each in good])),
            _views(standard[: len(good)], exceptional),
            _exceptional(standard[: len(good)], exceptional),
        )

    def without(self, *numbers: int) -> LikenessModel:
        """As if some good images, by their numbers, were not there; for measuring."""
        keep = torch.ones(self.images, dtype=torch.bool)
        keep[list(numbers)] = False
        others = keep.repeat(len(self.embeddings) // self.images)
        return replace(
            self, embeddings=self.embeddings[others], layouts=self.layouts[keep], views=self.views[keep],
            exceptional=self.exceptional[keep],
        )  # fmt: skip

    @property
    def images(self) -> int:
        """How many good images there are."""
        return len(self.layouts)

    def most_alike(self, picture: Whole, most: int) -> list[int]:
        """Numbers of the good images that look most like a picture, the most alike first."""
        standard = (picture.embedding - self.middle) / self.spread
        apart = torch.cdist(standard[None], self.embeddings)[0].view(-1, self.images).amin(0)
        return [int(number) for number in apart.topk(min(most, len(apart)), largest=False).indices]

    def apart(self, picture: Whole, number: int) -> float:
        """How far a picture is from one good image, in deviations per channel."""
        standard = (picture.embedding - self.middle) / self.spread
        return float((standard - self.embeddings[number]).square().mean().sqrt())

    def judge(self, picture: Whole) -> Likeness:
        """How much a picture looks like the product, and whether it can be judged."""
        standard = (picture.embedding - self.middle) / self.spread
        apart = torch.cdist(standard[None], self.embeddings)
        angles = len(self.embeddings) // self.images
        apart.masked_fill_(self.exceptional.repeat(angles) == NO_ODDER, torch.inf)
        distance = float(_nearest(apart, min(NEIGHBOURS, len(self.embeddings)))) / self.largest
        view = int(self.views[int(apart.argmin()) % self.images])
        return Likeness(distance, self._reason(picture, distance), view)

    def _reason(self, picture: Whole, distance: float) -> str | None:
        if picture.light < self._limits(self.light, LIGHT)[0]:
            return "dark"
        brightest, darkest = self._limits(self.light, LIGHT)[1], self._limits(_inverted(self.light), LIGHT)[0]
        if picture.light > min(brightest, 1 - darkest):
            return "bright"
        if picture.sharpness < self._limits(self.sharpness, 1 / SHARP)[0]:
            return "blurred"
        shape = math.exp(self.shape[0]), math.exp(self.shape[1])
        if not _within(math.exp(picture.shape), self._limits(shape, SHAPE)):
            return "shape"
        if not all(
            _within(value, self._limits(usual, GRAIN))
            for value, usual in zip(picture.grain, self.grain, strict=True)
        ):
            return "grain"
        if len(self.turned) and min(_uprightness(picture.layout, self.layouts, self.turned)) < 0:
            return "turned"
        return "other" if distance > FAR else None

    def _limits(self, seen: tuple[float, float], factor: float) -> tuple[float, float]:
        """Least and largest that may be, from those of good images. Few images do not reach the extremes."""
        low, high = max(seen[0], LEAST), max(seen[1], LEAST)
        count = int((self.exceptional == 0).sum()) or self.images
        margin: float = factor ** (1 + FEW_MARGIN / count) * (high / low) ** (2 / count)
        return low / margin, high * margin


def _exceptional(standard: torch.Tensor, exceptional: torch.Tensor) -> torch.Tensor:
    """(n,) int64, of each good image, as in `LikenessModel`."""
    found = exceptional.long() * ODD
    usual = standard[~exceptional]
    if not bool(exceptional.any()) or len(usual) < 2:
        return found
    most = min(NEIGHBOURS, len(usual) - 1)
    among = _nearest(torch.cdist(usual, usual).fill_diagonal_(torch.inf), most)
    far = _nearest(torch.cdist(standard[exceptional], usual), most) > among.quantile(EXPLAINED)
    found[exceptional] = torch.where(far, ODD, NO_ODDER)
    return found


def _views(standard: torch.Tensor, exceptional: torch.Tensor) -> torch.Tensor:
    """(n,) the view of each good image: exceptions show that of the usual image most like them."""
    usual = find_views(standard[~exceptional])
    found = torch.zeros(len(standard), dtype=torch.int64)
    found[~exceptional] = usual
    if bool(exceptional.any()):
        found[exceptional] = usual[torch.cdist(standard[exceptional], standard[~exceptional]).argmin(1)]
    return found


def _largest(standard: torch.Tensor, count: int) -> float:
    """The largest distance among `count` good images, each left out; at least what `FEW_FAR` says of a few."""
    channels = standard.shape[1]
    least: float = FEW_FAR.get(count, 0.0) * channels**0.5 / FAR
    if count == 1:
        return least
    apart = torch.cdist(standard[:count], standard)
    owners = torch.arange(len(standard)) % count
    apart.masked_fill_(owners[:count, None] == owners, torch.inf)
    return max(float(_nearest(apart, min(NEIGHBOURS, count - 1)).max()), least, 1e-6)


def _nearest(apart: torch.Tensor, count: int) -> torch.Tensor:
    """(n,) mean distance to the nearest `count`."""
    return apart.topk(max(count, 1), largest=False).values.mean(1)


def _one_way(layouts: torch.Tensor, turned: Mapping[int, torch.Tensor]) -> torch.Tensor:
    """(w, m, g) the turned copies, of those ways in which good parts never lie.

    Each good image, and each copy, is left out and has to be told from the others by a clear gap.
    """
    none = layouts.new_empty(0, 0, layouts.shape[1])
    if not turned or len(layouts) <= NEIGHBOURS or len(turned) <= NEIGHBOURS:
        return none
    numbers = torch.tensor(list(turned))
    ways = torch.stack(list(turned.values()), 1)  # (w, m, g)
    own = torch.arange(len(numbers))
    alike = _most_alike((layouts @ layouts.T).fill_diagonal_(-torch.inf))
    found = []
    for way in ways:
        upright = alike - _most_alike(layouts @ way.T)
        among, against = (way @ way.T).fill_diagonal_(-torch.inf), way @ layouts.T
        against[own, numbers] = -torch.inf
        copies = _most_alike(against) - _most_alike(among)
        gap, usual = float(upright.min() - copies.max()), float(upright.median() - copies.median())
        if upright.min() > 0 > copies.max() and gap > APART * usual:
            found.append(way)
    return torch.stack(found) if found else none


def _uprightness(layout: torch.Tensor, layouts: torch.Tensor, turned: torch.Tensor) -> list[float]:
    """For each way, how much more a picture (g,) looks like good images than like them turned so."""
    as_it_is = _most_alike(layouts @ layout)
    return [float(as_it_is - _most_alike(way @ layout)) for way in turned]


def _most_alike(products: torch.Tensor) -> torch.Tensor:
    return products.topk(min(NEIGHBOURS, products.shape[-1]), dim=-1).values.mean(-1)


def _range(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


def _inverted(light: tuple[float, float]) -> tuple[float, float]:
    return 1 - light[1], 1 - light[0]


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]
