"""Heads that teach and are thrown away: what is known at every place of an image, asked at every place.

Answers are one token per question; these targets are dozens per image, and answers follow them, they do not lead.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

KIND_SLOTS = 64
FAMILY_SLOTS = 64
"""Fixed sizes, so that a world with more kinds or families resumes an older run."""


def mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """A normalised two-layer head."""
    return nn.Sequential(nn.LayerNorm(inputs), nn.Linear(inputs, hidden), nn.GELU(), nn.Linear(hidden, outputs))


class Seen(NamedTuple):
    """Logits of `TowerHeads`.

    Attributes:
        pair, alone: (B, n, 1 + kinds) cover and kind, from the pair and from the query alone.
        family: (B, families).
        extent: (B, n) square root of the defective share of each cell.
    """

    pair: Tensor
    alone: Tensor
    family: Tensor
    extent: Tensor


class TowerHeads(nn.Module):
    """Dense targets on the merged tokens of the tower, siamese and alone.

    Args:
        width: of the merged tokens.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.pair = mlp(3 * width, 256, 1 + KIND_SLOTS)
        self.alone = mlp(width, 192, 1 + KIND_SLOTS)
        self.family = nn.Linear(width, FAMILY_SLOTS)
        self.extent = mlp(3 * width, 128, 1)

    def forward(self, query: Tensor, reference: Tensor) -> Seen:
        """What the heads say.

        Args:
            query, reference: (B, n, d).
        """
        both = torch.cat((query, reference, (query - reference).abs()), dim=-1)
        return Seen(self.pair(both), self.alone(query), self.family(query.mean(1)), self.extent(both)[..., 0])


def coverage_loss(logits: Tensor, coverage: Tensor) -> Tensor:
    """Cross-entropy of the cover of each cell, defective cells weighted up."""
    weight = 1.0 + 4.0 * coverage
    loss = F.binary_cross_entropy_with_logits(logits.float(), coverage, reduction="none")
    return (loss * weight).sum() / weight.sum()


def extent_loss(logits: Tensor, extent: Tensor) -> Tensor:
    """Cross-entropy of how much of each cell is defective; of its square root, or thin defects would be nothing."""
    return coverage_loss(logits, extent.sqrt())


def kind_loss(logits: Tensor, kinds: Tensor, coverage: Tensor) -> Tensor:
    """Cross-entropy of the defect kind where a cell is defective, weighted by its cover."""
    loss = F.cross_entropy(logits.float().flatten(0, 1), kinds.flatten(), ignore_index=-1, reduction="none")
    weight = coverage.flatten()
    return (loss * weight).sum() / weight.sum().clamp_min(1.0)
