"""How fast the world draws: reference, query and mask, one core.

python benchmarks/world_rate.py [--size 168] [--count 500]
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict

from reason_iad_nano.world import make_sample


def main() -> None:
    """Measure and print pairs per second, and milliseconds per family."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=168)
    parser.add_argument("--count", type=int, default=500)
    options = parser.parse_args()
    times: dict[str, list[float]] = defaultdict(list)
    make_sample(0, size=options.size)
    for seed in range(options.count):
        start = time.process_time()
        sample = make_sample(seed, size=options.size)
        times[sample.family].append(time.process_time() - start)
    total = sum(map(sum, times.values()))
    print(f"{options.count / total:.0f} pairs/s per core at {options.size} x {options.size}")
    for family, taken in sorted(times.items(), key=lambda item: -sum(item[1]) / len(item[1])):
        print(f"    {1e3 * sum(taken) / len(taken):6.2f} ms  {family}")


if __name__ == "__main__":
    main()
