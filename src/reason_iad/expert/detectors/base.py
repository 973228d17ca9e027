"""What a detector is: it sees normal images, then says of others how abnormal they are, and where.

The benchmark measures detectors (`bench detect`), and an inspection can use one for its verdict
(`InspectorConfig.detector`, `comparing.py`).
"""

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
        map: (rows, columns) float32 on the detector's own grid over the whole image, larger is less normal. For
            verdicts it has to be at least 0, with 0 where nothing differs.
        details: further numbers worth keeping.
    """

    score: float
    map: NDArray[np.float32]
    details: dict[str, float] = field(default_factory=dict)


class Fitted(Protocol):
    """A detector that has seen normal images. Threads may share it."""

    def score(self, image: LoadedImage) -> Detection:
        """How abnormal an image is, and where."""
        ...


class Detector(Protocol):
    """Scores images against normal ones.

    Attributes:
        name: what it is called.
        statistic: what score and map are, in a sentence; it is written down with the run.
    """

    name: str
    statistic: str

    def fit(self, normals: Sequence[LoadedImage]) -> Fitted:
        """Learn what is normal from at least one image. The detector itself does not change."""
        ...
