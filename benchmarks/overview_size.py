"""What the reports and the overview of many parts weigh on disk, and the memory that writing them takes.

Pictures are drawn: brushed metal plates with noise, of which compression makes little, a share of them with a
scratch. No model decides; the results hold as much evidence as real ones, with references and a map.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from reason_iad.cli.delivery import deliveries
from reason_iad.images import load_image
from reason_iad.schema import (
    Box,
    CategoryEvidence,
    Evidence,
    InputImage,
    Inspection,
    MapEvidence,
    ModelVersion,
    ReferenceEvidence,
    Region,
    Versions,
)

SIZE = (1130, 720)
BOX = Box(x1=700, y1=200, x2=900, y2=300)
MEGABYTE = 1e6


def draw(path: Path, number: int, defective: bool) -> None:
    """A plate with noise, and perhaps a scratch."""
    noise = np.random.default_rng(number).normal(0, 14, SIZE[::-1])
    brushed = Image.fromarray((150 + noise).clip(0, 255).astype(np.uint8)).filter(ImageFilter.BoxBlur((5, 0)))
    image = brushed.convert("RGB")
    if defective:
        ImageDraw.Draw(image).line([(705, 290), (790, 240), (895, 205)], fill=(240, 240, 240), width=6)
    image.save(path, quality=92)


def result(path: Path, defective: bool, good: tuple[Path, ...]) -> Inspection:
    """What an inspection of it would give."""
    image = load_image(path)
    values = np.random.default_rng(0).random((28, 44)).round(4)
    used = tuple(ReferenceEvidence(name=each.name, sha256="0", width=SIZE[0], height=SIZE[1]) for each in good)
    return Inspection(
        image=InputImage(name=str(path), sha256=image.sha256, width=image.width, height=image.height),
        verdict="defect" if defective else "pass",
        probability=0.9 if defective else 0.1,
        threshold=0.5,
        method="full",
        seed=0,
        defect_type="scratch" if defective else None,
        region=Region(box=BOX, place="top right", place_probability=0.9) if defective else None,
        explanation="A thin bright line runs across the brushing direction." if defective else "Evenly brushed.",
        evidence=Evidence(
            category=CategoryEvidence(name="plate", origin="given"),
            references=used,
            anomaly_map=MapEvidence(
                rows=28, columns=44, values=tuple(values.ravel()), gate_passed=defective, calibrated_on=len(good)
            ),
        ),
        timings_ms={"total": 100.0},
        versions=Versions(
            package="0", torch="0", transformers="0", config_sha256="0",
            model=ModelVersion(name="drawn", family="none", sha256="0", device="cpu", dtype="float32"),
        ),
    )  # fmt: skip


def measure(parts: int, share: float) -> str:
    """Write everything for so many parts; a row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        pictures, reports = Path(folder, "in"), Path(folder, "out")
        pictures.mkdir()
        good = tuple(pictures / f"good {number}.jpg" for number in range(4))
        for number, each in enumerate(good):
            draw(each, number, False)
        begin = time.process_time()
        with deliveries(pictures, good, reports, None, ()) as delivery:
            for number in range(parts):
                defective = number % 100 < 100 * share
                path = pictures / f"part {number}.jpg"
                draw(path, number, defective)
                delivery.deliver(path, result(path, defective, good))
                path.unlink()
            delivery.finish()
        seconds = time.process_time() - begin
        pages = sum(each.stat().st_size for each in reports.glob("*.html")) / MEGABYTE
        page = (reports / "index.html").stat().st_size / MEGABYTE
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    return f"| {parts} | {share:.0%} | {pages - page:.1f} | {page:.1f} | {pages:.1f} | {seconds:.0f} | {peak:.0f} |"


def main() -> None:
    """Measure every case, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", type=int, nargs="+", default=[100, 1000], help="How many parts.")
    parser.add_argument("--share", type=float, default=0.1, help="Share of them that is defective.")
    told = parser.parse_args()
    print("| parts | defective | MB of reports | MB of overview | MB together | seconds | peak MB of memory |")
    print("|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    for parts in told.parts:
        print(measure(parts, told.share), flush=True)


if __name__ == "__main__":
    main()
