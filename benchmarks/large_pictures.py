"""Seconds and memory that one inspection of an 80-megapixel picture takes.

    python benchmarks/large_pictures.py [--megapixels 80] [--folder DIR]

Pictures of a brushed plate with holes are drawn: good ones, and one with a scratch. Each row of the table is one
process of the program: `inspect` with a product, and with good parts that are named. A row of small pictures of the
same part comes first and shows what the program costs by itself. Peak memory is that of the process.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SMALL = 1.0
"""Megapixels of the small pictures."""
GOOD = 3
"""Pictures of good parts."""


def draw(path: Path, megapixels: float, number: int, *, defective: bool) -> None:
    """A plate of 5:4 with holes, brushed, and perhaps with a scratch."""
    height = round((megapixels * 1e6 / 1.25) ** 0.5)
    width = round(height * 1.25)
    rng = np.random.default_rng(number)
    rows = (150 + rng.normal(0, 6, (height, 1)) + rng.normal(0, 3, (1, width))).clip(0, 255).astype(np.uint8)
    image = Image.fromarray(rows).convert("RGB")
    pen = ImageDraw.Draw(image)
    side = height // 8
    for row in range(3):
        for column in range(4):
            x, y = int(width * (0.16 + 0.22 * column)), int(height * (0.2 + 0.3 * row))
            pen.ellipse((x - side // 2, y - side // 2, x + side // 2, y + side // 2), fill=(40, 42, 45))
    if defective:
        ends = [(width * 0.45, height * 0.30), (width * 0.60, height * 0.40)]
        pen.line([*ends], fill=(240, 240, 240), width=max(3, height // 80))
    image.save(path, **({"quality": 92} if path.suffix == ".jpg" else {"compress_level": 1}))


def run(folder: Path, *words: str) -> tuple[float, float, str]:
    """Wall-clock seconds and peak MB of one process of the program, and what it printed."""
    code = (
        "import resource, sys; from reason_iad.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: code = end.code\n"
        "print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, file=sys.stderr)\n"
    )
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        env={**os.environ, "REASON_IAD_PRODUCTS": str(folder / "products")},
    )
    seconds = time.perf_counter() - begin
    lines = [line for line in done.stderr.splitlines() if line.startswith("peak ")]
    if not lines:
        raise SystemExit(done.stderr)
    return seconds, float(lines[-1].split()[1]), done.stdout


def verdict_of(said: str) -> str:
    """Verdict and probability, from JSON."""
    result = json.loads(said)
    return f"{result['verdict']} {result['probability']:.3f}"


def measure(folder: Path, megapixels: float, suffix: str) -> list[str]:
    """Rows of the table for pictures of one size and format."""
    good = [folder / f"good {megapixels:g} {number}{suffix}" for number in range(GOOD)]
    part = folder / f"part {megapixels:g}{suffix}"
    for number, path in enumerate((*good, part)):
        if not path.exists():
            draw(path, megapixels, number, defective=path == part)
    name = f"plate-{megapixels:g}{suffix}"
    if not (folder / "products" / name).exists():
        run(folder, "product", "create", name, "--good", *map(str, good))
    rows = []
    for what, words in (
        ("a product", ("--product", name, "--method", "detect", "--no-remember")),
        ("1 good part", ("--reference", str(good[0]))),
    ):
        seconds, peak, said = run(folder, "inspect", str(part), *words, "--json", "-", "--quiet")
        rows.append(f"| {megapixels:g} | {suffix[1:]} | {what} | {verdict_of(said)} | {seconds:.1f} | {peak:.0f} |")
    return rows


def main() -> None:
    """Measure every case, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megapixels", type=float, default=80.0, help="Of the large pictures.")
    parser.add_argument("--folder", type=Path, help="Keep the pictures here, to measure again.")
    told = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    print("| megapixels | format | compared with | result | seconds | peak MB |")
    print("|---:|---|---|---|---:|---:|", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = temporary if told.folder is None else told.folder
        Path(folder).mkdir(parents=True, exist_ok=True)
        for megapixels in (SMALL, told.megapixels):
            for suffix in (".jpg", ".png"):
                for row in measure(Path(folder), megapixels, suffix):
                    print(row, flush=True)


if __name__ == "__main__":
    main()
