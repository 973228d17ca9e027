"""The same metrics, slow and obviously right: loops over thresholds, straight from the definitions.

Kept beside the fast ones so that tests can compare them. Quadratic in the number of pixels; never used by a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reason_iad.bench.detect.curve import AUPRO_LIMITS, Areas
from reason_iad.bench.detect.regions import Region


def exact_areas(
    scores: Sequence[NDArray[Any]],
    abnormal: Sequence[NDArray[np.bool_]],
    regions: Sequence[Sequence[Region]],
    limits: Sequence[float] = AUPRO_LIMITS,
) -> Areas:
    """The areas over several images.

    Args:
        scores: a score map per image; any shapes.
        abnormal: of the same shapes.
        regions: the defect regions of each image.
        limits: as in `curve.areas`.
    """
    maps = [np.asarray(one, dtype=np.float32).ravel() for one in scores]
    everything = np.concatenate(maps) if maps else np.empty(0, np.float32)
    truth = np.concatenate([one.ravel() for one in abnormal]) if maps else np.empty(0, bool)
    positives, negatives = int(truth.sum()), int((~truth).sum())
    flat = [(flat, region) for flat, found in zip(maps, regions, strict=True) for region in found]
    roc, pro = [(0.0, 0.0)], [(0.0, 0.0)]
    ap, recall_before, f1, best_threshold = 0.0, 0.0, -1.0, 0.0
    for threshold in sorted(set(everything.tolist()), reverse=True):
        above = everything >= threshold
        true, false = int((above & truth).sum()), int((above & ~truth).sum())
        if positives and negatives:
            roc.append((false / negatives, true / positives))
        if negatives and flat:
            overlaps = [
                min(int((one[r.pixels] >= threshold).sum()), r.saturation) / r.saturation for one, r in flat
            ]
            pro.append((false / negatives, sum(overlaps) / len(overlaps)))
        if positives:
            precision, recall = true / (true + false), true / positives
            ap += (recall - recall_before) * precision
            recall_before = recall
            harmonic = 2 * precision * recall / (precision + recall) if true else 0.0
            if harmonic > f1:
                f1, best_threshold = harmonic, threshold
    return Areas(
        auroc=_trapezoids(roc, 1.0) if positives and negatives else None,
        ap=ap if positives else None,
        f1_max=f1 if positives else None,
        f1_threshold=best_threshold if positives else None,
        aupro={limit: _trapezoids(pro, limit) / limit if negatives and flat else None for limit in limits},
    )


def _trapezoids(points: list[tuple[float, float]], end: float) -> float:
    """Area under the lines through points of ascending x, from 0 to `end`."""
    area = 0.0
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 >= end or x1 == x0:
            continue
        stop = min(x1, end)
        y_stop = y0 + (y1 - y0) * (stop - x0) / (x1 - x0)
        area += (stop - x0) * (y0 + y_stop) / 2
    return area
