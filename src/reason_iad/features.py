"""Features of a picture: what vision towers and encoders give, and what comparisons take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class FeatureMap:
    """Features of an image on a grid.

    Attributes:
        features: (rows * columns, c), row-major, float32.
        rows, columns: of the grid, which covers the whole image.
    """

    features: torch.Tensor
    rows: int
    columns: int
