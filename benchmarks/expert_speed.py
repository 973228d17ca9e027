"""What the expert of a product costs, beside a plain PatchCore on the same encoder and pictures.

    python benchmarks/expert_speed.py [--references 60] [--side 448] [--threads 2]

Pictures are drawn: a texture with a few shapes. Milliseconds are medians, after a first one that does not count.
Parts per second are those of a folder of PNG files, decoding included, looked at in batches.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from reason_iad.expert.detectors import make_detector
from reason_iad.expert.encoders import make_encoder
from reason_iad.expert.normality.learning import learn
from reason_iad.expert.normality.looks import BATCH, Eyes
from reason_iad.expert.normality.sightings import Sightings
from reason_iad.images import LoadedImage, load_image


def part(seed: int, side: int) -> Image.Image:
    """A drawn part; each seed is another one of its kind."""
    chance = np.random.default_rng(seed)
    rough = Image.fromarray(chance.integers(120, 180, (side // 8, side // 8, 3), dtype=np.uint8))
    picture = rough.resize((side, side), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    x, y = (int(value) for value in chance.integers(-3, 4, 2))
    draw.ellipse((side // 5 + x, side // 5 + y, side * 4 // 5 + x, side * 4 // 5 + y), fill=(90, 95, 105))
    draw.rectangle((side // 3 + x, side // 2 + y, side // 2 + x, side * 2 // 3 + y), fill=(200, 190, 180))
    return picture


def milliseconds(work: Callable[[LoadedImage], object], pictures: Sequence[LoadedImage]) -> float:
    """The median per picture; the first is left out."""
    times = []
    for picture in pictures:
        start = time.perf_counter()
        work(picture)
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[1:])


def main() -> None:
    """Measure and print."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--references", type=int, default=60, help="good images")
    parser.add_argument("--side", type=int, default=448, help="pixels of each side of the pictures")
    parser.add_argument("--pictures", type=int, default=24, help="pictures that are looked at")
    parser.add_argument("--threads", type=int, default=2, help="of the computation")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    encoder = make_encoder("efficientnet_lite0", None)
    good = [load_image(part(seed, options.side)) for seed in range(options.references)]
    pictures = [load_image(part(1000 + seed, options.side)) for seed in range(options.pictures)]

    start = time.perf_counter()
    expert = learn(good, Eyes.of(encoder))
    learnt = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        sightings = Sightings(Path(folder), "benchmark")
        learn(good[:-1], Eyes.of(encoder), sightings=sightings)
        start = time.perf_counter()
        learn(good, Eyes.of(encoder), sightings=sightings)
        joined = time.perf_counter() - start
    plain = make_detector("patchcore", encoder).fit(good)
    alone = milliseconds(expert.assess, pictures)
    seeing = milliseconds(lambda picture: list(expert.eyes.look([picture.pixels])), pictures)
    beside = milliseconds(plain.score, pictures)
    with tempfile.TemporaryDirectory() as folder:
        for number, picture in enumerate(pictures):
            picture.pixels.save(Path(folder) / f"{number:04}.png")
        start = time.perf_counter()
        files = sorted(Path(folder).iterdir())
        for at in range(0, len(files), BATCH):
            for look in expert.eyes.look([load_image(path).pixels for path in files[at : at + BATCH]]):
                expert.assess_look(look)
        rate = len(files) / (time.perf_counter() - start)
    print(f"learning {options.references} good images: {learnt:.1f} s; one joins the others: {joined:.1f} s")
    print(f"expert, warm: {alone:.0f} ms a picture, of which seeing it takes {seeing:.0f} ms")
    print(f"plain PatchCore: {beside:.0f} ms; the expert takes {alone / beside:.2f} times as long")
    print(f"a folder: {rate:.1f} parts a second")


if __name__ == "__main__":
    main()
