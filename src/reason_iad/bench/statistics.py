"""How sure a figure is, and whether a difference is more than noise.

Every interval is two-sided at 95 %. What is done with them is decided in `intervals`.

Sources: Wilson (1927) for a share; Zou and Donner, Statistics in Medicine 27 (2008) for means of independent shares
(MOVER); Newcombe, Statistics in Medicine 17 (1998) 2635-2650, method 10, for the difference of paired shares;
McNemar (1947), exact; Holm (1979) for many tests; Efron's percentile bootstrap over images, within groups.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from reason_iad.errors import MissingExtraError

Vector = npt.NDArray[np.float64]

LEVEL = 0.95
RESAMPLES = 2000
_BLOCK = 100  # resamples drawn at once: memory stays at this many rows, however many images there are

K = TypeVar("K", bound=Hashable)


class Interval(NamedTuple):
    """A confidence interval."""

    low: float
    high: float


class Pairs(NamedTuple):
    """Paired answers to the same questions: both right, only the first, only the second, neither."""

    both: int
    first: int
    second: int
    neither: int

    @property
    def asked(self) -> int:
        """Number of questions."""
        return sum(self)

    @property
    def difference(self) -> float:
        """Accuracy of the first minus that of the second."""
        return (self.first - self.second) / self.asked


class Difference(NamedTuple):
    """A difference with its interval."""

    value: float
    interval: Interval


def wilson(right: int, asked: int) -> Interval:
    """Wilson's score interval of a share."""
    low, high = _statsmodels("stats.proportion").proportion_confint(right, asked, 1 - LEVEL, method="wilson")
    return Interval(float(low), float(high))


def mean_interval(shares: Sequence[tuple[int, int]]) -> Interval:
    """Interval of the mean of independent shares, each given as (right, asked): MOVER on Wilson intervals."""
    parts = [(right / asked, wilson(right, asked)) for right, asked in shares]
    return join_intervals([value for value, _ in parts], [interval for _, interval in parts])


def paired_difference(strata: Sequence[Pairs]) -> Difference:
    """Difference of two paired accuracies, or the mean of that over strata (normal and abnormal images).

    Newcombe's method 10 within a stratum; strata are independent and joined by MOVER.
    """
    intervals = [_newcombe(pairs) for pairs in strata]
    values = [pairs.difference for pairs in strata]
    return Difference(sum(values) / len(values), join_intervals(values, intervals))


def mcnemar(pairs: Pairs) -> float:
    """Exact two-sided p-value of McNemar's test."""
    table = [[pairs.both, pairs.first], [pairs.second, pairs.neither]]
    return float(min(1.0, _statsmodels("stats.contingency_tables").mcnemar(table, exact=True).pvalue))


def mcnemar_over(strata: Sequence[Pairs]) -> float:
    """Exact p-value for the mean over strata of paired differences: McNemar's test, each stratum weighing the same.

    Under the hypothesis each discordant pair is as likely to speak for the first as for the second, so the
    difference of a stratum is a binomial, and the mean over strata has a distribution that can be enumerated.
    With one stratum this is McNemar's exact test.
    """
    from scipy.stats import binom

    total: dict[float, float] = {0.0: 1.0}
    observed = 0.0
    for pairs in strata:
        discordant, weight = pairs.first + pairs.second, 1 / pairs.asked
        observed += (pairs.first - pairs.second) * weight
        sums = (2 * np.arange(discordant + 1) - discordant) * weight
        chances = binom.pmf(np.arange(discordant + 1), discordant, 0.5)
        grid = np.add.outer(np.fromiter(total, float), sums).ravel()
        mass = np.multiply.outer(np.fromiter(total.values(), float), chances).ravel()
        values, place = np.unique(grid.round(12), return_inverse=True)
        total = dict(zip(values.tolist(), np.bincount(place.ravel(), mass).tolist(), strict=True))
    return float(min(1.0, sum(chance for value, chance in total.items() if abs(value) >= abs(observed) - 1e-9)))


def holm(values: Sequence[float]) -> list[float]:
    """p-values corrected for being several (Holm's step-down method).

    By hand, since statsmodels' `multipletests` collects all garbage of the process on every call: seconds.
    """
    order = sorted(range(len(values)), key=values.__getitem__)
    corrected, worst = [0.0] * len(values), 0.0
    for rank, place in enumerate(order):
        worst = max(worst, min(1.0, (len(values) - rank) * values[place]))
        corrected[place] = worst
    return corrected


def bootstrap(
    groups: Sequence[Sequence[Mapping[K, float]]],
    statistic: Callable[[Mapping[K, Vector]], Vector],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Interval:
    """Percentile bootstrap over images, drawn with replacement within groups.

    Args:
        groups: images of one dataset, normal or abnormal, and so on; each image is a mapping of sums by name.
        statistic: of the sums over the drawn images, by name, each of shape (resamples,); returns the same shape.
        seed: of the draws; the same seed gives the same interval.
        resamples: how often to draw.
    """
    names = list(dict.fromkeys(name for images in groups for image in images for name in image))
    tables = [np.array([[each.get(name, 0.0) for name in names] for each in images]) for images in groups]
    generator = np.random.default_rng(seed)
    values = []
    for start in range(0, resamples, _BLOCK):
        count = min(_BLOCK, resamples - start)
        sums = np.zeros((count, len(names)))
        for table in tables:  # (images, names)
            sums += _drawn(generator, count, len(table)) @ table  # (count, names)
        values.append(statistic({name: sums[:, column] for column, name in enumerate(names)}))
    low, high = np.quantile(np.concatenate(values), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))


def _drawn(generator: np.random.Generator, count: int, size: int) -> Vector:
    """How often each of `size` images is drawn, in `count` resamples of that size: (count, size)."""
    places = generator.integers(0, size, (count, size)) + size * np.arange(count)[:, None]
    return np.bincount(places.ravel(), minlength=count * size).reshape(count, size).astype(float)


def _newcombe(pairs: Pairs) -> Interval:
    both, first, second, neither = pairs
    n = pairs.asked
    p1, p2 = (both + first) / n, (both + second) / n
    low1, high1 = wilson(both + first, n)
    low2, high2 = wilson(both + second, n)
    spread = math.sqrt((both + first) * (second + neither) * (both + second) * (first + neither))
    crossed: float = both * neither - first * second
    if crossed > 0:  # Newcombe's continuity correction of the correlation
        crossed = max(crossed - n / 2, 0)
    phi = crossed / spread if spread else 0.0
    below, above = (p1 - low1, high2 - p2), (high1 - p1, p2 - low2)
    low = math.sqrt(max(below[0] ** 2 - 2 * phi * below[0] * below[1] + below[1] ** 2, 0.0))
    high = math.sqrt(max(above[0] ** 2 - 2 * phi * above[0] * above[1] + above[1] ** 2, 0.0))
    return Interval(p1 - p2 - low, p1 - p2 + high)


def join_intervals(values: Sequence[float], intervals: Sequence[Interval]) -> Interval:
    """Interval of the mean of independent quantities, from their own intervals (MOVER)."""
    center = sum(values) / len(values)
    below = math.sqrt(sum((value - each.low) ** 2 for value, each in zip(values, intervals, strict=True)))
    above = math.sqrt(sum((each.high - value) ** 2 for value, each in zip(values, intervals, strict=True)))
    return Interval(center - below / len(values), center + above / len(values))


def _statsmodels(module: str) -> Any:  # the library has no types
    from importlib import import_module

    try:
        return import_module(f"statsmodels.{module}")
    except ImportError:
        raise MissingExtraError("Statistics", "bench") from None
