"""The expert of a product: several ways to differ, at two resolutions, against left-out good images (METHOD 4).

The score is in deviations of good images, each left out of its own memory, so about 0 is usual on every product.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reason_iad.expert.detectors.base import Detection
from reason_iad.expert.encoders.base import Encoder
from reason_iad.expert.normality.expert import ProductExpert
from reason_iad.expert.normality.learning import learn
from reason_iad.expert.normality.looks import Eyes
from reason_iad.images import LoadedImage


@dataclass(frozen=True, slots=True)
class _Fitted:
    expert: ProductExpert

    def score(self, image: LoadedImage) -> Detection:
        """Assess the image. That it cannot be judged stands beside score and map, and does not change them."""
        found = self.expert.assess(image)
        values = found.excess.clamp_min(0).numpy().astype(np.float32)
        details = {
            "likeness": round(found.likeness.distance, 6),
            "cannot_be_judged": float(found.likeness.reason is not None),
        }
        return Detection(found.score, values, details)


@dataclass(frozen=True, slots=True)
class ExpertDetector:
    """Learns what is normal for a product.

    Attributes:
        eyes: how it looks at pictures.
    """

    eyes: Eyes
    name = "expert"
    statistic = (
        "score: the numbers of a picture in deviations of left-out good images, weighted; map: how far patches "
        "exceed the median of good ones, in units of their 0.99 quantile"
    )

    def fit(self, normals: Sequence[LoadedImage]) -> _Fitted:
        """Learn the good images."""
        return _Fitted(learn(normals, self.eyes))


def make(encoder: Encoder) -> ExpertDetector:
    """The detector on an encoder."""
    return ExpertDetector(Eyes.of(encoder))
