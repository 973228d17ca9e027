"""At which size nano should be shown a picture: the same drawn pairs, scaled to each size by its own processor.

    python benchmarks/nano_sizes.py --drawn 448 --shown 168,224,336,448 --pairs 200

Validation pairs only, the ones that choices are made on: what `nano evaluate` measures stays unseen.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path

from reason_iad.backbones.loading import load_backbone
from reason_iad.inspection.questions import detection_question, place_question
from reason_iad.schema import PLACES
from reason_iad_nano.asking import Asked
from reason_iad_nano.metrics import auc, balanced_accuracy
from reason_iad_nano.package import preprocessor_config
from reason_iad_nano.showing import Pairs, Shown

NANO = Path(__file__).parent.parent / "src" / "reason_iad" / "backbones" / "nano"


def measure(folder: Path, drawn: int, pairs: int) -> dict[str, float]:
    """Detection and place of a packaged model on drawn pairs."""
    backbone = load_backbone(str(folder))
    scores, labels, placed = [], [], []
    start = time.perf_counter()
    for _, facts, images in Pairs(backbone, "validate", pairs, Shown(size=drawn)):
        asked = Asked(backbone, images)
        labels.append(facts.defective)
        scores.append(asked.probabilities(detection_question())[0])
        if facts.defective:
            chances = asked.probabilities(place_question())
            placed.append(PLACES[chances.index(max(chances))] == facts.main.place)
    return {
        "balanced": balanced_accuracy([score >= 0.5 for score in scores], labels),
        "auroc": auc(scores, labels),
        "place": sum(placed) / len(placed),
        "seconds": (time.perf_counter() - start) / pairs,
    }


def main() -> None:
    """Measure every size and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=NANO)
    parser.add_argument("--drawn", type=int, default=448)
    parser.add_argument("--shown", default="168,224,336,448")
    parser.add_argument("--pairs", type=int, default=200)
    options = parser.parse_args()
    print("| shown with | balanced accuracy | AUROC | place, 9 options | seconds a pair |\n|---|---|---|---|---|")
    for size in map(int, options.shown.split(",")):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "model"
            shutil.copytree(options.model, folder)
            (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor_config(size)))
            row = measure(folder, options.drawn, options.pairs)
        cells = f"{row['balanced']:.3f} | {row['auroc']:.3f} | {row['place']:.3f} | {row['seconds']:.2f}"
        print(f"| {size} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
