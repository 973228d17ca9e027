"""How a difference of two runs is written, wherever it stands: one sign, one set of words.

Every difference is B minus A, so a plus means that B is better. A difference that chance can explain is never
called better or worse.
"""

from __future__ import annotations

from reason_iad.bench.statistics import Difference

SAME = "no difference"
CHANCE = "may be chance"
_SHOWN = 0.0005
"""Half of the last digit that is printed, as a share: what is smaller is printed as 0.0 points."""


def word(value: float, noise: bool) -> str:
    """Which run is better, in a word or two.

    Args:
        value: the difference, B minus A, as a share.
        noise: whether chance explains it.
    """
    if abs(value) < _SHOWN:
        return SAME
    if noise:
        return CHANCE
    return "B better" if value > 0 else "A better"


def points(value: float) -> str:
    """A difference of shares as points of percent, with its sign."""
    return f"{round(100 * value, 1) + 0.0:+.1f}"  # adding 0 turns -0.0 into +0.0


def between(difference: Difference) -> str:
    """The interval of a difference."""
    low, high = difference.interval
    return f"{_bound(low)} to {_bound(high)}"


def average_sentence(difference: Difference, labels: tuple[str, str], noise: bool, of: str = "average") -> str:
    """Which run is better on average, by how much, and whether that is more than chance.

    Args:
        difference: B minus A, with its interval.
        labels: of A and of B.
        noise: whether chance explains the difference.
        of: what is compared, in words.
    """
    value, interval = difference.value, f"95 % interval {between(difference)}"
    found = word(value, noise)
    if found == SAME:
        return f"The {of} of both runs is the same ({interval})."
    ahead = f"B ('{labels[1]}')" if value > 0 else f"A ('{labels[0]}')"
    by = f"by {abs(100 * value):.1f} points"
    measured = f"B - A is {points(value)} points, {interval}."
    if found == CHANCE:
        return f"{ahead} is ahead {by} in the {of}, but this may be chance. {measured}"
    return f"{ahead} is better {by} in the {of}. This is more than chance. {measured}"


def _bound(value: float) -> str:
    """A bound; with more digits where one would make it 0, since 0 decides the verdict."""
    text = points(value)
    if float(text) == 0 and abs(value) > 1e-6:
        return f"{100 * value:+.3f}"
    return text
