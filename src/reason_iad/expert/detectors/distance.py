"""The defect expert before calibration: cosine distance of each patch to the nearest normal one (METHOD section 4).

The map that the field's memory-bank methods report, so its numbers compare with theirs. The image score is its
largest value.
"""

from __future__ import annotations

from collections.abc import Sequence

from reason_iad.backbones.base import Backbone
from reason_iad.expert.calibration import RADIUS
from reason_iad.expert.detectors.base import Detection
from reason_iad.expert.distance import residual_map
from reason_iad.expert.encoders.base import FeatureMap
from reason_iad.images import LoadedImage


class DistanceDetector:
    """Keeps the patch features of the normal images."""

    statistic = "score: largest patch distance; map: cosine distance to the nearest normal patch near its place"

    def __init__(self, backbone: Backbone) -> None:
        self._model = backbone
        self._normals: tuple[FeatureMap, ...] = ()

    def fit(self, normals: Sequence[LoadedImage]) -> None:
        """Take the features of the normal images."""
        self._normals = tuple(self._model.patch_features(normal.pixels) for normal in normals)

    def score(self, image: LoadedImage) -> Detection:
        """Compare every patch."""
        values = residual_map(self._model.patch_features(image.pixels), self._normals, RADIUS).float().cpu()
        return Detection(float(values.max()), values.numpy())


def make(backbone: Backbone) -> DistanceDetector:
    """The detector on a model."""
    return DistanceDetector(backbone)
