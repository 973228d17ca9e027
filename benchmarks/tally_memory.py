"""What the pixel metrics of a detection run cost: seconds of one core, peak memory, temporary files.

Pixels come as images with a defect of 1 % of each, scored at random, so that few scores tie: the worst case. They
are held in memory if they fit (`--limit`, distinct scores), and else spilled. Memory is what is allocated, by
tracemalloc; spilled files are mapped, and what the system keeps of them in memory is its own to take back.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np

from reason_iad.bench.detect.curve import areas
from reason_iad.bench.detect.tally import LIMIT, Tally

SIDE = 1000
MEGABYTE = 1e6


def measure(millions: int, limit: int) -> str:
    """Tally so many million pixels and compute all areas; a row of the table."""
    draw = np.random.default_rng(0)
    mask = np.zeros((SIDE, SIDE), bool)
    mask[:100, :100] = True
    weight = mask / mask.sum()
    tracemalloc.start()
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder, Tally(limit, Path(folder)) as tally:
        for _ in range(millions):
            tally.add(draw.standard_normal((SIDE, SIDE), dtype=np.float32) + mask, mask, weight)
        spilled = sum(file.stat().st_size for file in Path(folder).rglob("*.npy")) / MEGABYTE
        areas(tally)
    seconds = time.process_time() - start
    peak = tracemalloc.get_traced_memory()[1] / MEGABYTE
    tracemalloc.stop()
    return f"| {millions} | {seconds:.1f} | {peak:.0f} | {spilled:.0f} |"


def main() -> None:
    """Measure every case, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millions", type=int, nargs="+", default=[1, 10, 100], help="Pixels, in millions.")
    parser.add_argument("--limit", type=int, default=LIMIT, help="Distinct scores of either kind held in memory.")
    told = parser.parse_args()
    print("| million pixels | seconds | MB of memory | MB of temporary files |")
    print("|---:|---:|---:|---:|", flush=True)
    for millions in told.millions:
        print(measure(millions, told.limit), flush=True)


if __name__ == "__main__":
    main()
