"""Few and simple measures, without a dependency: AUC by ranks, balanced accuracy, Wilson intervals."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Z95 = 1.959963984540054


def auc(scores: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Area under the ROC curve; ties count half; NaN if one class is missing."""
    score, label = np.asarray(scores, dtype=np.float64).ravel(), np.asarray(labels).ravel().astype(bool)
    positives, negatives = int(label.sum()), int((~label).sum())
    if not positives or not negatives:
        return math.nan
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((ranks[label].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def balanced_accuracy(predicted: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Mean of the accuracy on defective and on good parts; NaN if one is missing."""
    guess, label = np.asarray(predicted).astype(bool), np.asarray(labels).astype(bool)
    if label.all() or not label.any():
        return math.nan
    return float((guess[label].mean() + (~guess[~label]).mean()) / 2)


class Proportion(NamedTuple):
    """A share with its 95 % Wilson interval."""

    value: float
    low: float
    high: float
    total: int

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}] (n={self.total})"


def wilson(hits: int, count: int) -> Proportion:
    """Share of hits with its 95 % Wilson score interval."""
    if count == 0:
        return Proportion(math.nan, math.nan, math.nan, 0)
    share = hits / count
    spread = Z95**2 / count
    centre = (share + spread / 2) / (1 + spread)
    half = Z95 * math.sqrt(share * (1 - share) / count + spread / (4 * count)) / (1 + spread)
    return Proportion(share, max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half)), count)
