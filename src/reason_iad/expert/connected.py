"""Connected parts of a mask, and their surroundings. SciPy does the same, but imports for a quarter of a second."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def connected(mask: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.int32], int]:
    """The 8-connected parts of a mask.

    Args:
        mask: (rows, columns).

    Returns:
        (rows, columns) the number of the part that each place belongs to, from 1 on; 0 outside. And how many parts
        there are. Their order says nothing.
    """
    import cv2

    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    return np.asarray(labels, np.int32), count - 1


def highest_near(values: Any, reach: int) -> Any:
    """(rows, columns) the highest value in the square of `reach` pixels, an odd number, around each place."""
    import cv2

    return cv2.dilate(values, np.ones((reach, reach), np.uint8))


def span(mask: npt.NDArray[np.bool_], axis: int) -> slice:
    """From the first to the last row (axis 0) or column (axis 1) that holds some of a mask; it may not be empty."""
    places = np.flatnonzero(mask.any(1 - axis))
    return slice(int(places[0]), int(places[-1]) + 1)
