"""Distance of each query patch to its nearest normal patch (PatchCore; METHOD section 4)."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from reason_iad.expert.encoders.base import FeatureMap

Residuals = torch.Tensor
"""(rows, columns) float32 in [0, 2]: how far each patch is from the nearest normal one."""


def residual_map(query: FeatureMap, normals: Sequence[FeatureMap], radius: float | None) -> Residuals:
    """Cosine distance of every query patch to the nearest normal patch.

    Args:
        query: features of the inspected image.
        normals: features of the references; their grids may differ from the query's.
        radius: how far from the same place a normal patch may lie, as a share of the image side; None: anywhere.

    Returns:
        (rows, columns) float32 in [0, 2].
    """
    wanted = torch.nn.functional.normalize(query.features, dim=-1)
    best = torch.full((len(wanted),), -1.0, device=wanted.device)
    for normal in normals:
        bank = torch.nn.functional.normalize(normal.features, dim=-1)
        similarity = wanted @ bank.T  # (n, m)
        if radius is not None:
            far = torch.cdist(_centres(query), _centres(normal), p=float("inf")) > radius
            similarity = similarity.masked_fill(far.to(similarity.device), -1.0)
        best = torch.maximum(best, similarity.max(-1).values)
    return (1 - best).view(query.rows, query.columns)


def _centres(features: FeatureMap) -> torch.Tensor:
    """(n, 2) centres of the patches in [0, 1]."""
    y = (torch.arange(features.rows) + 0.5) / features.rows
    x = (torch.arange(features.columns) + 0.5) / features.columns
    return torch.cartesian_prod(y, x)
