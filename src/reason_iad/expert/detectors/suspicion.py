"""What late fusion goes by: patches and pixels against good parts laid as the image lies (METHOD section 5).

The map is `expert.suspicion.suspicion`, the image score its largest value: what an inspection weighs with the
model's answers.
"""

from __future__ import annotations

from collections.abc import Sequence

from reason_iad.backbones.base import Backbone
from reason_iad.config import InspectorConfig
from reason_iad.errors import ConfigError
from reason_iad.expert.detectors.base import Detection
from reason_iad.expert.registration import lay_alike
from reason_iad.images import LoadedImage
from reason_iad.inspection.workbench import Workbench


class SuspicionDetector:
    """Keeps the normal images, and lays them as each image lies."""

    statistic = "score: how far the most suspicious place stands out; map: ln of patches' and pixels' difference"

    def __init__(self, backbone: Backbone) -> None:
        self._bench = Workbench(backbone, None, InspectorConfig(), None)
        self._normals: dict[str, LoadedImage] = {}

    def fit(self, normals: Sequence[LoadedImage]) -> None:
        """Take the normal images, each once."""
        self._normals = {normal.sha256: normal for normal in normals}

    def score(self, image: LoadedImage) -> Detection:
        """Compare patches and pixels."""
        if not self._normals:
            raise ConfigError("The detector has not seen a normal image yet; call fit first.")
        from reason_iad.expert.suspicion import suspicion

        normals = [*self._normals.values()]
        moved = lay_alike(normals, image.pixels)
        values = suspicion(self._bench.compare(image, normals, moved))
        return Detection(float(values.max()), values.numpy(), {"moved": float(len(moved))})


def make(backbone: Backbone) -> SuspicionDetector:
    """The detector on a model."""
    return SuspicionDetector(backbone)
