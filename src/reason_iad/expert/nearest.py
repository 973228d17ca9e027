"""Which of many good parts to compare with: those that look most like the inspected one [ours].

Somebody may have hundreds of photographs of good parts: of other sizes, other places on the machine, other light.
Most of them say nothing about this part; to compare with all of them would cost time for each.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from reason_iad.backbones.base import PatchFeatures

GRID = 12
"""Cells each way, at most, at which two pictures are compared: fine enough to know the same place of a product, and
coarse enough to keep for hundreds of pictures."""

Layout = torch.Tensor
"""(GRID * GRID, c) float16 unit vectors: what lies where, in little memory."""


def layout(patches: PatchFeatures) -> Layout:
    """The layout of a picture: the mean of the features in each cell."""
    unit = torch.nn.functional.normalize(patches.features.float(), dim=-1)
    grid = unit.view(patches.rows, patches.columns, -1).permute(2, 0, 1)
    pooled = torch.nn.functional.adaptive_avg_pool2d(grid, (GRID, GRID)).flatten(1).T
    return torch.nn.functional.normalize(pooled, dim=-1).half().cpu()


def nearest(image: Layout, references: Sequence[Layout]) -> list[int]:
    """Numbers of the references, the most alike first; equal ones in the order given.

    Args:
        image: the layout of the inspected one.
        references: the layouts of good parts.
    """
    alike = [float((image.float() * reference.float()).sum()) for reference in references]
    return sorted(range(len(alike)), key=lambda number: -alike[number])
