"""How long the program takes until it says something: best of N cold interpreters, in milliseconds.

    python benchmarks/startup.py [N]

The bounds that are kept, on a machine that does nothing else: 100 ms until help is there, and 3 s for inspecting a
picture with a product and without a language model. What `import torch` takes by itself is printed, too. The second
column is processor time, for machines that are busy.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

COMMANDS = {
    "python itself": ["-c", "pass"],
    "import reason_iad": ["-c", "import reason_iad"],
    "reason-iad --help": ["-m", "reason_iad", "--help"],
    "reason-iad inspect --help": ["-m", "reason_iad", "inspect", "--help"],
    "reason-iad knowledge --help": ["-m", "reason_iad", "knowledge", "--help"],
}


def with_product(folder: Path) -> dict[str, list[str]]:
    """Commands that use PyTorch, one of them with a product that is made now."""
    for number in range(4):
        pixels = np.random.default_rng(number).normal(128, 20, (448, 448, 3)).clip(0, 255)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
    program, pictures = ["-m", "reason_iad"], [str(folder / f"{number}.png") for number in range(4)]
    create = [sys.executable, *program, "product", "create", "part", "--good", *pictures[:3]]
    subprocess.run(create, check=True, capture_output=True)
    words = ["inspect", pictures[3], "--product", "part", "--method", "detect", "--no-remember"]
    return {"import torch": ["-c", "import torch"], "inspect, no language model": [*program, *words]}


def measure(name: str, words: list[str], repeats: int) -> None:
    """Print one line."""
    times, used = [], []
    for _ in range(repeats):
        start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True)
        if done.returncode in (2, 3):
            raise SystemExit(done.stderr)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(time.perf_counter() - start)
        used.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    print(f"{name:<30} {min(times) * 1000:6.0f} ms {min(used) * 1000:6.0f} ms", flush=True)


def main() -> None:
    """Measure and print."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as folder:
        os.environ["REASON_IAD_PRODUCTS"] = str(Path(folder) / "products")
        for name, words in (COMMANDS | with_product(Path(folder))).items():
            measure(name, words, repeats)


if __name__ == "__main__":
    main()
