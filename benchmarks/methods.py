"""Does each part of the method help? Every method on the same questions, same weights, paired tests.

    python benchmarks/methods.py --pairs 150                          # drawn parts, seeds nothing else uses
    python benchmarks/methods.py --questions QUESTIONS.json --images DIR   # any set in MMAD's layout, one-shot

Prints accuracy with a 95 % Wilson interval per method and subtask, the exact McNemar p-value against the first
method, and milliseconds per question. Detection is the mean of accuracy on normal and on defective images.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

FIRST_SEED = 700_000_000
DETECTION = "Anomaly Detection"


@dataclass(frozen=True, slots=True)
class Item:
    """One question with its image and its truth."""

    image: Any
    reference: Any
    category: str | None
    subtask: str
    question: str
    options: tuple[str, ...]
    answer: int
    normal: bool


def drawn(pairs: int) -> Iterator[Item]:
    """Detection, type and place questions about drawn parts; the type's options are the category's knowledge."""
    from reason_iad.knowledge import open_knowledge
    from reason_iad.nano.world import FAMILIES, make_sample
    from reason_iad.prompt import detection_question, place_question, type_question
    from reason_iad.schema import PLACES

    store = open_knowledge(None)
    for seed in range(FIRST_SEED, FIRST_SEED + pairs):
        sample = make_sample(seed, size=168)
        category = FAMILIES[sample.family].category
        known = [entry.name for entry in store.entries(category) if entry.kind == "defect"]
        scene = (sample.query, sample.references[0], category)
        asked = detection_question()
        yield Item(*scene, DETECTION, asked.text, asked.options, 0 if sample.defects else 1, not sample.defects)
        if len(sample.defects) == 1:
            kind, place = sample.defects[0].kind, sample.defects[0].place
            if kind in known:
                asked = type_question(known)
                yield Item(*scene, "Defect Classification", asked.text, asked.options, known.index(kind), False)
            asked = place_question()
            yield Item(*scene, "Defect Localization", asked.text, asked.options, PLACES.index(place), False)


def from_file(questions: Path, images: Path, limit: int | None) -> Iterator[Item]:
    """Questions in the layout of MMAD's mmad.json; the first similar template is the reference."""
    entries = list(json.loads(questions.read_text(encoding="utf-8")).items())
    random.Random(0).shuffle(entries)
    for key, entry in entries[:limit]:
        template = (entry.get("similar_templates") or entry.get("random_templates") or [None])[0]
        reference = images / template if template else None
        for asked in entry["conversation"]:
            letters = list(asked["Options"])
            yield Item(
                images / key,
                reference,
                None,
                asked["type"],
                asked["Question"],
                tuple(asked["Options"].values()),
                letters.index(asked["Answer"]),
                entry["mask_path"] is None,
            )


def run(items: list[Item], method: str, model: str) -> tuple[list[bool], float]:
    """Right or wrong for each item, and the median milliseconds."""
    from reason_iad import Inspector, InspectorConfig

    inspector = Inspector.from_pretrained(model, config=InspectorConfig(method=method))
    right, times = [], []
    for item in items:
        references = [item.reference] if item.reference is not None else []
        reply = inspector.ask(
            item.image, item.question, options=item.options, references=references, category=item.category
        )
        right.append(reply.answer.text == item.options[item.answer])
        times.append(reply.timings_ms["total"])
    return right, statistics.median(times)


def accuracy(items: list[Item], right: list[bool], subtask: str) -> str:
    """Accuracy in percent with its interval; balanced for detection."""
    groups: dict[bool, list[bool]] = defaultdict(list)
    for item, correct in zip(items, right, strict=True):
        if item.subtask == subtask:
            groups[item.normal if subtask == DETECTION else False].append(correct)
    if not groups:
        return "-"
    mean = statistics.mean(statistics.mean(group) for group in groups.values())
    total = [correct for group in groups.values() for correct in group]
    interval = binomtest(sum(total), len(total)).proportion_ci(method="wilson")
    half = (interval.high - interval.low) / 2
    return f"{100 * mean:5.1f} ±{100 * half:4.1f} (n={len(total)})"


def mcnemar(first: list[bool], second: list[bool]) -> float:
    """Exact two-sided p-value for a difference between paired answers."""
    better = sum(b and not a for a, b in zip(first, second, strict=True))
    worse = sum(a and not b for a, b in zip(first, second, strict=True))
    return float(binomtest(better, better + worse).pvalue) if better + worse else 1.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=150)
    parser.add_argument("--questions", type=Path)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--limit", type=int, help="At most so many images of --questions.")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--methods", default="direct,knowledge,latent,full,paper")
    options = parser.parse_args()
    if options.questions:
        items = list(from_file(options.questions, options.images or options.questions.parent, options.limit))
    else:
        items = list(drawn(options.pairs))
    subtasks = sorted({item.subtask for item in items})
    print(f"{'method':10s}" + "".join(f"{subtask:>26s}" for subtask in subtasks) + f"{'p':>8s}{'ms':>7s}")
    first: list[bool] | None = None
    for method in options.methods.split(","):
        right, ms = run(items, method, options.model)
        first = right if first is None else first
        cells = "".join(f"{accuracy(items, right, subtask):>26s}" for subtask in subtasks)
        print(f"{method:10s}{cells}{mcnemar(first, right):8.3f}{ms:7.0f}", flush=True)


if __name__ == "__main__":
    main()
