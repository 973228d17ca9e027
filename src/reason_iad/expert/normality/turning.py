"""Parts that lie at any angle: turned copies of good images are remembered, too [ours].

Whether parts do is found out from the good images, each left out: if turned copies of the others bring it nearer to
them, as new good images would, parts lie at any angle. A turned copy has corners that the picture does not show;
patches that lie there are not remembered.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from reason_iad.expert.memory.features import points
from reason_iad.expert.memory.search import Points
from reason_iad.expert.normality.sightings import NOTHING, Sightings
from reason_iad.expert.normality.spread import drawn

if TYPE_CHECKING:
    from PIL import Image

    from reason_iad.expert.encoders.base import FeatureMap
    from reason_iad.expert.normality.looks import Eyes
    from reason_iad.images import LoadedImage

STEPS = 8
"""Angles at which a good image is remembered. A network bears the 22.5 degrees that are left."""
COMPARED = 16
"""Good images by which it is found out whether parts lie at any angle, at most."""
FEWEST = 8
"""With fewer, nobody knows."""
KIND = "turning"
"""Of what is found out, among sightings."""
WORTH = 1 / 3
"""Turned copies have to be worth this share of as many new good images. Of five kinds of real parts they are worth
0 to 0.24, and 0.53 to 1.2 after these were turned by any angle; of impellers, which lie at any angle, 0.41
(docs/results.md)."""


Patches = tuple[torch.Tensor, torch.Tensor]
"""Features of the patches of a picture, and of the same picture turned."""
Orientation = Literal["auto", "fixed", "any"]
"""Whether parts lie one way or at any angle; 'auto' if it is to be found out."""


@dataclass(frozen=True, slots=True)
class Turning:
    """At how many angles good images are remembered, and why.

    Attributes:
        steps: 1: as they are.
        worth: how much turned copies are worth, as a share of as many new good images; None: it was not measured.
    """

    steps: int = 1
    worth: float | None = None

    def in_words(self) -> str:
        """How parts are compared, and why."""
        if self.steps == 1 and self.worth is None:
            return "Parts are compared with good parts as they lie."
        if self.worth is None:
            return f"Parts are compared with good parts at {self.steps} angles, as was asked for."
        if self.steps == 1:
            return "Parts are compared with good parts as they lie. Turned copies of these would help little."
        return (
            f"Parts lie at any angle, so they are compared with good parts at {self.steps} angles. Turned "
            f"copies help {self.worth:.2g} times as much as so many new good pictures."
        )


UPRIGHT = Turning()
"""Good images are remembered as they are."""


def angles(steps: int) -> list[float]:
    """The angles in degrees, beginning with 0."""
    return [360 * step / steps for step in range(steps)]


def turned(picture: Image.Image, degrees: float) -> Image.Image:
    """A picture turned anticlockwise, of the same size; what it does not show is as its border is."""
    from PIL import Image as Pillow

    if degrees % 360 == 0:
        return picture
    pixels = np.asarray(picture.convert("RGB"))
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    red, green, blue = (int(value) for value in np.median(border, axis=0))
    upright = picture.convert("RGB")
    return upright.rotate(degrees, Pillow.Resampling.BILINEAR, fillcolor=(red, green, blue))


def reduced(picture: Image.Image, seen: int | None) -> Image.Image:
    """A picture that is quick to turn: at most so large that each side has twice the pixels that are seen of it.

    Args:
        picture: any.
        seen: root of the number of pixels that are seen; None: unknown, and the picture stays as it is.
    """
    factor = 1 if seen is None else int((picture.width * picture.height) ** 0.5 / (2 * seen))
    return picture if factor < 2 else picture.convert("RGB").reduce(factor)


def turned_back(patches: FeatureMap, degrees: float, size: tuple[int, int]) -> Points:
    """The patches of a turned picture that it shows, with their places in the picture before it was turned.

    Args:
        patches: of the turned picture.
        degrees: by which it was turned, anticlockwise.
        size: width and height of the picture.
    """
    found = points(patches)
    if degrees % 360 == 0:
        return found
    width, height = size
    y, x = (found.places[:, 0] - 0.5) * height, (found.places[:, 1] - 0.5) * width
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    places = torch.stack([(sin * x + cos * y) / height, (cos * x - sin * y) / width], 1) + 0.5
    inside = ((places >= 0) & (places <= 1)).all(1)
    return Points(found.features[inside], places[inside])


def joined_points(parts: Sequence[Points]) -> Points:
    """All of them."""
    return Points(torch.cat([each.features for each in parts]), torch.cat([each.places for each in parts]))


def find_turning(
    good: Sequence[LoadedImage], eyes: Eyes, orientation: Orientation, sightings: Sightings = NOTHING
) -> Turning:
    """At how many angles good images have to be remembered.

    Args:
        good: the images.
        eyes: how they are looked at.
        orientation: what is known of it.
        sightings: what was found out before.
    """
    if orientation != "auto":
        return Turning(STEPS if orientation == "any" else 1)
    some = drawn(good, COMPARED)
    if len(some) < FEWEST:
        return UPRIGHT
    name = hashlib.sha256("".join(some).encode()).hexdigest()
    known = sightings.get(KIND, name)
    if known is None:
        worth = worth_of_turning([_patches(good[number].whole, eyes, STEPS) for number in some.values()])
        sightings.put(KIND, name, {"worth": torch.tensor(worth, dtype=torch.float64)})
    else:
        worth = float(known["worth"])
    sightings.keep(KIND, [name])
    return Turning(STEPS if worth >= WORTH else 1, worth)


def worth_of_turning(of_each: Sequence[Patches], steps: int = STEPS) -> float:
    """How much turned copies of good images are worth, as a share of as many new good images.

    Each image is left out. The distance of its patches from those of half of the others, of the others, and of the
    others with turned copies says how much nearer twice as many images bring it, and how much nearer the copies do.

    Args:
        of_each: patches of different images, of at least `FEWEST`, at the coarsest resolution.
        steps: angles.
    """
    upright = torch.cat([each[0] for each in of_each])
    middle, spread = upright.mean(0), upright.std(0, correction=0).clamp_min(1e-6)
    units = [
        tuple(torch.nn.functional.normalize((some - middle) / spread, dim=1) for some in each) for each in of_each
    ]
    by_turning, by_doubling = [], []
    for at, (own, _) in enumerate(units):
        apart = [_apart(own, each[0]) for number, each in enumerate(units) if number != at]
        turns = [_apart(own, each[1]) for number, each in enumerate(units) if number != at]
        halves = [_mean(apart[start::2]) for start in (0, 1)]
        every = _mean(apart)
        by_turning.append(math.log(every / _mean([*apart, *turns])))
        by_doubling.append(math.log(sum(halves) / 2 / every))
    doubled = max(float(np.median(by_doubling)), 1e-6)
    return float(np.median(by_turning)) / (math.log2(steps) * doubled)


def _patches(picture: Image.Image, eyes: Eyes, steps: int) -> Patches:
    """Features of the picture, and of it turned."""
    coarse = eyes.coarsest()
    small = reduced(picture, coarse.sizes[0])
    found = [
        turned_back(next(coarse.look([turned(small, each)])).patches[0], each, picture.size).features
        for each in angles(steps)
    ]
    return found[0], torch.cat(found[1:])


def _apart(own: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """(n,) distance of each patch from the nearest of another image: 1 minus the cosine."""
    return (1 - (own @ others.T).amax(1)).clamp_min(0)


def _mean(apart: Sequence[torch.Tensor]) -> float:
    """The mean distance of patches from the nearest of several images."""
    return max(float(torch.stack(list(apart)).amin(0).mean()), 1e-6)
