"""Areas under the curves of a tally: ROC, precision-recall, F1, and per-region overlap, in one pass.

- ROC and region overlap are joined by straight lines between distinct scores, so that a tie counts half. The region
  curve is cut at a false positive rate, interpolated there, and its area divided by that rate (AUPRO; Bergmann et
  al., MVTec AD, IJCV 2021).
- Average precision is the step sum over distinct scores, as scikit-learn defines it.

A value that the data do not define is None; `reasons` says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reason_iad.bench.detect.tally import Tally

AUPRO_LIMITS = (0.3, 0.05)
"""False positive rates at which the region curve is cut: MVTec AD's 0.3, and MVTec LOCO's and AD 2's 0.05."""

Vector = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Areas:
    """What the curves say, each in [0, 1]; None where the data do not define it.

    Attributes:
        auroc: area under the ROC curve; needs both kinds.
        ap: average precision; needs something abnormal.
        f1_max: the best F1 over all thresholds; needs something abnormal.
        f1_threshold: the score at and above which F1 is best; the highest such.
        aupro: by false positive rate; needs a region and something normal.
    """

    auroc: float | None
    ap: float | None
    f1_max: float | None
    f1_threshold: float | None
    aupro: dict[float, float | None]


def areas(tally: Tally, limits: Sequence[float] = AUPRO_LIMITS) -> Areas:
    """Integrate the curves of everything in a tally.

    Args:
        tally: the pixels or images.
        limits: false positive rates in (0, 1] at which to cut the region curve.
    """
    normal, abnormal = tally.normal, tally.abnormal
    roc = precision = 0.0
    regions = dict.fromkeys(limits, 0.0)
    f1, threshold = -1.0, 0.0
    false, true, overlap = 0.0, 0.0, 0.0
    for part in tally.descending():
        # float64 holds counts exactly up to 9e15; their products would overflow int64 on large sets
        fp = np.concatenate(([false], false + np.cumsum(part.normal, dtype=np.float64)))
        tp = np.concatenate(([true], true + np.cumsum(part.abnormal, dtype=np.float64)))
        weight = np.concatenate(([overlap], overlap + np.cumsum(part.weight)))
        roc += _area(fp, tp)
        precision += float(np.sum(np.diff(tp) * tp[1:] / (tp[1:] + fp[1:])))
        for limit in limits:
            regions[limit] += _area_up_to(fp, weight, limit * normal)
        scores = 2 * tp[1:] / (tp[1:] + fp[1:] + max(abnormal, 1))
        best = int(np.argmax(scores))
        if scores[best] > f1:
            f1, threshold = float(scores[best]), float(part.score[best])
        false, true, overlap = float(fp[-1]), float(tp[-1]), float(weight[-1])
    has_regions = bool(normal) and tally.weight > 0
    return Areas(
        auroc=roc / (normal * abnormal) if normal and abnormal else None,
        ap=precision / abnormal if abnormal else None,
        f1_max=f1 if abnormal else None,
        f1_threshold=threshold if abnormal else None,
        aupro={
            limit: regions[limit] / (limit * normal * tally.weight) if has_regions else None for limit in limits
        },
    )


def reasons(tally: Tally) -> dict[str, str]:
    """Why values of `areas` are None, by attribute; empty if all are defined."""
    nothing_normal = "nothing is normal"
    nothing_abnormal = "nothing is abnormal"
    found: dict[str, str] = {}
    if not tally.abnormal:
        found = dict.fromkeys(("auroc", "ap", "f1_max", "f1_threshold"), nothing_abnormal)
    elif not tally.normal:
        found = {"auroc": nothing_normal}
    if not tally.normal:
        found["aupro"] = nothing_normal
    elif not tally.weight:
        found["aupro"] = "there is no defect region"
    return found


def _area(x: Vector, y: Vector) -> float:
    """Under straight lines through the points."""
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))


def _area_up_to(x: Vector, y: Vector, end: float) -> float:
    """The same up to x = end, which may lie between two points; x ascends."""
    inside = int(np.searchsorted(x, end, side="right"))
    if not inside:
        return 0.0
    area = _area(x[:inside], y[:inside])
    if inside < len(x):
        x0, x1, y0, y1 = x[inside - 1], x[inside], y[inside - 1], y[inside]
        width = end - x0
        area += float(width * (2 * y0 + (y1 - y0) * width / (x1 - x0)) / 2)
    return area
