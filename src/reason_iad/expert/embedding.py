"""One vector for a whole image, to find its category in the reference gallery (METHOD section 1, step 1)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reason_iad.expert.encoders.base import FeatureMap


def image_embedding(patches: FeatureMap) -> NDArray[np.floating[Any]]:
    """Mean and standard deviation of the patch features, each of unit length: what it looks like, and how varied.

    Returns:
        (2 c,) float32.
    """
    features = torch.nn.functional.normalize(patches.features.float(), dim=-1)
    parts = (features.mean(0), features.std(0, unbiased=False))
    joined = torch.cat([torch.nn.functional.normalize(part, dim=0) for part in parts])
    vector: NDArray[np.floating[Any]] = joined.cpu().numpy()
    return vector
