"""PatchCore, plain (Roth et al., "Towards Total Recall in Industrial Anomaly Detection", CVPR 2022).

The two deepest maps of the encoder are averaged over neighbours and joined; a greedy coreset of all normal patches
is kept; the map is the distance of each patch to the nearest of these. Three things differ from the paper:

- The image score is the largest distance. The paper weighs it by the neighbours of the entry that was found, a
  softmax of distances, which depends on the scale of the features and so on the encoder.
- Channels are standardised on the normal images, so that no depth outweighs the other by the size of its numbers.
- At least `LEAST` patches are kept, so that a few normal images are not thinned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from reason_iad.expert.detectors.base import Detection
from reason_iad.expert.encoders.base import Encoder
from reason_iad.expert.memory.coreset import greedy_coreset, projection
from reason_iad.expert.memory.features import joined, points
from reason_iad.expert.memory.scale import Scale
from reason_iad.expert.memory.search import Points, nearest
from reason_iad.images import LoadedImage

SHARE = 0.1
"""Share of the normal patches that is kept (PatchCore-10 %, table 1)."""
LEAST = 1000
"""So many are kept at least, if there are as many [ours]."""
DIMENSIONS = 128
"""Patches are chosen by a random projection to so many, as in the paper, for speed; searching uses all channels."""
SEED = 0


@dataclass(frozen=True, slots=True)
class _Fitted:
    encoder: Encoder
    scale: Scale
    entries: Points

    def score(self, image: LoadedImage) -> Detection:
        """Find the nearest entry of every patch."""
        found = joined(self.encoder.encode([image.pixels])[0])
        queries = points(found)
        distances = nearest(queries._replace(features=self.scale.apply(queries.features)), self.entries).distances
        return Detection(float(distances.max()), distances.view(found.rows, found.columns).numpy())


@dataclass(frozen=True, slots=True)
class PatchCoreDetector:
    """Keeps a coreset of the patches of the normal images.

    Attributes:
        encoder: makes the feature maps.
    """

    encoder: Encoder
    name = "patchcore"
    statistic = (
        "score: largest patch distance; map: Euclidean distance of each patch, of the two deepest maps joined and "
        "standardised, to the nearest of a greedy coreset of the normal patches"
    )

    def fit(self, normals: Sequence[LoadedImage]) -> _Fitted:
        """Choose the coreset. All patches of the normal images are held while it is chosen."""
        each = [points(joined(self.encoder.encode([normal.pixels])[0])) for normal in normals]
        features = torch.cat([patches.features for patches in each])
        scale = Scale.from_moments(features.mean(0), features.std(0, correction=0))
        features = scale.apply(features)
        matrix = projection(features.shape[1], DIMENSIONS, SEED)
        budget = max(round(SHARE * len(features)), LEAST)
        chosen = greedy_coreset(features if matrix is None else features @ matrix, budget, SEED)
        places = torch.cat([patches.places for patches in each])
        return _Fitted(self.encoder, scale, Points(features[chosen], places[chosen]))


def make(encoder: Encoder) -> PatchCoreDetector:
    """The detector on an encoder."""
    return PatchCoreDetector(encoder)
