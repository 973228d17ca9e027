"""Draw the parts that `reason-iad demo` shows. The product ships them, so that it does not need this package."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from reason_iad.knowledge import KnowledgeStore, open_knowledge, resolve_category
from reason_iad_nano.world import FAMILIES, Sample, make_sample

COUNT = 6
SIZE = 336
"""Pixels each way."""
FIRST_SEED = 900_000_000
"""Far from the seeds that training and evaluation draw."""
SEEDS_PER_PART = 1000


def draw_parts(count: int = COUNT) -> Iterator[Sample]:
    """Parts of the families in turn; every second one has a defect."""
    families = [name for name, family in FAMILIES.items() if not family.held_out]
    for number in range(count):
        seed = FIRST_SEED + number * SEEDS_PER_PART
        while True:
            sample = make_sample(seed, size=SIZE, family=families[number % len(families)])
            if bool(sample.defects) == bool(number % 2):
                break
            seed += 1
        yield sample


def write_parts(out: Path) -> None:
    """Write the pictures as PNG, and `parts.json` with the truth about them.

    Args:
        out: a folder, which is made.
    """
    out.mkdir(parents=True, exist_ok=True)
    store = open_knowledge(None)
    facts = []
    for number, sample in enumerate(draw_parts()):
        name = f"{number:02}-{sample.object_name.replace(' ', '-')}"
        Image.fromarray(sample.query).save(out / f"{name}.png")
        Image.fromarray(sample.references[0]).save(out / f"{name}-good.png")
        facts.append(_facts(name, sample, store))
    (out / "parts.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def _facts(name: str, sample: Sample, store: KnowledgeStore) -> dict[str, object]:
    return {
        "name": name,
        "product": sample.family,
        "category": resolve_category(store, FAMILIES[sample.family].category),
        "defects": [{"kind": defect.kind, "place": defect.place} for defect in sample.defects],
    }
