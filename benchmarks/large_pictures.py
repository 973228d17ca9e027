"""Seconds and memory that one inspection of an 80-megapixel picture takes.

    python benchmarks/large_pictures.py [--megapixels 80] [--folder DIR]

Pictures of a brushed plate with holes are drawn: good ones, and one with a scratch. Each row of the table is one
process of the program: `inspect` with a product, and with good parts that are named. A row of small pictures of the
same part comes first and shows what the program costs by itself. Peak memory is that of the process. Processor time
stands beside the time on the wall, which is longer where other programs run.
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
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

SMALL = 1.0
"""Megapixels of the small pictures."""
GOOD = 3
"""Pictures of good parts."""


DEEP = "16 bit "
"""Begins the names of pictures with 16 bits."""


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
    if path.name.startswith(DEEP):
        import cv2

        cv2.imwrite(
            str(path), np.asarray(image)[..., ::-1].astype(np.uint16) * 257, [cv2.IMWRITE_PNG_COMPRESSION, 1]
        )
        return
    options = {".jpg": {"quality": 92}, ".png": {"compress_level": 1}, ".tif": {"compression": "tiff_lzw"}}
    image.save(path, **options[path.suffix])


class Ran(NamedTuple):
    """One process of the program: seconds on the wall and of processors, peak MB, and what it printed."""

    seconds: float
    processors: float
    peak: float
    said: str

    def figures(self) -> str:
        """For the table."""
        return f"{self.seconds:.1f} | {self.processors:.1f} | {self.peak:.0f}"


def run(folder: Path, *words: str) -> Ran:
    """Run the program."""
    code = (
        "import re, resource, sys; from pathlib import Path; from reason_iad.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: code = end.code\n"
        "used = resource.getrusage(resource.RUSAGE_SELF)\n"
        # ru_maxrss would begin with the peak of this program, which draws the pictures
        "peak = int(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1])\n"
        "print('peak', peak / 1e3, used.ru_utime + used.ru_stime, file=sys.stderr)\n"
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
    peak, processors = map(float, lines[-1].split()[1:])
    return Ran(seconds, processors, peak, done.stdout)


def verdict_of(said: str) -> str:
    """Verdict and probability, from JSON."""
    result = json.loads(said)
    return f"{result['verdict']} {result['probability']:.3f}"


def measure(folder: Path, megapixels: float, kinds: Sequence[str]) -> Iterator[str]:
    """Rows of the table for pictures of one size: good parts are JPEG pictures, and parts are of each kind."""
    good = [folder / f"good {megapixels:g} {number}.jpg" for number in range(GOOD)]
    parts = {kind: folder / f"{kind[:-4]}part {megapixels:g}{kind[-4:]}" for kind in kinds}
    for number, path in enumerate((*good, *parts.values())):
        if not path.exists():
            draw(path, megapixels, min(number, GOOD), defective=number >= GOOD)
    name = f"plate-{megapixels:g}"
    if not (folder / "products" / name).exists():
        learnt = run(folder, "product", "create", name, "--good", *map(str, good))
        yield f"| {megapixels:g} | jpg | {GOOD} good parts are learnt | | {learnt.figures()} |"
    for kind, part in parts.items():
        for what, words in (
            ("a product", ("--product", name, "--method", "detect", "--no-remember")),
            ("1 good part", ("--reference", str(good[0]))),
        ):
            ran = run(folder, "inspect", str(part), *words, "--json", "-", "--quiet")
            row = (f"{megapixels:g}", kind.replace(".", ""), what, verdict_of(ran.said), ran.figures())
            yield f"| {' | '.join(row)} |"


def main() -> None:
    """Measure every case, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megapixels", type=float, default=80.0, help="Of the large pictures.")
    parser.add_argument("--folder", type=Path, help="Keep the pictures here, to measure again.")
    told = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    print("| megapixels | format | compared with | result | seconds | processor seconds | peak MB |")
    print("|---:|---|---|---|---:|---:|---:|", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = temporary if told.folder is None else told.folder
        Path(folder).mkdir(parents=True, exist_ok=True)
        for megapixels in (SMALL, told.megapixels):
            kinds = (".jpg",) if megapixels == SMALL else (".jpg", ".png", ".tif", DEEP + ".png")
            for row in measure(Path(folder), megapixels, kinds):
                print(row, flush=True)


if __name__ == "__main__":
    main()
