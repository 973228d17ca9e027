"""What an inspection weighs: patches and pixels against good parts laid as the image lies (METHOD section 5).

The map is `expert.suspicion.suspicion`, the image score its largest value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reason_iad.expert.comparison import Comparison
from reason_iad.expert.detectors.base import Detection
from reason_iad.expert.encoders.base import Encoder
from reason_iad.expert.registration import lay_alike
from reason_iad.expert.suspicion import suspicion
from reason_iad.images import LoadedImage


@dataclass(frozen=True, slots=True)
class _Fitted:
    comparison: Comparison
    normals: tuple[LoadedImage, ...]

    def score(self, image: LoadedImage) -> Detection:
        """Compare patches and pixels."""
        moved = lay_alike(self.normals, image.whole)
        values = suspicion(self.comparison.compare(image, self.normals, moved))
        return Detection(float(values.max()), values.numpy(), {"moved": float(len(moved))})


@dataclass(frozen=True, slots=True)
class SuspicionDetector:
    """Keeps the normal images, and lays them as each image lies.

    Attributes:
        comparison: compares patches and pixels.
    """

    comparison: Comparison
    name = "suspicion"
    statistic = "score: how far the most suspicious place stands out; map: ln of patches' and pixels' difference"

    def fit(self, normals: Sequence[LoadedImage]) -> _Fitted:
        """Take the normal images, each once."""
        return _Fitted(self.comparison, tuple({normal.sha256: normal for normal in normals}.values()))


def make(encoder: Encoder) -> SuspicionDetector:
    """The detector on an encoder."""
    return SuspicionDetector(Comparison(encoder))
