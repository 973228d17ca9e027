"""Does a picture show this kind of part at all, and well enough to judge it? (METHOD section 5, step 1)

A blank picture, another part, a part that is turned or half covered is never a pass: it cannot be judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from reason_iad.expert.normality.looks import Whole

NEIGHBOURS = 3
"""Good images that a picture is compared with: those most like it."""
FAR = 1.9
"""Times the largest distance among good images beyond which a picture shows something else. Of the development
sets, good test images reach 1.24 and defective ones 1.75; other parts, noise and blank pictures begin at 2.4."""
LIGHT = 1.7
"""Factor beyond the darkest and the brightest good image beyond which the light is wrong."""
SHARP = 0.4
"""Share of the sharpness of the least sharp good image below which a picture is blurred."""
SHAPE = 1.3
"""Factor beyond the widest and the narrowest good image beyond which a picture has another shape."""
FEW = 4.0
"""The deviation of a few good images is held together with a guess that counts as much as so many of them."""
GUESS = 0.15
"""That guess: this share of the size of each channel."""
ONE_WAY = 0.6
"""Good parts lie one way if nearly all of them are told from turned copies at least this share as well as usual."""

TEXTS: Mapping[str, str] = {
    "dark": "The picture is much darker than the good ones.",
    "bright": "The picture is much brighter than the good ones.",
    "blurred": "The picture is blurred, compared with the good ones.",
    "shape": "The picture has another shape than the good ones.",
    "turned": "The part is turned or mirrored, compared with the good ones.",
    "other": "The picture does not look like the good ones. It may show another part, or only a piece of it.",
}
"""Why a picture cannot be judged, in words."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """How much a picture looks like the product.

    Attributes:
        distance: from the good images most like it, in units of the largest among good images; about 1 or less for
            good parts.
        reason: a key of `TEXTS` if it cannot be judged; else None.
    """

    distance: float
    reason: str | None


@dataclass(frozen=True, eq=False)
class LikenessModel:
    """The good images, as wholes.

    Attributes:
        embeddings: (n, 2 c) standardised.
        middle, spread: (2 c,) by which they are.
        largest: of the distances of good images from those most like them, each left out.
        light, sharpness, shape: the least and the largest of good images.
        layouts: (n, g) of good images.
        turned: (w, m, g) of m good images, turned or mirrored in w ways; none where good parts lie in any way.
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

    @classmethod
    def of(cls, good: Sequence[Whole], turned: torch.Tensor | None = None) -> LikenessModel:
        """From good images.

        Args:
            good: good images, or one and slightly changed copies of it; at least two.
            turned: (w, m, g) layouts of m of them, turned or mirrored in w ways; None: it does not matter.
        """
        embeddings = torch.stack([each.embedding for each in good])
        middle = embeddings.mean(0)
        guess = GUESS * middle.abs() + 1e-3 * middle.abs().max()
        count = len(good)
        spread = ((count * embeddings.var(0, correction=0) + FEW * guess.square()) / (count + FEW)).sqrt()
        standard = (embeddings - middle) / spread
        apart = torch.cdist(standard, standard).fill_diagonal_(torch.inf)
        largest = _nearest(apart, min(NEIGHBOURS, count - 1)).max()
        layouts = torch.stack([each.layout for each in good])
        return cls(
            standard,
            middle,
            spread,
            max(float(largest), 1e-6),
            _range([each.light for each in good]),
            _range([each.sharpness for each in good]),
            _range([each.shape for each in good]),
            layouts,
            _one_way(layouts, turned),
        )

    def without(self, number: int) -> LikenessModel:
        """As if one good image, by its number, were not there; for measuring."""
        keep = torch.arange(len(self.embeddings)) != number
        return replace(self, embeddings=self.embeddings[keep], layouts=self.layouts[keep])

    def most_alike(self, picture: Whole, most: int) -> list[int]:
        """Numbers of the good images that look most like a picture, the most alike first."""
        standard = (picture.embedding - self.middle) / self.spread
        apart = torch.cdist(standard[None], self.embeddings)[0]
        return [int(number) for number in apart.topk(min(most, len(apart)), largest=False).indices]

    def judge(self, picture: Whole) -> Likeness:
        """How much a picture looks like the product, and whether it can be judged."""
        standard = (picture.embedding - self.middle) / self.spread
        apart = torch.cdist(standard[None], self.embeddings)
        distance = float(_nearest(apart, min(NEIGHBOURS, len(self.embeddings)))) / self.largest
        return Likeness(distance, self._reason(picture, distance))

    def _reason(self, picture: Whole, distance: float) -> str | None:
        if picture.light * LIGHT < self.light[0]:
            return "dark"
        if picture.light > min(self.light[1] * LIGHT, 1 - (1 - self.light[1]) / LIGHT):
            return "bright"
        if picture.sharpness < SHARP * self.sharpness[0]:
            return "blurred"
        if not self.shape[0] - _ln(SHAPE) <= picture.shape <= self.shape[1] + _ln(SHAPE):
            return "shape"
        if (
            len(self.turned)
            and float(_uprightness(picture.layout @ self.layouts.T, picture.layout, self.turned)) < 0
        ):
            return "turned"
        return "other" if distance > FAR else None


def _nearest(apart: torch.Tensor, count: int) -> torch.Tensor:
    """(n,) mean distance to the nearest `count`."""
    return apart.topk(max(count, 1), largest=False).values.mean(1)


def _one_way(layouts: torch.Tensor, turned: torch.Tensor | None) -> torch.Tensor:
    """The turned copies, if good parts lie one way: each, left out, is told from them by the others."""
    none = layouts.new_empty(0, 0, layouts.shape[1])
    if turned is None or len(layouts) <= NEIGHBOURS:
        return none
    alike = (layouts @ layouts.T).fill_diagonal_(-torch.inf)
    upright = _uprightness(alike, layouts, turned)
    return turned if float(upright.quantile(0.05)) > ONE_WAY * max(float(upright.median()), 0.0) else none


def _uprightness(alike: torch.Tensor, layouts: torch.Tensor, turned: torch.Tensor) -> torch.Tensor:
    """How much more pictures look like good images as they are than turned; below 0 for a turned part.

    Args:
        alike: (..., n) products of their layouts with those of good images.
        layouts: (..., g) theirs.
        turned: (w, m, g) as in the model.
    """
    copies = torch.stack([_most_alike(layouts @ way.T) for way in turned])
    return _most_alike(alike) - copies.amax(0)


def _most_alike(products: torch.Tensor) -> torch.Tensor:
    return products.topk(min(NEIGHBOURS, products.shape[-1]), dim=-1).values.mean(-1)


def _range(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


def _ln(factor: float) -> float:
    return float(torch.tensor(factor).log())
