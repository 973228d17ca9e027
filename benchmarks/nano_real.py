"""What nano does on real images it was never trained or tuned on, through the product's own `Inspector`.

    python benchmarks/nano_real.py --data ../shared/data --method direct --limit 60

Each set gives balanced accuracy at the default threshold and the AUROC of the probability, of the model alone and
of the verdict, which weighs the map. In `deeppcb/pcb_crop` the reference of each image is its aligned template; in
the other sets all images have the same few good images of the training split, of which the model is shown one.
With `--references 64 --false-alarms 0.1` these set the threshold there: each is inspected against the others first.
"""

from __future__ import annotations

import argparse
import csv
import json
import operator
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reason_iad import Inspector, InspectorConfig
from reason_iad.inspection.operating_point import KnownPart, operating_point
from reason_iad_nano.metrics import auc, balanced_accuracy, wilson

SETS = {
    "deeppcb/pcb_crop": "pcb",
    "magnetic_tile/tile": "magnetic tile",
    "ball_screw/spindle": "ball screw spindle",
    "commutator/surface": "molded commutator surface",
}
"""Set and category to the category of the knowledge that comes with the package."""


@dataclass(frozen=True)
class Case:
    """One test image with its references."""

    image: Path
    references: tuple[Path, ...]
    defective: bool


def cases(data: Path, name: str, limit: int, references: int) -> Iterator[Case]:
    """Test images of a set, the same ones for every model.

    Args:
        data: the folder of the sets.
        name: 'set/category'.
        limit: at most so many, good and defective ones in equal numbers.
        references: good images, where there is no template.
    """
    folder, category = name.split("/")
    with (data / folder / "manifest.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["image"].startswith(category + "/")]
    good = sorted(row["image"] for row in rows if row["split"] == "train")
    rng = random.Random(name)
    shown = tuple(data / folder / image for image in rng.sample(good, min(references, len(good))))
    test = [row for row in rows if row["split"] == "test"]
    rng.shuffle(test)
    for label in ("0", "1"):
        for row in [row for row in test if row["label"] == label][: limit // 2]:
            template = (data / folder / row["template"],) if row["template"] else ()
            yield Case(data / folder / row["image"], template or shown, label == "1")


def measure(
    inspector: Inspector, data: Path, name: str, limit: int, references: int, false_alarms: float | None
) -> dict[str, float | str]:
    """One set: detection by the model alone and as the verdict says, and seconds per image."""
    alone, scores, labels = [], [], []
    tests = list(cases(data, name, limit, references))
    threshold, good = 0.5, tests[0].references
    if false_alarms is not None and len(good) > 1:
        found = [inspector.inspect(part, references=good, category=SETS[name]) for part in good]
        threshold = operating_point(map(KnownPart.of, found), false_alarms).threshold
    started = time.perf_counter()
    for case in tests:
        found = inspector.inspect(case.image, references=case.references, category=SETS[name])
        scores.append(found.probability)
        own = found.evidence.answer("detection")
        assert own is not None
        alone.append(own.probabilities["A"])
        labels.append(case.defective)
    seconds = time.perf_counter() - started
    defects = [score >= threshold for score in scores]
    hits = [said == label for said, label in zip(defects, labels, strict=True)]
    return {
        "set": name,
        "images": len(labels),
        "model alone, balanced accuracy": balanced_accuracy([score >= 0.5 for score in alone], labels),
        "model alone, auroc": auc(alone, labels),
        "threshold": threshold,
        "balanced accuracy": balanced_accuracy(defects, labels),
        "of good parts called defective": sum(map(operator.gt, defects, labels)) / labels.count(False),
        "of defects found": sum(map(operator.and_, defects, labels)) / labels.count(True),
        "auroc": auc(scores, labels),
        "accuracy": str(wilson(sum(hits), len(hits))),
        "seconds per image": seconds / max(len(labels), 1),
    }


def main() -> None:
    """Measure and print one JSON line per set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--method", default="direct")
    parser.add_argument("--limit", type=int, default=100, help="images per set")
    parser.add_argument("--references", type=int, default=8, help="good images, where there is no template")
    parser.add_argument("--false-alarms", type=float, help="share of good parts that may be called defective")
    options = parser.parse_args()
    inspector = Inspector.from_pretrained(options.model, config=InspectorConfig(method=options.method))
    for name in SETS:
        result = measure(inspector, options.data, name, options.limit, options.references, options.false_alarms)
        print(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in result.items()}), flush=True)


if __name__ == "__main__":
    main()
