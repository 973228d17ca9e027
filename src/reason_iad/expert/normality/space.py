"""Three ways in which a patch can differ from normal ones, and the coordinates of each [ours].

On six kinds of real parts, none was the best on more than half of them. Together they were never far from the best
(docs/results.md):

- *direction*: the angle to the nearest normal patch, of features standardised per channel. It does not mind how
  strong the features are, so changes of light and contrast cost little.
- *whitened*: the same angle after directions in which normal patches vary much were shrunk. What normal patches
  never do counts more.
- *residual*: how far the patch lies outside the subspace that holds nearly all variation of the normal patches
  (principal components, as in SubspaceAD). It needs no neighbour, so it is steady with few images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch

from reason_iad.expert.memory.scale import Scale

WAYS = ("direction", "whitened", "residual")
"""The ways in which a patch can differ."""
SHRINK = 0.3
"""Whitening divides by the root of (variance + this share of their mean). With less, 20 images are too few."""
KEPT = 0.99
"""Share of the variance that the subspace holds (SubspaceAD, section 3.2)."""


@dataclass(frozen=True, eq=False)
class Space:
    """Coordinates of patches, from normal ones.

    Attributes:
        scale: mean and deviation of each channel.
        axes: (c, c) principal axes of the standardised patches, one per column, the largest variance first.
        variances: (c,) along them.
    """

    scale: Scale
    axes: torch.Tensor
    variances: torch.Tensor

    @classmethod
    def of(cls, patches: torch.Tensor) -> Space:
        """The coordinates that normal patches (n, c) give."""
        scale = Scale.from_moments(patches.mean(0), patches.std(0, correction=0))
        standard = scale.apply(patches)
        variances, axes = torch.linalg.eigh(standard.T @ standard / len(standard))
        return cls(scale, axes.flip(1).contiguous(), variances.flip(0).clamp_min(0))

    def directions(self, patches: torch.Tensor) -> Mapping[str, torch.Tensor]:
        """Unit vectors (n, c) whose angles are compared, by way."""
        standard = self.scale.apply(patches)
        return {"direction": _unit(standard), "whitened": _unit(standard @ self._whitening)}

    def residual(self, patches: torch.Tensor) -> torch.Tensor:
        """(n,) length of what lies outside the subspace."""
        length: torch.Tensor = self.outside(patches).norm(dim=1)
        return length

    def outside(self, patches: torch.Tensor) -> torch.Tensor:
        """(n, k) the coordinates of patches outside the subspace."""
        found: torch.Tensor = self.scale.apply(patches) @ self._outside
        return found

    @cached_property
    def _whitening(self) -> torch.Tensor:
        shrunk: torch.Tensor = (self.variances + SHRINK * self.variances.mean()).sqrt().clamp_min(1e-6)
        return self.axes / shrunk

    @cached_property
    def _outside(self) -> torch.Tensor:
        share = self.variances.cumsum(0) / self.variances.sum().clamp_min(1e-12)
        inside = min(int((share < KEPT).sum()) + 1, len(share) - 1)
        return self.axes[:, inside:]


def _unit(vectors: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(vectors, dim=1)
