"""The text the tokenizer learns from: what training will say, and the knowledge that ships with the package."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from reason_iad import knowledge
from reason_iad.backbones.prompt import SYSTEM, Data
from reason_iad.inspection.prompts import build_tail
from reason_iad.inspection.questions import LETTERS
from reason_iad.knowledge.text import knowledge_line
from reason_iad.schema import PLACES
from reason_iad_nano.facts import DefectFacts, Facts
from reason_iad_nano.questions import make_items
from reason_iad_nano.scene import Vocabulary, make_scene

_SHARES = (0.002, 0.01, 0.03, 0.1)


def made_up_facts(vocabulary: Vocabulary, families: tuple[str, ...], rng: random.Random) -> Facts:
    """Facts without a picture: enough for text."""
    defects = []
    if rng.random() < 0.6:
        kind = rng.choice(sorted(vocabulary.kinds))
        defects = [DefectFacts(kind, rng.choice(_SHARES), "major", rng.choice(PLACES))]
    empty = np.zeros(36, np.float32)
    return Facts(
        0, rng.choice(families), rng.choice(vocabulary.objects), tuple(defects), empty, empty, np.full(36, -1)
    )


def corpus(vocabulary: Vocabulary, families: tuple[str, ...], scenes: int = 6000) -> Iterator[str]:
    """Texts in about the shares in which the model meets them.

    Args:
        vocabulary: of the world.
        families: of the world.
        scenes: how many to write.
    """
    rng = random.Random("corpus")
    for _ in range(scenes):
        scene = make_scene(made_up_facts(vocabulary, families, rng), vocabulary, rng)
        yield from (knowledge_line(entry) + "\n" for entry in scene.entries)
        for item in make_items(scene, vocabulary, rng, 4):
            part = build_tail(item.question, latents=False)[0]
            assert isinstance(part, Data)
            yield part.text
            yield item.answer
    builtin = Path(knowledge.__file__).parent / "builtin"
    texts = [path.read_text(encoding="utf-8") for path in sorted(builtin.glob("*.md"))]
    letters = "\n".join(f"{letter}) {letter}" for letter in LETTERS)
    for _ in range(1000):  # every answer letter becomes one token
        yield letters
    for _ in range(20):
        yield from texts
        yield f"system\n{SYSTEM}\nuser\nassistant\n[knowledge]\n[/knowledge]\nPart: \nGood: \nInspected: \n"
