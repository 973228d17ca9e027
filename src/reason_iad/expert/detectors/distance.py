"""The comparison of patches, uncalibrated: cosine distance of each to the nearest normal one (METHOD section 4).

The map that the field's memory-bank methods report, so its numbers compare with theirs. The image score is its
largest value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reason_iad.expert.calibration import RADIUS
from reason_iad.expert.detectors.base import Detection
from reason_iad.expert.distance import residual_map
from reason_iad.expert.encoders.base import Encoder, FeatureMap, deepest
from reason_iad.images import LoadedImage


@dataclass(frozen=True, slots=True)
class _Fitted:
    encoder: Encoder
    normals: tuple[FeatureMap, ...]

    def score(self, image: LoadedImage) -> Detection:
        """Compare every patch."""
        values = residual_map(deepest(self.encoder, image.pixels), self.normals, RADIUS).float().cpu()
        return Detection(float(values.max()), values.numpy())


@dataclass(frozen=True, slots=True)
class DistanceDetector:
    """Keeps the feature maps of the normal images.

    Attributes:
        encoder: makes them.
    """

    encoder: Encoder
    name = "distance"
    statistic = "score: largest patch distance; map: cosine distance to the nearest normal patch near its place"

    def fit(self, normals: Sequence[LoadedImage]) -> _Fitted:
        """Take the features of the normal images."""
        return _Fitted(self.encoder, tuple(deepest(self.encoder, normal.pixels) for normal in normals))


def make(encoder: Encoder) -> DistanceDetector:
    """The detector on an encoder."""
    return DistanceDetector(encoder)
