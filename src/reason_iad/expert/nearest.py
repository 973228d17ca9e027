"""Which of many good parts to compare with: those that look most like the inspected one [ours].

Somebody may have hundreds of photographs of good parts: of other sizes, other places on the machine, other light.
Most of them say nothing about this part; to compare with all of them would cost time for each.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from reason_iad.expert.encoders.base import FeatureMap

FAR = 3.0
"""Times the distance of the most alike beyond which a good part is of another kind. On 68 drawn designs most good
parts of one design stay within it, and those of other boards, panels and assemblies do not."""
NEAR = 0.005
"""Distance, one minus the mean cosine, below which two pictures are as alike as can be."""
GRID = 12
"""Cells each way, at most, at which two pictures are compared: fine enough to know the same place of a product, and
coarse enough to keep for hundreds of pictures."""

Layout = torch.Tensor
"""(GRID * GRID, c) float16 unit vectors: what lies where, in little memory."""


def layout(patches: FeatureMap) -> Layout:
    """The layout of a picture: the mean of the features in each cell."""
    unit = torch.nn.functional.normalize(patches.features.float(), dim=-1)
    grid = unit.view(patches.rows, patches.columns, -1).permute(2, 0, 1)
    pooled = torch.nn.functional.adaptive_avg_pool2d(grid, (GRID, GRID)).flatten(1).T
    return torch.nn.functional.normalize(pooled, dim=-1).half().cpu()


def nearest(image: Layout, references: Sequence[Layout], most: int) -> list[int]:
    """Numbers of the references that look like the image, the most alike first; equal ones in the order given.

    Args:
        image: the layout of the inspected one.
        references: the layouts of good parts, at least one.
        most: so many at most.
    """
    apart = [1 - float((image.float() * reference.float()).sum()) / len(image) for reference in references]
    limit = FAR * max(min(apart), NEAR)
    order = sorted(range(len(apart)), key=lambda number: apart[number])
    return [number for number in order if apart[number] <= limit][:most]
