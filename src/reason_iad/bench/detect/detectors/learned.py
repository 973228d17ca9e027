"""The learned comparison of an inspection, before calibration (`expert/comparator.py`) [ours].

For models that carry one. The image score is the largest value of the map.
"""

from __future__ import annotations

from collections.abc import Sequence

from reason_iad.backbones.base import Backbone, PatchFeatures
from reason_iad.bench.detect.detectors.base import Detection
from reason_iad.errors import ConfigError
from reason_iad.expert.comparator import FILE, load_comparator
from reason_iad.images import LoadedImage


class LearnedDetector:
    """Keeps the patch features of the normal images.

    Raises:
        ConfigError: the model carries no learned comparison.
        ModelError: what it carries cannot be used.
    """

    statistic = "score: largest value of the map; map: -ln(1 - p), p the probability of a defect at a patch"

    def __init__(self, backbone: Backbone) -> None:
        found = None if backbone.directory is None else load_comparator(backbone.directory)
        if found is None:
            raise ConfigError(f"'{backbone.version.name}' has no {FILE}; choose the detector 'distance'.")
        self._compare, self._model = found, backbone
        self._normals: tuple[PatchFeatures, ...] = ()

    def fit(self, normals: Sequence[LoadedImage]) -> None:
        """Take the features of the normal images."""
        self._normals = tuple(self._model.patch_features(normal.pixels) for normal in normals)

    def score(self, image: LoadedImage) -> Detection:
        """Compare every patch with the one at the same place."""
        values = self._compare.compare(self._model.patch_features(image.pixels), self._normals).cpu()
        return Detection(float(values.max()), values.numpy())


def make(backbone: Backbone) -> LearnedDetector:
    """The detector on a model."""
    return LearnedDetector(backbone)
