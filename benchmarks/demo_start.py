"""How long `reason-iad demo` takes until its first result, in two source trees, in alternation.

    python benchmarks/demo_start.py OLD NEW [--pairs N]

OLD and NEW are checkouts (folders with `src/`). Both run with this interpreter, on the same caches, and once before
the measurement begins. Prints the seconds of each pair, both medians, and their ratio.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RESULT = re.compile(r"^(ok|no) ")


def seconds(tree: Path, cache: str) -> float:
    """Seconds from the start of the program to the line of the first result."""
    environment = {
        **os.environ, "PYTHONPATH": str(tree / "src"), "PYTHONUNBUFFERED": "1", "HF_HUB_OFFLINE": "1",
        "REASON_IAD_CACHE": cache,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as out:
        words = [sys.executable, "-m", "reason_iad", "demo", "--count", "1", "--out", out]
        start = time.perf_counter()
        with subprocess.Popen(
            words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as run:
            assert run.stdout is not None
            took = next((time.perf_counter() - start for line in run.stdout if RESULT.match(line)), None)
            run.stdout.read()
    if took is None:
        raise SystemExit(f"The demo of {tree} showed no result.")
    return took


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    pairs = []
    with tempfile.TemporaryDirectory() as cache:
        for number in range(options.pairs + 1):
            pair = seconds(options.old.resolve(), cache), seconds(options.new.resolve(), cache)
            print(f"{'warm up' if not number else number:>8}: {pair[0]:6.2f} s {pair[1]:6.2f} s", flush=True)
            if number:
                pairs.append(pair)
    old, new = (statistics.median(each) for each in zip(*pairs, strict=True))
    print(f"  median: {old:6.2f} s {new:6.2f} s; ratio {new / old:.2f}")


if __name__ == "__main__":
    main()
