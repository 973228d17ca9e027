"""How well defects are found on parts that lie at any angle: a table of docs/results.md.

    python benchmarks/turned.py --data ../shared/data [--set casting/impeller]

Every picture of a real set is put on a square canvas that holds it at any angle, in the colour of its border. Then
good and test pictures are turned, each by its own angle, drawn once. The expert learns the good ones:

- *upright*: nothing is turned; it finds out that parts lie one way, if they do;
- *turned, as they lie*: turned pictures, with the orientation said to be fixed;
- *turned, found out*: turned pictures, and it finds out that parts lie at any angle.

`worth` is what turned copies of good pictures are worth, as a share of as many new ones.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from experts import SETS, auroc, tests
from reason_iad.expert.encoders import make_encoder
from reason_iad.expert.normality.learning import learn
from reason_iad.expert.normality.looks import Eyes
from reason_iad.expert.normality.turning import Orientation, turned
from reason_iad.images import LoadedImage, load_image

WAYS: tuple[tuple[str, bool, Orientation], ...] = (
    ("upright", False, "auto"),
    ("turned, as they lie", True, "fixed"),
    ("turned, found out", True, "auto"),
)


def on_canvas(image: LoadedImage, degrees: float) -> LoadedImage:
    """A picture on a square that holds it at any angle, turned."""
    pixels = np.asarray(image.pixels.convert("RGB"))
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    red, green, blue = (int(value) for value in np.median(border, axis=0))
    side = math.ceil(math.hypot(image.width, image.height))
    canvas = Image.new("RGB", (side, side), (red, green, blue))
    canvas.paste(image.pixels, ((side - image.width) // 2, (side - image.height) // 2))
    return load_image(np.asarray(turned(canvas, degrees)))


def lying(images: Iterator[LoadedImage], turn: bool, seed: int) -> list[LoadedImage]:
    """All of them, upright or each at its own angle."""
    rng = np.random.default_rng(seed)
    return [on_canvas(image, float(rng.uniform(0, 360)) if turn else 0.0) for image in images]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets")
    parser.add_argument("--set", choices=SETS, action="append", help="only this set")
    options = parser.parse_args()
    eyes = Eyes.of(make_encoder("efficientnet_lite0", None))
    print(f"{'set':<22}{'way':<22}{'auroc':>8}{'angles':>8}{'worth':>8}{'refused':>9}", flush=True)
    for name in options.set or SETS:
        folder = options.data / name
        kinds = [kind for kind, _, _ in tests(folder)]
        for way, turn, orientation in WAYS:
            good = lying(map(load_image, sorted((folder / "train/good").iterdir())), turn, 0)
            expert = learn(good, eyes, orientation=orientation)
            seen = [expert.assess(image) for image in lying((image for _, image, _ in tests(folder)), turn, 1)]
            scores = {
                which: [each.score for kind, each in zip(kinds, seen, strict=True) if (kind == "good") is which]
                for which in (True, False)
            }
            refused = sum(
                kind == "good" and each.likeness.reason is not None for kind, each in zip(kinds, seen, strict=True)
            )
            worth = math.nan if expert.turning.worth is None else expert.turning.worth
            print(
                f"{name:<22}{way:<22}{auroc(scores[True], scores[False]):>8.3f}{expert.turning.steps:>8}"
                f"{worth:>8.2f}{refused:>9}",
                flush=True,
            )


if __name__ == "__main__":
    main()
