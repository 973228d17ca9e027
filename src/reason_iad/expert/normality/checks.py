"""What is wrong with the good pictures of a product, and whether more of them would help."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import torch

from reason_iad.expert.normality.expert import ProductExpert
from reason_iad.expert.normality.likeness import NEIGHBOURS
from reason_iad.expert.normality.looks import grey, sharpness
from reason_iad.expert.normality.seeing import Progress, silent
from reason_iad.expert.normality.selftest import image_names
from reason_iad.expert.normality.spread import left_out_images, spread_out
from reason_iad.expert.normality.standing import Standing

if TYPE_CHECKING:
    from reason_iad.expert.normality.level import Level
    from reason_iad.images import LoadedImage

Oddity = Literal["same", "alike", "blurred", "dark", "bright", "odd", "defective"]
WORDS: Mapping[Oddity, str] = {
    "same": "The same picture is there more than once. Drop the copies: they do not count as more good parts.",
    "alike": "Some pictures are nearly the same. They may show one part twice. Keep one of each.",
    "blurred": "Some pictures are less sharp than the others. Take them anew, or drop them.",
    "dark": "Some pictures are much darker than the others, or their dark places are lost. Check the light.",
    "bright": "Some pictures are much brighter than the others, or their bright places are lost. Check the light.",
    "odd": "Some pictures look different from all others. Check whether they show the same kind of part, and view.",
    "defective": "Some good pictures look defective. Look at them: if one is, move it with 'product add --move'.",
}
"""What is wrong, and what to do."""

ALIKE = 0.45
"""Share of the usual distance between neighbours below which two pictures are nearly the same. On six kinds of real
parts the two most alike were at 0.55 or more. Copies saved as JPEG were at 0.04 to 0.41, but for two of 36."""
BLURRED = 0.5
"""Share of the usual sharpness below which a picture is blurred."""
FAR = 4.0
"""Deviations of light and sharpness beyond which a picture is conspicuous."""
ODD = 6.0
"""The same for how little it looks like the others, and for its score: a few of twenty good ones reach 4."""
LIGHT = 1.3
"""Factor by which the light has to differ as well."""
CLIPPED = 0.15
"""Share of the pixels that are black, or white, beyond the usual share, with which a picture is lost there."""
HALVED = 20
"""Pictures by which it is measured what half of the others are worth."""
FEWEST = 8
"""With fewer, halving them says nothing."""


@dataclass(frozen=True, slots=True)
class Conspicuous:
    """A good picture that somebody should look at.

    Attributes:
        number: of the picture, in the order given.
        why: what is wrong.
        like: the number of the picture that it is the same as, or nearly; None otherwise.
        strength: how clear that is; higher first.
    """

    number: int
    why: Oddity
    like: int | None = None
    strength: float = 0.0


def conspicuous(
    good: Sequence[LoadedImage], expert: ProductExpert, limit: float, progress: Progress = silent
) -> tuple[Conspicuous, ...]:
    """Good pictures that somebody should look at, the clearest first.

    Args:
        good: what the expert was learnt from. Each is asked for once and let go.
        expert: what was learnt.
        limit: score from which a part does not pass, or the highest of a good one.
        progress: told how far it is.
    """
    looks: list[_Light] = []
    for number in range(len(good)):
        looks.append(_Light.of(good[number]))
        progress("good images checked", number + 1, len(good))
    found = [*_lit(looks), *_copies(looks)]
    if not expert.stood_in:
        first = {looks[at].sha256: at for at in reversed(range(len(looks)))}
        numbers = [first[name] for name in image_names(expert)]
        named = {each.number for each in found}
        others = [*_told_apart(numbers, expert), *_defective(numbers, expert, limit)]
        found += [each for each in others if each.number not in named]
    return tuple(sorted(found, key=lambda each: (-each.strength, each.number, each.why)))


def worth_of_more(expert: ProductExpert) -> float | None:
    """By which share good parts would look less unusual with twice as many good pictures; about 0: no more help.

    Halving is measured: how far patches of good pictures are from the others, and from every second of them. None:
    there are too few to tell.
    """
    count = len(image_names(expert))
    if expert.stood_in or count < FEWEST:
        return None
    level = expert.levels[0]
    every = _usual_distance(level, range(count))
    halves = [_usual_distance(level, range(start, count, 2)) for start in (0, 1)]
    half = sum(halves) / 2
    return max(0.0, 1 - every / half) if half > 0 else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Light:
    """What is measured of a picture without an encoder."""

    sha256: str
    content: str
    light: float
    sharpness: float
    black: float
    white: float

    @classmethod
    def of(cls, image: LoadedImage) -> _Light:
        values = grey(image.whole)
        content = hashlib.sha256(str(image.pixels.size).encode() + image.whole.tobytes()).hexdigest()
        return cls(
            image.sha256, content, max(float(values.mean()), 1e-3), sharpness(values),
            float((values <= 3).mean()), float((values >= 252).mean()),
        )  # fmt: skip


def _lit(looks: Sequence[_Light]) -> list[Conspicuous]:
    """Blurred, dark and bright pictures. With fewer than three nobody knows what is usual."""
    if len(looks) < 3:
        return []
    light, sharp, black, white = (
        np.array([getattr(look, name) for look in looks]) for name in ("light", "sharpness", "black", "white")
    )
    found = []
    for number, look in enumerate(looks):
        usual_light, usual_sharp = np.median(light), np.median(sharp)
        brighter = _deviations(np.log(light), number)
        if look.sharpness < BLURRED * usual_sharp and _deviations(np.log(sharp + 1e-3), number) < -FAR:
            found.append(Conspicuous(number, "blurred", None, float(usual_sharp / max(look.sharpness, 1e-3))))
        if (look.light < usual_light / LIGHT and brighter < -FAR) or look.black > np.median(black) + CLIPPED:
            found.append(Conspicuous(number, "dark", None, abs(brighter)))
        if (look.light > usual_light * LIGHT and brighter > FAR) or look.white > np.median(white) + CLIPPED:
            found.append(Conspicuous(number, "bright", None, abs(brighter)))
    return found


def _deviations(values: npt.NDArray[np.float64], number: int) -> float:
    """Of one value from the others."""
    return Standing.of(list(np.delete(values, number))).of_number(float(values[number]))


def _copies(looks: Sequence[_Light]) -> list[Conspicuous]:
    """Pictures whose pixels are there before."""
    first: dict[str, int] = {}
    found = []
    for number, look in enumerate(looks):
        before = first.setdefault(look.content, number)
        if before != number:
            found.append(Conspicuous(number, "same", before, 100.0))
    return found


def _told_apart(numbers: Sequence[int], expert: ProductExpert) -> list[Conspicuous]:
    """Pictures that look nearly like another, or like none."""
    points = expert.likeness.embeddings[: len(numbers)]
    apart = torch.cdist(points, points).fill_diagonal_(torch.inf)
    nearest, who = apart.min(1)
    usual = float(nearest.median())
    among = apart.topk(min(NEIGHBOURS, len(numbers) - 1), largest=False).values.mean(1).numpy().astype(np.float64)
    found = []
    for at, number in enumerate(numbers):
        other = numbers[int(who[at])]
        if float(nearest[at]) < ALIKE * usual and other < number:
            found.append(Conspicuous(number, "alike", other, usual / max(float(nearest[at]), 1e-6)))
        if len(numbers) > NEIGHBOURS and (far := _deviations(among, at)) > ODD:
            found.append(Conspicuous(number, "odd", None, far))
    return found


def _defective(numbers: Sequence[int], expert: ProductExpert, limit: float) -> list[Conspicuous]:
    """Pictures whose own score, left out, is beyond the limit and far from the others'."""
    measured = left_out_images(image_names(expert), expert.exceptions)
    return [
        Conspicuous(numbers[at], "defective", None, score)
        for at, score in zip(measured, expert.left_out, strict=True)
        if score >= max(ODD, limit)
    ]


def _usual_distance(level: Level, others: range) -> float:
    """What the 0.99 quantile of distances is, of patches of good pictures from those of the others, on average."""
    entries = level.bank.entries
    assert entries is not None, "a level has good images"
    directions = level.space.directions(entries.features)["whitened"]
    chosen = torch.tensor([owner in others for owner in range(int(entries.owners.max()) + 1)])[entries.owners]
    found = []
    for image in spread_out(int(entries.owners.max()) + 1, HALVED):
        own = entries.owners == image
        rest = directions[chosen & ~own]
        if len(rest) and bool(own.any()):
            nearest = 1 - (directions[own] @ rest.T).amax(1)
            found.append(float(nearest.quantile(0.99)))
    return sum(found) / max(len(found), 1)
