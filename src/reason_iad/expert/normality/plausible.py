"""Does a picture show at all what a few good parts show? Used without a product (METHOD section 5, step 1).

A product learns from its good images how much they differ (`likeness.py`). With one good part nothing can be
learnt, so the limits here are fixed, and wide: they hold where even parts that vary much do not reach. What is
refused shows something else altogether, or shows the part only in half.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import torch

from reason_iad.expert.normality.looks import SIZES, whole

if TYPE_CHECKING:
    from PIL import Image

    from reason_iad.expert.encoders.base import Encoder, FeatureMap

ENCODER = "efficientnet_lite0"
"""Looks at the pictures, whatever model answers."""
STRANGE = 1.35
"""Strangeness from which a half of a picture shows something else [ours]. Against single good parts of seven real
sets nearly all good images stay below 1.2. Half covered pictures begin at 1.41 (1.01 on boards), blank ones at
1.5."""
DARK, BRIGHT = 3.0, 6.0
"""Factors beyond which a picture has much less light than the darkest good part, and lacks much less to white than
the brightest. Good tiles differ by 2.9 and by 5.3 among themselves; other sets differ by less than 2."""
BLURRED = 0.25
"""Share of the sharpness of the least sharp good part below which a picture is blurred. Good tiles reach 0.27."""
BLANK = 0.02
"""The same share below which nothing is to be seen, so that it is not for want of focus."""


@dataclass(frozen=True, eq=False)
class Glance:
    """What is seen of a picture at a glance.

    Attributes:
        halves: (4, parts, c) of the upper, lower, left and right half: mean and deviation of each channel of the
            two deepest maps, padded with zeros to as many channels as the widest map has.
        light: mean grey value in [0, 1].
        sharpness: as in `Whole`.
    """

    halves: torch.Tensor
    light: float
    sharpness: float


@cache
def encoder() -> Encoder:
    """What looks at the pictures; loaded when it is first needed.

    Raises:
        ModelError: its weights are not installed.
    """
    from reason_iad.expert.encoders import make_encoder

    made: Any = make_encoder(ENCODER, None)
    coarse: Encoder = made.with_size(SIZES[0])
    return coarse


def glance(picture: Image.Image) -> Glance:
    """Look at a picture, RGB.

    Raises:
        ModelError: the weights of the encoder are not installed.
    """
    maps = encoder().encode([picture])[0]
    seen = whole(picture, maps)
    return Glance(_halves(maps[-2:]), seen.light, seen.sharpness)


def implausible(picture: Glance, good: Sequence[Glance]) -> str | None:
    """Why a picture does not show what good parts show, as a key of `likeness.TEXTS`; None if it does.

    Args:
        picture: the inspected one.
        good: good parts; none: nothing is known.
    """
    if not good:
        return None
    if picture.light * DARK < min(each.light for each in good):
        return "dark"
    if (1 - picture.light) * BRIGHT < 1 - max(each.light for each in good):
        return "bright"
    least = min(each.sharpness for each in good)
    if BLANK * least <= picture.sharpness < BLURRED * least:
        return "blurred"
    return "other" if min(strangeness(picture, each) for each in good) > STRANGE else None


def strangeness(one: Glance, other: Glance) -> float:
    """How strange the strangest half of one picture is beside the same half of another, in [0, 4].

    The sum over means and deviations at both depths: their distance over the sum of their lengths.
    """
    apart = (one.halves - other.halves).norm(dim=-1)
    lengths = one.halves.norm(dim=-1) + other.halves.norm(dim=-1)
    return float((apart / lengths.clamp_min(1e-9)).sum(-1).max())


def _halves(maps: Iterable[FeatureMap]) -> torch.Tensor:
    """(4, parts, c) of the upper, lower, left and right half; a row or column in the middle belongs to both."""
    found = []
    for each in maps:
        planes = each.features.float().cpu().view(each.rows, each.columns, -1)
        high, wide = (each.rows + 1) // 2, (each.columns + 1) // 2
        pieces = (planes[:high], planes[-high:], planes[:, :wide], planes[:, -wide:])
        found.append(torch.stack([_moments(piece.flatten(0, 1)) for piece in pieces]))
    most = max(part.shape[-1] for part in found)
    return torch.cat([torch.nn.functional.pad(part, (0, most - part.shape[-1])) for part in found], dim=1)


def _moments(features: torch.Tensor) -> torch.Tensor:
    """(2, c) mean and deviation of each channel."""
    return torch.stack([features.mean(0), features.std(0, correction=0)])
