"""Whether the limits of products keep what they promise on real good parts: the share of false alarms.

    python benchmarks/conformal_real.py --data ../shared/data [--set cookie/cookie] [--splits 200] [--products 20]

Two questions, for each set:

- "scores": an expert learns half of the good images of `train`. The scores of all other good images, those of
  `test` included, are split at random into known and new ones, two thirds to one third. The known ones set the
  limit. The mean share of new ones beyond it is compared with what is promised on average, which has to hold
  exactly; the column gives the difference in standard errors of the mean.
- "products": all good images are split at random into those of a product, as many as `train` has, and new ones.
  The product sets its limit with its own images, each left out in turn, as products do. A left-out image is
  compared with fewer others than a new one, so this is safe rather than exact.

Each picture is encoded once.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from experts import SETS
from reason_iad.expert.conformal import limits
from reason_iad.expert.encoders import make_encoder
from reason_iad.expert.normality.learning import learn
from reason_iad.expert.normality.looks import Eyes
from reason_iad.images import LoadedImage, load_image

ALARMS, FEWEST = 0.05, 19
"""Share of false alarms that is asked for, and how many known parts that needs; with fewer, twice the share."""


class Once:
    """An encoder that remembers what it saw.

    Args:
        encoder: any that takes pictures of any size.
    """

    def __init__(self, encoder: Any) -> None:
        self._encoder = encoder
        self._seen: dict[int, Any] = {}
        self.name, self.sha256 = encoder.name, encoder.sha256

    def with_size(self, size: int | None) -> Once:
        """The same at another size."""
        return Once(self._encoder.with_size(size))

    def encode(self, images: Sequence[Image.Image]) -> list[Any]:
        """The maps of each."""
        found = []
        for image in images:
            key = hash((image.size, image.tobytes()))
            if key not in self._seen:
                self._seen[key] = self._encoder.encode([image])[0]
            found.append(self._seen[key])
        return found


def main() -> None:
    """Measure each set and print a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--set", action="append", choices=SETS)
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument("--products", type=int, default=20)
    options = parser.parse_args()
    print("set                   scores: promised  found   off     products: promised  found (standard error)")
    for name in options.set or SETS:
        folder = options.data / name
        train, test = (sorted((folder / part).glob("good/*")) for part in ("train", "test"))
        eyes = Eyes.of(Once(make_encoder("efficientnet_lite0", None)))
        images = [load_image(path) for path in (*train, *test)]
        promised, found, off = scores(images, len(train), eyes, options.splits)
        line = f"{name:21} {promised:16.4f} {found:7.4f} {off:5.1f}"
        if options.products:
            promised, found, error = products(images, len(train), eyes, options.products)
            line += f" {promised:17.4f} {found:7.4f} ({error:.4f})"
        print(line, flush=True)


def scores(images: list[LoadedImage], train: int, eyes: Eyes, splits: int) -> tuple[float, float, float]:
    """Promised and found share, and their difference in standard errors."""
    half = set(range(0, train, 2))
    expert = learn([images[at] for at in sorted(half)], eyes)
    others = np.array([expert.assess(image).score for at, image in enumerate(images) if at not in half])
    known = 2 * len(others) // 3
    asked = ALARMS if known >= FEWEST else 2 * ALARMS
    rng, wrong = np.random.default_rng(0), []
    for _ in range(splits):
        order = rng.permutation(len(others))
        limit = limits(others[order[:known]].tolist(), asked).defect_from
        wrong.append(float((others[order[known:]] >= limit).mean()))
    promised = math.floor(asked * (known + 1)) / (known + 1)
    error = float(np.std(wrong, ddof=1)) / math.sqrt(splits)
    return promised, float(np.mean(wrong)), (float(np.mean(wrong)) - promised) / max(error, 1e-12)


def products(images: list[LoadedImage], train: int, eyes: Eyes, splits: int) -> tuple[float, float, float]:
    """Promised and found share, and its standard error."""
    rng, wrong = np.random.default_rng(1), []
    for _ in range(splits):
        order = rng.permutation(len(images))
        expert = learn([images[at] for at in order[:train]], eyes)
        limit = limits(expert.left_out, ALARMS).defect_from
        new = [expert.assess(images[at]) for at in order[train:]]
        wrong.append(float(np.mean([each.score >= limit for each in new])))
    return ALARMS, float(np.mean(wrong)), float(np.std(wrong, ddof=1)) / math.sqrt(splits)


if __name__ == "__main__":
    main()
