"""What a detector is: it sees normal images, then says of others how abnormal they are, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from reason_iad.images import LoadedImage


@dataclass(frozen=True, slots=True)
class Detection:
    """What is said about one image.

    Attributes:
        score: larger is less normal; only compared within a category.
        map: (rows, columns) float32 on the detector's own grid over the whole image, larger is less normal.
        details: further numbers worth keeping.
    """

    score: float
    map: NDArray[np.float32]
    details: dict[str, float] = field(default_factory=dict)


class Detector(Protocol):
    """Scores images against normal ones."""

    statistic: str
    """What score and map are, in a sentence; it is written down with the run."""

    def fit(self, normals: Sequence[LoadedImage]) -> None:
        """Learn what is normal, and forget what was normal before. At least one image."""
        ...

    def score(self, image: LoadedImage) -> Detection:
        """How abnormal an image is, and where."""
        ...
