"""Where a number stands against those of good images, each left out of its own memory (METHOD section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NORMAL_QUARTILES = 1.349
"""Deviations between the quartiles of a normal distribution."""
LEAST_SPREAD = 0.5
"""The quartiles of a few numbers may lie together by accident: the spread is at least so many deviations."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is usual.

    Attributes:
        middle: the median of good images.
        spread: the distance of their quartiles, as a deviation; above 0.
    """

    middle: float
    spread: float

    @classmethod
    def of(cls, numbers: Sequence[float]) -> Standing:
        """From the numbers of good images; at least one."""
        values = np.asarray(numbers, np.float64)
        low, middle, high = np.percentile(values, [25, 50, 75])
        spread = max((high - low) / NORMAL_QUARTILES, LEAST_SPREAD * float(values.std()))
        # Copies of one image do not differ at all: then a thousandth of the number itself is a deviation.
        return cls(float(middle), max(float(spread), 1e-3 * abs(float(middle)), 1e-9))

    def of_number(self, number: float) -> float:
        """How many deviations a number lies above what is usual; below 0 if under it."""
        return (number - self.middle) / self.spread
