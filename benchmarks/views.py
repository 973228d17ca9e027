"""Whether two kinds of pictures in one product hurt each other: a table of docs/results.md.

    python benchmarks/views.py --data ../shared/data [--sets ball_screw/spindle commutator/surface]

Good images of two real sets are put into one product, as if they were two views of a part. Printed are, for each
set, the image AUROC and the shares of good and of defective test images beyond the limit at 5 % false alarms: of an
expert of that set alone, and of the one of both.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from experts import SETS, auroc, limit, photographs, tests
from reason_iad.expert.encoders import make_encoder
from reason_iad.expert.normality.expert import ProductExpert
from reason_iad.expert.normality.learning import learn
from reason_iad.expert.normality.looks import Eyes


def told(expert: ProductExpert, folder: Path) -> str:
    """The figures of an expert on the test images of a set."""
    scores: dict[bool, list[float]] = {True: [], False: []}
    refused = 0
    for kind, image, _ in tests(folder):
        seen = expert.assess(image)
        scores[kind == "good"].append(seen.score)
        refused += kind == "good" and seen.likeness.reason is not None
    beyond = limit(expert.left_out)
    alarms, found = (sum(score > beyond for score in scores[which]) / len(scores[which]) for which in (True, False))
    return f"{auroc(scores[True], scores[False]):>8.3f}{alarms:>8.3f}{found:>8.3f}{refused:>9}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets")
    parser.add_argument("--sets", nargs=2, choices=SETS, default=("ball_screw/spindle", "commutator/surface"))
    options = parser.parse_args()
    eyes = Eyes.of(make_encoder("efficientnet_lite0", None))
    folders = [options.data / name for name in options.sets]
    print(f"{'set':<22}{'product':<10}{'auroc':>8}{'alarms':>8}{'found':>8}{'refused':>9}", flush=True)
    good = [list(photographs(folder / "train/good")) for folder in folders]
    both = learn([*good[0], *good[1]], eyes)
    print(*both.in_words(), sep="\n", flush=True)
    for name, folder, own in zip(options.sets, folders, good, strict=True):
        print(f"{name:<22}{'of both':<10}{told(both, folder)}", flush=True)
        print(f"{name:<22}{'alone':<10}{told(learn(own, eyes), folder)}", flush=True)


if __name__ == "__main__":
    main()
