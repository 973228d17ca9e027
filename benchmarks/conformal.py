"""Whether limits by known parts keep what they promise, on simulated draws.

python benchmarks/conformal.py [--draws 10000]

Each draw makes known parts, sets the limit with them, and finds the true share of parts that it decides wrongly.
"On average" is the mean of these shares, with its standard error. "For these parts" is how often the share is at
most what was said with 95 % confidence. Half of the rows have scores with two digits, of which many are equal.
"""

from __future__ import annotations

import argparse
import math

import numpy as np

from reason_iad.expert.conformal import Promise, limits


def main() -> None:
    """Simulate and print one row for each number of parts, share and kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=10_000)
    draws = parser.parse_args().draws
    print("kind of error   parts  asked  exact    found (standard error)   said at most  kept")
    for errors in ("false alarms", "missed defects"):
        for parts, share in ((19, 0.05), (20, 0.1), (60, 0.02), (60, 0.05), (64, 0.1), (200, 0.01)):
            for equal in (False, True):
                row(errors, parts, share, draws, equal=equal)


def row(errors: str, parts: int, share: float, draws: int, *, equal: bool) -> None:
    """One row of the table."""
    rng = np.random.default_rng([parts, round(1000 * share), equal, errors == "false alarms"])
    promise, wrong = Promise(share, parts), np.empty(draws)
    for draw in range(draws):
        known = 100 * rng.uniform(size=parts)
        scores = (np.floor(known) if equal else known).tolist()
        if errors == "false alarms":
            limit = limits(scores, share).defect_from
            wrong[draw] = 1 - (math.ceil(limit) if equal else limit) / 100
        else:
            wrong[draw] = limits((), None, scores, share).pass_below / 100
    error = wrong.std() / math.sqrt(draws)
    kept = (wrong <= promise.at_most + 1e-12).mean()
    print(
        f"{errors:14} {parts:6} {share:6.3f} {promise.on_average:6.4f}{'<=' if equal else '  '} "
        f"{wrong.mean():8.4f} ({error:.4f}) {promise.at_most:21.4f} {kept:7.3f}{'  equal scores' if equal else ''}"
    )


if __name__ == "__main__":
    main()
