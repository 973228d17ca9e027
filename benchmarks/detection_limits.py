"""How often the true `a90` is on the safe side of the stated `a90/95`, on simulated trials.

python benchmarks/detection_limits.py [--draws 400] [--ratio 20]

Sizes are drawn evenly in their logarithm from 1 to 16. `width` says how slowly the probability of detection rises:
logarithms of the size for each logit. "Safe": the true `a90` is not above the stated bound, or none is stated.
"Stated" is how often there is one, and "times a90" its median in units of the true `a90`. The last rows have curves
of other shapes than what is fitted: they start at 5 %, as false alarms make them, or end at 95, 88 or 85 %. Those
that end below 90 % have no true `a90`, so every stated bound is wrong. `--ratio 3.87` is the bound for a single
size.
"""

from __future__ import annotations

import argparse
import math
import time

import numpy as np

from reason_iad.expert import detection_limits
from reason_iad.expert.detection_limits import Trial, detection_limit

LARGEST = 16.0
SHAPES = ((0.6, 0.3), (0.6, 0.6), (1.0, 0.1), (1.0, 0.3), (2.0, 0.1), (2.0, 0.3), (2.0, 0.6), (4.0, 0.3))
"""`a50` and width."""


def main() -> None:
    """Simulate and print one row for each number of trials and shape."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--ratio", type=float, default=math.exp(-detection_limits.LEAST_RATIO))
    options = parser.parse_args()
    draws, detection_limits.LEAST_RATIO = options.draws, -math.log(options.ratio)
    print("trials   a50  width   a90   safe  stated  times a90  ms")
    for count in (20, 40, 80, 160):
        for a50, width in SHAPES:
            row(count, a50, width, draws)
    for floor, ceiling in ((0.05, 1.0), (0.0, 0.95), (0.0, 0.88), (0.0, 0.85)):
        for count in (40, 50, 80):
            row(count, 2.0, 0.2, draws, floor, ceiling)


def row(count: int, a50: float, width: float, draws: int, floor: float = 0.0, ceiling: float = 1.0) -> None:
    """One row of the table."""
    rng = np.random.default_rng([count, round(100 * a50), round(100 * width)])
    share = (0.9 - floor) / (ceiling - floor)
    true = a50 * math.exp(width * math.log(share / (1 - share))) if share < 1 else math.inf
    start, bounds = time.perf_counter(), []
    for _ in range(draws):
        sizes = np.exp(rng.uniform(0, math.log(LARGEST), count))
        pod = floor + (ceiling - floor) / (1 + np.exp(-np.log(sizes / a50) / width))
        found = rng.random(count) < pod
        bound = detection_limit([Trial(float(s), bool(f)) for s, f in zip(sizes, found, strict=True)]).a90_95
        bounds.append(math.inf if bound is None else bound)
    taken = 1e3 * (time.perf_counter() - start) / draws
    stated, safe = np.isfinite(bounds), np.mean(np.array(bounds) >= true)
    times = np.median(bounds) / true if math.isfinite(true) else math.nan
    print(
        f"{count:6} {a50:5.1f} {width:6.1f} {true:5.2f} {safe:6.3f} {stated.mean():7.2f} "
        f"{times:10.2f} {taken:3.0f}"
        + (f"   from {100 * floor:g} % to {100 * ceiling:g} %" if (floor, ceiling) != (0.0, 1.0) else ""),
        flush=True,
    )


if __name__ == "__main__":
    main()
