"""The defect expert as an inspection with `--no-align` uses it: calibrated, clipped, gated (METHOD section 4).

The image score is what the gate decides on: the share of the image that the largest region above theta_low covers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reason_iad.backbones.base import Backbone
from reason_iad.config import InspectorConfig
from reason_iad.errors import ConfigError
from reason_iad.expert import Expert
from reason_iad.expert.detectors.base import Detection
from reason_iad.images import LoadedImage
from reason_iad.inspection.workbench import Workbench


class CalibratedDetector:
    """Builds the expert of an inspection from the normal images."""

    statistic = (
        "score: share of the image in the largest region above theta_low; map: calibrated distance in [0, 1]"
    )

    def __init__(self, backbone: Backbone) -> None:
        self._model = backbone
        self._bench = Workbench(backbone, None, InspectorConfig(align=False), None)
        self._expert: Expert | None = None

    def fit(self, normals: Sequence[LoadedImage]) -> None:
        """Calibrate; a single image is calibrated on jittered copies of itself."""
        self._expert = self._bench.expert(normals)

    def score(self, image: LoadedImage) -> Detection:
        """The calibrated map, and the area that the gate looks at."""
        if self._expert is None:
            raise ConfigError("The detector has not seen a normal image yet; call fit first.")
        found = self._expert.inspect(self._model.patch_features(image.pixels))
        values = found.values.numpy().astype(np.float32)
        details = {"largest": round(float(values.max()), 6), "gate_passed": float(found.gate_passed)}
        return Detection(found.area, values, details)


def make(backbone: Backbone) -> CalibratedDetector:
    """The detector on a model."""
    return CalibratedDetector(backbone)
