"""How many parts per second one inspector does, by the number of threads that share it.

    python benchmarks/parallel.py [--jobs 1 2 4] [--parts 24] [--rounds 5] [--method full]

torch computes with one thread in each, so all that differs is how many inspections run at once. The settings take
turns, so that other work on the machine hits all of them alike. Every round inspects other parts, which the cache
does not know. The table shows the median parts per second, and the same as a multiple of the first setting. Results
are compared, too: they must be the same however many threads there are.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")


def draw(folder: Path, count: int) -> list[tuple[Path, Path]]:
    """So many parts, each with a good one, as files."""
    from PIL import Image

    from reason_iad_nano.world import make_sample

    pairs = []
    for number in range(count):
        sample = make_sample(800_000_000 + number, size=336, references=1)
        part, good = folder / f"{number}.png", folder / f"{number}-good.png"
        Image.fromarray(sample.query).save(part)
        Image.fromarray(sample.references[0]).save(good)
        pairs.append((part, good))
    return pairs


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--parts", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--method", default="full")
    options = parser.parse_args()

    import tempfile

    import torch

    from reason_iad import Inspector, InspectorConfig
    from reason_iad.backbones import load_backbone
    from reason_iad.inspection.many import run_many

    torch.set_num_threads(1)
    rates: dict[int, list[float]] = {jobs: [] for jobs in options.jobs}
    backbone = load_backbone("nano")
    with tempfile.TemporaryDirectory() as folder:
        pairs = draw(Path(folder), options.parts)
        expected: list[float] = []
        for _ in range(options.rounds):
            for jobs in options.jobs:
                inspector = Inspector(backbone, config=InspectorConfig(method=options.method))

                def inspect(pair: tuple[Path, Path], inspector: Inspector = inspector) -> float:
                    return inspector.inspect(pair[0], references=[pair[1]]).probability

                start = time.perf_counter()
                found = [done.outcome for done in run_many(pairs, inspect, workers=jobs)]
                rates[jobs].append(len(pairs) / (time.perf_counter() - start))
                expected = expected or found
                assert found == expected, "the number of threads changed a result"
    first = statistics.median(rates[options.jobs[0]])
    print("| threads | parts per second | ratio |\n|---|---|---|")
    for jobs, each in rates.items():
        print(f"| {jobs} | {statistics.median(each):.2f} | {statistics.median(each) / first:.2f} |")


if __name__ == "__main__":
    main()
