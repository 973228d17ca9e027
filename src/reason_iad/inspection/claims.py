"""What an explanation claims of a defect: its type, place and size, each with as many names as it takes [ours].

Where two types cannot be told apart, one name alone would be a guess: the explanation says "scratch or crack". An
option is named if it is at least as probable as the true one was in all but a few drawn defects (`Floors`), which
is conformal prediction with least ambiguous sets (Sadinle, Lei and Wasserman, "Least Ambiguous Set-Valued
Classifiers with Bounded Error Levels", JASA 2019). Where too many would have to be named, nothing is claimed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reason_iad.schema import SIZES, Answer, Claim, Fact, size_of

if TYPE_CHECKING:
    from reason_iad.inspection.fusion import LateFusion

MOST_NAMED = 3
"""A claim with more names than this says nothing, and so does one with more than half of those there are."""


def claim(fact: Fact, options: Sequence[str], probabilities: Sequence[float], floor: float | None) -> Claim | None:
    """The claim that it is one of the probable options; None if too many are.

    Args:
        fact: what is claimed.
        options: the names to choose from.
        probabilities: of each, in [0, 1].
        floor: how probable an option has to be to be named beside the most probable one; None: only that is named.
    """
    ranked = sorted(zip(probabilities, options, strict=True), key=lambda pair: -pair[0])
    named = [pair for place, pair in enumerate(ranked) if place == 0 or (floor is not None and pair[0] >= floor)]
    if len(named) > min(MOST_NAMED, max(1, len(options) // 2)):
        return None
    return Claim(fact=fact, names=tuple(name for _, name in named), probability=min(1.0, sum(p for p, _ in named)))


def claims_of(
    kind: Answer | str | None, place: Answer, share: float | None, fusion: LateFusion | None
) -> tuple[Claim, ...]:
    """What can be claimed of a defect, type first.

    Args:
        kind: the weighed answer which type it is, or the only type there is; None if none is known.
        place: the weighed answer where it is.
        share: how much of the image differs there; None if it cannot be told.
        fusion: what the answers were weighed with; None if they were not.
    """
    floors = None if fusion is None else fusion.floors
    claims: list[Claim | None] = []
    if isinstance(kind, str):
        claims.append(Claim(fact="type", names=(kind,), probability=None))
    elif kind is not None:
        claims.append(_answered("type", kind, None if floors is None else floors.type))
    claims.append(_answered("place", place, None if floors is None else floors.place))
    if share is not None and fusion is not None:
        claims.append(claim("size", SIZES, fusion.size_alone(share), fusion.floors.size))
    elif share is not None:
        claims.append(Claim(fact="size", names=(size_of(share),), probability=None))
    return tuple(each for each in claims if each is not None)


def _answered(fact: Fact, answer: Answer, floor: float | None) -> Claim | None:
    letters = list(answer.options)
    names = [answer.options[letter] for letter in letters]
    return claim(fact, names, [answer.probabilities.get(letter, 0.0) for letter in letters], floor)
