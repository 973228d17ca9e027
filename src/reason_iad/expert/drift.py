"""Whether parts still come as they did when the limits were set, told from their scores alone [ours].

The last 50, 100 and 200 parts nobody has reviewed are each compared with the parts before them by the test of Mann,
Whitney and Wilcoxon, which asks nothing of the scores but an order. The parts before are those of the calibration
and the first ones after it, up to 300 together, and stay the same from then on, so that a slow drift shows too.
The test is one of two samples: how little 20 parts of a calibration say is part of the p-value, and a calibration
that happened to be an odd one is no drift.

A look after every part is many looks. At p < .001 there would be 1.3 false alarms in 10,000 parts; below `LEAST_P`
there are about 0.7. A drift of half a deviation is then noticed within 200 parts in at least 95 of 100 cases, once
about 250 parts are known. If it begins right after the calibration, it is noticed in half of the cases with 60
parts, and in 2 of 10 with 20 parts. No test with as few false alarms can notice more than 9 of 10 and 5 of 10: the
mean of 20 parts is itself off by a fifth of a deviation. `benchmarks/drift.py` prints these figures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from reason_iad.errors import ConfigError

WINDOWS = (50, 100, 200)
"""How many of the last parts are compared. The short one notices a large drift soon, the long one a small drift."""
REFERENCE = 300
"""Parts they are compared with, at most. From 200 to 1,000, more notice a drift hardly better."""
RELIABLE = 250
"""From so many on, a drift of half a deviation is noticed within 200 parts in at least 95 of 100 cases."""
LEAST_P = 0.0005
"""A smaller p-value in one of the windows is a drift."""

Direction = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True)
class DriftReport:
    """What one look at the last parts says.

    Attributes:
        drifted: whether they differ by more than chance explains.
        p: two-sided p-value of the window that differs most, in (0, 1]; None: fewer than 50 parts were given.
        direction: of its scores; None without a p-value, or where they are as high as before.
        parts: how many of the last parts that window holds, or how many were given if they are fewer than 50.
        known: how many earlier parts they were compared with.
    """

    drifted: bool
    p: float | None
    direction: Direction | None
    parts: int
    known: int

    @property
    def reliable(self) -> bool:
        """Whether enough parts are known for a small drift to be noticed."""
        return self.known >= RELIABLE

    def in_words(self) -> str:
        """What was found, and how far it can be relied on."""
        if self.p is None:
            return (
                f"A drift can be noticed from {WINDOWS[0]} parts on; {self.parts} came since the limits were set."
            )
        if self.drifted:
            return (
                f"The last {self.parts} parts have {self.direction} scores than the {self.known} before. By chance "
                f"this happens in fewer than 1 of {1 / LEAST_P:,.0f} looks. Check light, camera and parts, then "
                "add good parts of today."
            )
        said = f"The last {self.parts} parts were compared with the {self.known} before. No drift was noticed."
        return (
            said if self.reliable else f"{said} A small drift can be noticed once about {RELIABLE} parts are known."
        )


@dataclass(frozen=True, slots=True, eq=False)
class Drift:
    """Watches the scores of parts.

    Attributes:
        calibration: scores of the good parts that set the limits, each left out of its own memory.
    """

    calibration: Sequence[float]
    _known: npt.NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not len(self.calibration):
            raise ConfigError("Parts can drift only from others; give the scores of at least one good part.")
        object.__setattr__(self, "_known", _finite(self.calibration))

    def look(self, scores: Sequence[float]) -> DriftReport:
        """Compare the last parts with those before.

        Args:
            scores: of all unreviewed parts since the calibration, oldest first.

        Raises:
            ConfigError: a score is no finite number.
        """
        new = _finite(scores)
        known = np.concatenate([self._known, new])
        looks = []
        for window in WINDOWS:
            if window <= len(new):
                before = known[: max(min(REFERENCE, len(known) - window), len(self._known))]
                looks.append((_deviation(before, new[-window:]), window, len(before)))
        if not looks:
            return DriftReport(False, None, None, len(new), len(self._known))
        z, window, before_count = max(looks, key=lambda look: abs(look[0]))
        p = math.erfc(abs(z) / math.sqrt(2))
        direction: Direction | None = None if not z else "higher" if z > 0 else "lower"
        return DriftReport(p < LEAST_P, p, direction, window, before_count)


def _deviation(before: npt.NDArray[np.float64], last: npt.NDArray[np.float64]) -> float:
    """How much higher the last scores are, in standard deviations under no drift.

    Equal scores count half, with the variance of scores that all differ, which is larger.

    Args:
        before: (m,) scores.
        last: (w,) scores.
    """
    ordered = np.sort(before)
    m, w = len(before), len(last)
    below = (np.searchsorted(ordered, last, "left") + np.searchsorted(ordered, last, "right")) / 2
    return float((below.mean() / m - 0.5) / math.sqrt((w + m + 1) / (12 * w * m)))


def _finite(scores: Sequence[float]) -> npt.NDArray[np.float64]:
    values = np.asarray(scores, dtype=np.float64).reshape(-1)
    if not np.isfinite(values).all():
        raise ConfigError("A score of a part is no number; inspect the part again.")
    return values
