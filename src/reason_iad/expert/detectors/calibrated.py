"""The comparison of patches that an inspection makes with `--no-align`: calibrated and gated (METHOD section 4).

The image score is what the gate decides on: the share of the image that the largest region above theta_low covers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reason_iad.expert.calibration import Expert
from reason_iad.expert.comparison import Comparison
from reason_iad.expert.detectors.base import Detection
from reason_iad.expert.encoders.base import Encoder, deepest
from reason_iad.images import LoadedImage


@dataclass(frozen=True, slots=True)
class _Fitted:
    encoder: Encoder
    expert: Expert

    def score(self, image: LoadedImage) -> Detection:
        """The calibrated map, and the area that the gate looks at."""
        found = self.expert.inspect(deepest(self.encoder, image.pixels))
        values = found.values.numpy().astype(np.float32)
        details = {"largest": round(float(values.max()), 6), "gate_passed": float(found.gate_passed)}
        return Detection(found.area, values, details)


@dataclass(frozen=True, slots=True)
class CalibratedDetector:
    """Calibrates on the normal images; a single one on slightly changed copies of itself.

    Attributes:
        comparison: compares patches.
    """

    comparison: Comparison
    name = "calibrated"
    statistic = (
        "score: share of the image in the largest region above theta_low; map: calibrated distance in [0, 1]"
    )

    def fit(self, normals: Sequence[LoadedImage]) -> _Fitted:
        """Calibrate."""
        return _Fitted(self.comparison.encoder, self.comparison.expert(normals))


def make(encoder: Encoder) -> CalibratedDetector:
    """The detector on an encoder."""
    return CalibratedDetector(Comparison(encoder, align=False))
