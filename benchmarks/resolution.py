"""Whether drawn defects say at which resolution a product is best looked at: a table of docs/results.md.

    python benchmarks/resolution.py DATA/cookie/cookie [MORE...] [--drawn 60] [--most 60]

Folders in the layout of MVTec AD. An expert learns the good images of `train` at each choice of resolutions. Then:

- drawn: the AUROC of its score for defects drawn on these images, as the self-test of a product draws them, against
  the good images, each left out;
- real: the AUROC for the images of `test`, of which at most so many good and so many defective ones are read,
  evenly spread over the list.

The last line is the mean over the sets of the choice of today, of the choice by drawn defects, and of the best one.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from reason_iad.expert.encoders import make_encoder
from reason_iad.expert.normality.learning import learn
from reason_iad.expert.normality.looks import SIZES, Eyes
from reason_iad.expert.normality.selftest import auroc, self_test
from reason_iad.images import LoadedImage, load_image

CHOICES = (SIZES, (320, 448), (224,), (320,))
"""The first is that of today."""


class Pictures(Sequence[LoadedImage]):
    """Pictures of files, each read when it is asked for."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, at: int) -> LoadedImage:  # type: ignore[override]  # no slices are asked for
        return load_image(self.paths[at])


def spread(paths: Sequence[Path], most: int) -> Iterator[LoadedImage]:
    """At most so many of these pictures, evenly spread."""
    for at in np.linspace(0, len(paths) - 1, min(most, len(paths))).round().astype(int):
        yield load_image(paths[at])


def aurocs(root: Path, sizes: Sequence[int], drawn: int, most: int) -> tuple[float, float]:
    """AUROC of drawn defects, and of real ones."""
    good = Pictures(sorted((root / "train/good").iterdir()))
    expert = learn(good, Eyes.of(make_encoder("efficientnet_lite0", None), sizes))
    test = self_test(expert, good, count=drawn)
    fine = sorted((root / "test/good").iterdir())
    kinds = [kind for kind in sorted((root / "test").iterdir()) if kind.name != "good"]
    bad = [path for kind in kinds for path in sorted(kind.iterdir())]
    real = [[expert.assess(image).score for image in spread(paths, most)] for paths in (fine, bad)]
    return auroc(expert.left_out, [trial.score for trial in test.trials]), auroc(*real)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("roots", type=Path, nargs="+")
    parser.add_argument("--drawn", type=int, default=60, help="defects drawn")
    parser.add_argument("--most", type=int, default=60, help="good and defective test images, at most")
    options = parser.parse_args()
    print(f"{'set':<12}" + "".join(f"{' + '.join(map(str, sizes)):>20}" for sizes in CHOICES) + "   (drawn, real)")
    rows = []
    for root in options.roots:
        print(f"{root.name:<12}", end="", flush=True)
        row = []
        for sizes in CHOICES:
            row.append(aurocs(root, sizes, options.drawn, options.most))
            print(f"{row[-1][0]:>14.3f} {row[-1][1]:.3f}", end="", flush=True)
        rows.append(row)
        print(flush=True)
    chosen = [max(row, key=lambda pair: pair[0])[1] for row in rows]
    best = [max(real for _, real in row) for row in rows]
    today = [row[0][1] for row in rows]
    print(f"mean: today {np.mean(today):.4f}, chosen {np.mean(chosen):.4f}, best {np.mean(best):.4f}")


if __name__ == "__main__":
    main()
