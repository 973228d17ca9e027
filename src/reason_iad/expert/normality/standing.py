"""Where a number stands against those of good images, each left out of its own memory (METHOD section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]

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
        middle, spread = middles_and_spreads(np.asarray(numbers, np.float64))
        return cls(float(middle), float(spread))

    def of_number(self, number: float) -> float:
        """How many deviations a number lies above what is usual; below 0 if under it."""
        return (number - self.middle) / self.spread


def middles_and_spreads(values: Numbers) -> tuple[Numbers, Numbers]:
    """What is usual of several numbers at once.

    Args:
        values: (images, ...) of good images.

    Returns:
        The middle of each number, and its spread, as `Standing` has them.
    """
    low, middle, high = np.percentile(values, [25, 50, 75], axis=0)
    spread = np.maximum((high - low) / NORMAL_QUARTILES, LEAST_SPREAD * values.std(axis=0))
    # Copies of one image do not differ at all: then a thousandth of the number itself is a deviation.
    return middle, np.maximum(np.maximum(spread, 1e-3 * np.abs(middle)), 1e-9)
