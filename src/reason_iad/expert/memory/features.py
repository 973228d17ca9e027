"""What of an image enters a memory: features of its patches, averaged over neighbours as in PatchCore.

Roth et al., "Towards Total Recall in Industrial Anomaly Detection", CVPR 2022, section 3.1.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from reason_iad.errors import ConfigError
from reason_iad.expert.encoders.base import FeatureMap
from reason_iad.expert.memory.search import Points

NEIGHBOURS = 3
"""Side of the square of patches that is averaged (PatchCore, section 4.4.1)."""
DEPTHS = 2
"""Depths that are joined (PatchCore: the second and third block of its network)."""


def joined(maps: Sequence[FeatureMap], depths: int = DEPTHS) -> FeatureMap:
    """The deepest maps of one image as one: each averaged over neighbours, on the finest of their grids.

    Args:
        maps: of one image, the deepest last; at least one.
        depths: so many are joined, or as many as there are.

    Returns:
        A map whose channels are those of the maps, one after another; its features are on the CPU.
    """
    chosen = [averaged(each) for each in maps[-depths:]]
    rows, columns = max(each.rows for each in chosen), max(each.columns for each in chosen)
    return FeatureMap(torch.cat([_on_grid(each, rows, columns) for each in chosen], dim=1), rows, columns)


def averaged(patches: FeatureMap) -> FeatureMap:
    """Each patch becomes the mean of itself and its neighbours; at a border, of those that there are."""
    mean = torch.nn.functional.avg_pool2d(
        _planes(patches), NEIGHBOURS, stride=1, padding=NEIGHBOURS // 2, count_include_pad=False
    )
    return FeatureMap(mean[0].flatten(1).T.contiguous(), patches.rows, patches.columns)


def points(patches: FeatureMap) -> Points:
    """The patches of a map with their places.

    Raises:
        ConfigError: a feature is not a finite number.
    """
    features = patches.features.detach().float().cpu()
    if not bool(features.isfinite().all()):
        raise ConfigError("The encoder gave features that are not finite numbers; choose another encoder.")
    y = (torch.arange(patches.rows) + 0.5) / patches.rows
    x = (torch.arange(patches.columns) + 0.5) / patches.columns
    return Points(features, torch.cartesian_prod(y, x))


def _planes(patches: FeatureMap) -> torch.Tensor:
    """(1, c, rows, columns)."""
    return patches.features.detach().float().cpu().T.reshape(1, -1, patches.rows, patches.columns)


def _on_grid(patches: FeatureMap, rows: int, columns: int) -> torch.Tensor:
    """(rows * columns, c), enlarged bilinearly."""
    if (patches.rows, patches.columns) == (rows, columns):
        return patches.features
    larger = torch.nn.functional.interpolate(
        _planes(patches), (rows, columns), mode="bilinear", align_corners=False
    )
    return larger[0].flatten(1).T
