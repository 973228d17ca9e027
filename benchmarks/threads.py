"""How long an inspection takes on an idle and on a busy machine, by the number of threads and how they wait.

    python benchmarks/threads.py [--busy 0 2] [--rounds 3] [--longest 60]

Each setting is a process of its own that inspects one drawn part with one good part, twice; the second time
counts. An inspection that takes longer than `--longest` seconds is stopped and counts as that long. The settings
take turns, so that other work on the machine hits all of them alike. `--busy 2` runs two processes beside it that
count without a pause. The table shows the median seconds of one inspection, and the same as a multiple of the
first setting under the same load. Only these multiples mean something on a machine that others use.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
WAITING = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "MKL_NUM_THREADS")
SETTINGS: dict[str, dict[str, str]] = {
    "one thread": {"OMP_NUM_THREADS": "1"},
    "torch's default": {},
    "all cores, passive": {"OMP_NUM_THREADS": str(CORES), "OMP_WAIT_POLICY": "PASSIVE"},
    "all cores, short spin": {"OMP_NUM_THREADS": str(CORES), "GOMP_SPINCOUNT": "10000", "KMP_BLOCKTIME": "1"},
    "all cores but one": {"OMP_NUM_THREADS": str(max(1, CORES - 1)), "OMP_WAIT_POLICY": "PASSIVE"},
}
"""Name to the variables of the environment that make it."""
LOADING = 30.0
"""Seconds that starting Python and loading the model may take."""


def inspect_here(part: str, good: str) -> None:
    """Print the seconds of the second of two inspections; runs in a process of its own."""
    from reason_iad import Inspector

    inspector = Inspector.from_pretrained("nano")
    inspector.inspect(part, references=[good])
    start = time.perf_counter()
    inspector.inspect(part, references=[good])
    print(time.perf_counter() - start)


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that count without a pause."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def measured(setting: dict[str, str], part: Path, good: Path, longest: float) -> float:
    """Seconds of one inspection under one setting; `longest` if it takes longer."""
    environment = {name: value for name, value in os.environ.items() if name not in WAITING} | setting
    words = [sys.executable, __file__, "--child", str(part), str(good)]
    try:
        done = subprocess.run(
            words, env=environment, check=True, capture_output=True, text=True, timeout=2 * longest + LOADING
        )
    except subprocess.TimeoutExpired:
        return longest
    return min(float(done.stdout), longest)


def draw(folder: Path) -> tuple[Path, Path]:
    """A part with a defect and a good part, as files."""
    from PIL import Image

    from reason_iad_nano.world import make_sample

    sample = next(s for s in (make_sample(seed, size=336) for seed in range(900_000_000, 900_001_000)) if s.defects)
    Image.fromarray(sample.query).save(folder / "part.png")
    Image.fromarray(sample.references[0]).save(folder / "good.png")
    return folder / "part.png", folder / "good.png"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--busy", type=int, nargs="+", default=[0, 2], help="Numbers of busy processes beside it.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--settings", nargs="+", choices=list(SETTINGS), default=list(SETTINGS))
    parser.add_argument("--longest", type=float, default=60.0, help="Seconds that one inspection may take.")
    parser.add_argument("--child", nargs=2, metavar=("PART", "GOOD"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        inspect_here(*options.child)
        return
    taken: dict[tuple[int, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        part, good = draw(Path(folder))
        for _ in range(options.rounds):
            for count in options.busy:
                with busy(count):
                    for name in options.settings:
                        seconds = measured(SETTINGS[name], part, good, options.longest)
                        taken.setdefault((count, name), []).append(seconds)
                        print(f"busy {count}  {name:<22} {seconds:6.2f}", flush=True)
    print(f"\n{CORES} cores, median of {options.rounds} inspections")
    for (count, name), seconds in taken.items():
        median, first = statistics.median(seconds), statistics.median(taken[count, options.settings[0]])
        print(f"busy {count}  {name:<22} {median:6.2f} s   {median / first:5.2f} x {options.settings[0]}")


if __name__ == "__main__":
    main()
