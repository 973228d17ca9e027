"""Channels made comparable: each minus its mean, divided by its deviation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

STILL = 1e-6
"""A channel whose deviation is at most this share of the largest one does not vary: it is centred, not enlarged."""


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """Statistics of channels.

    Attributes:
        mean: (c,) float32.
        deviation: (c,) float32, above 0.
    """

    mean: torch.Tensor
    deviation: torch.Tensor

    @classmethod
    def of(cls, moments: torch.Tensor, patches: Sequence[int]) -> Scale:
        """The statistics of all patches of several images.

        Args:
            moments: (n, 2, c), mean and deviation of each channel on each image.
            patches: how many patches each has.
        """
        share = torch.tensor(patches, dtype=torch.float64)[:, None]
        share = share / share.sum()
        means, deviations = moments.double().unbind(1)  # (n, c) each
        mean = (share * means).sum(0)
        # the variance within images, and that between them
        variance = (share * (deviations.square() + (means - mean).square())).sum(0)
        return cls.from_moments(mean, variance.sqrt())

    @classmethod
    def from_moments(cls, mean: torch.Tensor, deviation: torch.Tensor) -> Scale:
        """From (c,) mean and deviation."""
        still = deviation <= STILL * deviation.max()
        return cls(mean.float(), deviation.masked_fill(still, 1.0).float())

    def apply(self, features: torch.Tensor) -> torch.Tensor:
        """(n, c) features, standardised."""
        return (features - self.mean) / self.deviation
