"""How soon a drift is noticed, and how often one is told that is none, on simulated scores.

python benchmarks/drift.py [--runs 100] [--parts 10000]

Every run draws its own calibration, and looks after every part. A drift of half a deviation begins after a number
of unreviewed parts; it is noticed if it is told within 200 parts. False alarms are counted until the first one in
each run, and for 10,000 parts that were watched. "No test": what the best test could notice at the end of the 200
parts if it knew the deviation, when the drift begins and its direction, with false alarms as rare as allowed. Where
5 % of the parts are defective, their scores are 3 deviations higher, and the calibration has none of them. The
scores are normal; the test sees only their order, so false alarms are as many for any others.
"""

from __future__ import annotations

import argparse
import math
import time

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from reason_iad.expert.drift import REFERENCE, WINDOWS, Drift

SHIFT, WITHIN, ALLOWED = 0.5, 200, 1e-4


def main() -> None:
    """Simulate and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--parts", type=int, default=10_000)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    print(
        "Noticed within 200 parts, of 100:  calibration  parts before the drift  noticed  no test can notice more"
    )
    for calibration in (20, 60, 200):
        for before in (0, 100, 200, 300, 500):
            found = np.mean([noticed(rng, calibration, before) for _ in range(options.runs)])
            most = best_possible(calibration + before)
            print(f"{'':34} {calibration:12} {before:23} {100 * found:8.1f} {100 * most:9.0f}", flush=True)
    print("False alarms for 10,000 parts:     calibration  scores                  alarms   standard error")
    for calibration in (20, 60):
        for scores in ("all good", "5 % defective"):
            start, alarms, watched = time.perf_counter(), 0, 0
            for _ in range(options.runs):
                after = first_alarm(
                    Drift(drawn(rng, scores, calibration, good=True)), drawn(rng, scores, options.parts)
                )
                alarms, watched = alarms + (after is not None), watched + (after or options.parts)
            rate, error = 1e4 * alarms / watched, 1e4 * math.sqrt(max(alarms, 1)) / watched
            print(
                f"{'':34} {calibration:12}  {scores:23} {rate:6.2f} {error:9.2f}"
                f"   ({1e6 * (time.perf_counter() - start) / watched:.0f} us a look)",
                flush=True,
            )


def drawn(rng: np.random.Generator, kind: str, count: int, *, good: bool = False) -> npt.NDArray[np.float64]:
    """Scores of parts that come as ever."""
    scores = rng.standard_normal(count)
    if kind == "5 % defective" and not good:
        scores += 3 * (rng.random(count) < 0.05)
    return scores


def noticed(rng: np.random.Generator, calibration: int, before: int) -> bool:
    """Whether a drift is told within 200 parts, and not before it begins."""
    while True:
        drift, stream = Drift(rng.standard_normal(calibration)), rng.standard_normal(before + WITHIN)
        if first_alarm(drift, stream[:before]) is None:
            break
    stream[before:] += SHIFT * rng.choice((-1, 1))
    return first_alarm(drift, stream, before) is not None


def first_alarm(drift: Drift, stream: npt.NDArray[np.float64], start: int = 0) -> int | None:
    """After how many parts a drift is told, with a look after each part from `start` on.

    Only what counts is given to a look: the parts that stay the reference, and the last ones.
    """
    for seen in range(max(start, min(WINDOWS)) + 1, len(stream) + 1):
        recent = stream[:seen] if seen <= REFERENCE + max(WINDOWS) else np.concatenate(
            [stream[:REFERENCE], stream[seen - max(WINDOWS) : seen]]
        )  # fmt: skip
        if drift.look(recent).drifted:
            return seen
    return None


def best_possible(known: int) -> float:
    """Power of the best test of two samples at the end, one-sided."""
    deviation = SHIFT / math.sqrt(1 / known + 1 / WITHIN)
    return float(norm.sf(norm.isf(1 - (1 - ALLOWED) ** WITHIN) - deviation))


if __name__ == "__main__":
    main()
