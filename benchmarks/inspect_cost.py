"""What one inspection costs a user: a cold start of the command line, then warm inspections in one process.

    python benchmarks/inspect_cost.py PART REFERENCE [--method full] [--runs 5]

Cold: wall-clock seconds and peak memory of whole processes `reason-iad inspect PART --reference REFERENCE`, report
and JSON included. Warm: milliseconds of `Inspector.inspect` after the first, per phase, of parts that lie up to 4 %
off, each a little differently, so that nothing computed from one serves the next: with the reference moved where
that helps, and with references as they are. Medians, and how many references were moved.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def cold(part: Path, reference: Path, method: str, runs: int) -> tuple[float, float]:
    """Median wall seconds and the largest peak memory in MB of whole processes."""
    times = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(runs):
            command = [sys.executable, "-m", "reason_iad", "inspect", str(part), "--reference", str(reference)]
            command += ["--method", method, "--report", f"{folder}/out.html", "--json", f"{folder}/out.json"]
            start = time.perf_counter()
            code = subprocess.run([*command, "--quiet"], check=False).returncode
            times.append(time.perf_counter() - start)
            if code not in (0, 1):
                raise SystemExit(f"the inspection failed with exit code {code}")
    return statistics.median(times), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


OFF = 0.04
"""Share of the width by which the last of the warm parts is shifted."""


def warm(part: Path, reference: Path, method: str, runs: int, align: bool) -> tuple[dict[str, float], int]:
    """Median milliseconds per phase of inspections after the first, and how many references were moved."""
    from PIL import Image, ImageChops

    from reason_iad import Inspector, InspectorConfig

    inspector = Inspector.from_pretrained("nano", config=InspectorConfig(method=method, align=align))
    inspector.inspect(part, references=[reference])
    picture = Image.open(part).convert("RGB")
    parts = [ImageChops.offset(picture, round(picture.width * OFF * (run + 1) / runs), 0) for run in range(runs)]
    results = [inspector.inspect(each, references=[reference]) for each in parts]
    taken = [result.timings_ms for result in results]
    moved = sum(result.evidence.references[0].motion is not None for result in results)
    return {phase: statistics.median(run.get(phase, 0.0) for run in taken) for phase in taken[0]}, moved


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", type=Path)
    parser.add_argument("reference", type=Path)
    parser.add_argument("--method", default="full")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    seconds, memory = cold(options.part, options.reference, options.method, options.runs)
    print(f"cold  {seconds:6.2f} s   peak memory {memory:.0f} MB")
    for align in (True, False):
        phases, moved = warm(options.part, options.reference, options.method, options.runs, align)
        total = phases.pop("total") / 1000
        told = "  ".join(f"{phase} {value:.0f} ms" for phase, value in phases.items())
        print(f"warm  {total:6.2f} s   {moved} of {options.runs} references moved   {told}")


if __name__ == "__main__":
    main()
