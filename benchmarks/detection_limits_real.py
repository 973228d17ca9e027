"""Are the detection limits of a self-test kept, on defects drawn with other seeds and on kinds that it left out?

    python benchmarks/detection_limits_real.py --good FOLDER [--images 24] [--tests 6] [--count 120] [--truth 240]
        [--resolution 320]

An expert is learnt from good pictures. Each of several self-tests, with other seeds, states for each family of
defects the length from which on 9 of 10 are found (`a90/95`). The truth is what the same expert finds among many
more defects, drawn with seeds that no self-test used. The table says, for each family and for kinds that no
self-test draws, in how many self-tests the true length was at most the stated one. For the left-out kinds, the
stated length is the largest of all families. A self-test that states nothing makes no wrong promise. How many
state nothing is said, too.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from reason_iad.expert.detection_limits import detection_limit
from reason_iad.expert.encoders import make_encoder
from reason_iad.expert.normality.drawing import FAMILIES, Family
from reason_iad.expert.normality.learning import learn
from reason_iad.expert.normality.looks import SIZES, Eyes
from reason_iad.expert.normality.selftest import SelfTest, self_test
from reason_iad.images import find_images, load_image

LEFT_OUT = {
    "bubbles": Family(("bubble",), (2e-4, 5e-2)),
    "burns": Family(("burn",), (3e-4, 1e-1)),
    "folds": Family(("fold",), (1e-3, 5e-2), "longer"),
    "frays": Family(("fray",), (1e-3, 5e-2), "longer"),
}
"""Kinds of defects that no self-test draws."""
FIRST = 10_000
"""Seed of the defects that the truth is taken from; those of the self-tests begin at 0."""


def stated(test: SelfTest) -> dict[str, float | None]:
    """The length from which on 9 of 10 are found, by family; and the largest, for all other kinds."""
    limits = {family: limit.a90_95 for family, limit in test.detection().items()}
    known = [limit for limit in limits.values() if limit is not None]
    return {**limits, "other": max(known) if len(known) == len(limits) else None}


def true_a90(test: SelfTest, family: str) -> float | None:
    """The length at which 9 of 10 are found, of many; None: larger than what was drawn, or smaller."""
    limit = detection_limit([trial.hit for trial in test.trials if trial.family == family])
    if limit.a90 is None and limit.found >= 0.9 * len(limit.trials):
        return limit.trials[0].size
    return limit.a90


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--good", type=Path, required=True, help="Folder of good pictures.")
    parser.add_argument("--images", type=int, default=24, help="Good pictures to learn from, at most.")
    parser.add_argument("--tests", type=int, default=6, help="Self-tests.")
    parser.add_argument("--count", type=int, default=120, help="Defects that each of them draws.")
    parser.add_argument("--truth", type=int, default=240, help="Defects of all families that the truth comes from.")
    parser.add_argument("--resolution", type=int, default=SIZES[-1], help="Root of the pixels that are looked at.")
    options = parser.parse_args()
    start = time.perf_counter()
    images = [load_image(path) for path in find_images([options.good])[: options.images]]
    sizes = (round(0.7 * options.resolution), options.resolution)
    expert = learn(images, Eyes.of(make_encoder("efficientnet_lite0", None), sizes))
    known = self_test(expert, images, count=options.truth, seed=FIRST)
    unknown = self_test(expert, images, count=options.truth, seed=FIRST + 1, families=LEFT_OUT)
    truth = {family: true_a90(known, family) for family in FAMILIES}
    truth |= {family: true_a90(unknown, family) for family in LEFT_OUT}
    tests = [stated(self_test(expert, images, count=options.count, seed=seed)) for seed in range(options.tests)]
    print(f"{len(images)} good pictures, {options.tests} self-tests of {options.count} defects")
    print(f"{'kind':24} {'true a90':>9} {'stated a90/95':>22} {'nothing':>8} {'safe':>6}")
    safe = total = 0
    for family, true in truth.items():
        said = [test[family if family in test else "other"] for test in tests]
        numbers = sorted(limit for limit in said if limit is not None)
        kept = sum(limit is None or (true is not None and true <= limit) for limit in said)
        safe, total = safe + kept, total + len(said)
        span = f"{numbers[0]:.0f} to {numbers[-1]:.0f} px" if numbers else "nothing"
        shown = "beyond" if true is None else f"{true:.0f} px"
        print(f"{family:24} {shown:>9} {span:>22} {len(said) - len(numbers):8} {kept:3}/{len(said)}")
    print(f"safe in {safe} of {total}; {time.perf_counter() - start:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
