"""What nano does on real images it was never trained or tuned on, through the product's own `Inspector`.

    python benchmarks/nano_real.py --data ../shared/data --method direct --limit 60

Each set gives balanced accuracy at the default threshold and the AUROC of the probability. `deeppcb/pcb_crop` shows
the aligned template of each image as reference; the other sets show one good image of the training split.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reason_iad import Inspector, InspectorConfig
from reason_iad.nano.metrics import auc, balanced_accuracy, wilson

SETS = {
    "deeppcb/pcb_crop": "pcb",
    "magnetic_tile/tile": "magnetic tile",
    "ball_screw/spindle": "ball screw spindle",
    "commutator/surface": "molded commutator surface",
}
"""Set and category to the category of the knowledge that comes with the package."""


@dataclass(frozen=True)
class Case:
    """One test image with its reference."""

    image: Path
    reference: Path
    defective: bool
    kind: str


def cases(data: Path, name: str, limit: int) -> Iterator[Case]:
    """Test images of a set, the same ones for every model.

    Args:
        data: the folder of the sets.
        name: 'set/category'.
        limit: at most so many, good and defective ones in equal numbers.
    """
    folder, category = name.split("/")
    with (data / folder / "manifest.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["image"].startswith(category + "/")]
    good = sorted(row["image"] for row in rows if row["split"] == "train")
    rng = random.Random(name)
    test = [row for row in rows if row["split"] == "test"]
    rng.shuffle(test)
    for label in ("0", "1"):
        for row in [row for row in test if row["label"] == label][: limit // 2]:
            reference = row["template"] or rng.choice(good)
            yield Case(data / folder / row["image"], data / folder / reference, label == "1", row["defect_types"])


def measure(inspector: Inspector, data: Path, name: str, limit: int) -> dict[str, float | str]:
    """One set: detection, and seconds per image."""
    scores, labels = [], []
    started = time.perf_counter()
    for case in cases(data, name, limit):
        found = inspector.inspect(case.image, references=[case.reference], category=SETS[name])
        scores.append(found.probability)
        labels.append(case.defective)
    seconds = time.perf_counter() - started
    hits = [(score >= 0.5) == label for score, label in zip(scores, labels, strict=True)]
    return {
        "set": name,
        "images": len(labels),
        "balanced accuracy": balanced_accuracy([score >= 0.5 for score in scores], labels),
        "auroc": auc(scores, labels),
        "accuracy": str(wilson(sum(hits), len(hits))),
        "seconds per image": seconds / max(len(labels), 1),
    }


def main() -> None:
    """Measure and print one JSON line per set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--model", default="nano")
    parser.add_argument("--method", default="direct")
    parser.add_argument("--limit", type=int, default=100, help="images per set")
    options = parser.parse_args()
    inspector = Inspector.from_pretrained(options.model, config=InspectorConfig(method=options.method))
    for name in SETS:
        result = measure(inspector, options.data, name, options.limit)
        print(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in result.items()}), flush=True)


if __name__ == "__main__":
    main()
