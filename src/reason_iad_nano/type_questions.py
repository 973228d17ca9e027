"""Which type of defect? As the product asks it, in other words, and with options that say what they mean."""

from __future__ import annotations

import random
from collections.abc import Callable

from reason_iad.inspection.questions import LETTERS, Question, type_question
from reason_iad_nano import wording
from reason_iad_nano.items import Item, fill, option_style, sentence
from reason_iad_nano.scene import Scene
from reason_iad_nano.wording import GENERIC_NORMAL, KindText

DESCRIBED = 0.35
"""Share of the questions in other words whose options describe the types, as benchmarks often do."""
PLACED = 0.2
"""Share of the questions about a defective part that say where to look."""
NO_DEFECT = "no defect"
ALIKE = (
    {"chip", "break", "missing tooth"},
    {"missing part", "missing tooth", "missing wire", "misprint", "hole"},
    {"color", "stain", "uneven", "burn"},
    {"wrong part", "misplaced part"},
)
"""Kinds whose descriptions may be true of each other; they are told apart by name only."""


def type_product(scene: Scene, rng: random.Random) -> Item | None:
    """Which of the known types? As the product asks it: all names of the knowledge, in its order."""
    kinds = [kind for kind in scene.entry_kinds if kind is not None]
    if rng.random() < 0.3:
        rng.shuffle(kinds)
    main = scene.facts.main.kind
    kinds = [kind for kind in kinds if kind == main or kind not in {d.kind for d in scene.facts.defects}]
    if len(kinds) < 2 or main not in kinds:
        return None
    right = kinds.index(main)
    names = [scene.name(kind) for kind in kinds]
    return Item("type", type_question(names), LETTERS[right], right, tuple(kinds))


def type_varied(scene: Scene, rng: random.Random, texts: dict[str, KindText]) -> Item | None:
    """Which type? In other words, with two to six options, one of which may be 'no defect'."""
    present = {defect.kind for defect in scene.facts.defects}
    others = [kind for kind in scene.names if kind not in present]
    rng.shuffle(others)
    others = others[: rng.choice((1, 2, 3, 3, 3, 4, 5))]
    if not others:
        return None
    none = not scene.facts.defective or rng.random() < 0.2
    kinds: list[str | None] = [*others, *([scene.facts.main.kind] if present else []), *([None] if none else [])]
    rng.shuffle(kinds)
    right = kinds.index(scene.facts.main.kind if present else None)
    describe = rng.random() < DESCRIBED and not any(len(set(kinds) & alike) > 1 for alike in ALIKE)
    written = _described(scene, rng, texts) if describe else _named(scene, rng)
    question = Question("type", _asked(scene, rng), tuple(written(kind) for kind in kinds))
    return Item("type", question, LETTERS[right], right, tuple(kinds))


def _asked(scene: Scene, rng: random.Random) -> str:
    """The question; now and then it says where the defect is, which is true of the main one."""
    if scene.facts.defective and rng.random() < PLACED:
        return fill(scene, rng, wording.WHICH_TYPE_AT).replace("[place]", scene.facts.main.place)
    known = wording.WHICH_TYPE_OF_DEFECT if scene.facts.defective else ()
    return fill(scene, rng, (*wording.WHICH_TYPE, *known))


def _named(scene: Scene, rng: random.Random) -> Callable[[str | None], str]:
    """Options that are names."""
    style = option_style(rng)
    return lambda kind: style(NO_DEFECT if kind is None else scene.name(kind))


def _described(scene: Scene, rng: random.Random, texts: dict[str, KindText]) -> Callable[[str | None], str]:
    """Options that say what they mean: 'Name: its look.', or the look alone."""
    alone = rng.random() < 0.25
    normal = GENERIC_NORMAL[:1] if scene.facts.featured else GENERIC_NORMAL  # marks of the design are in order
    joint = rng.choice((": ", ": ", " - ", ", that is: "))

    def written(kind: str | None) -> str:
        name = NO_DEFECT if kind is None else scene.name(kind)
        look = rng.choice(normal if kind is None else texts[kind].looks)
        return look if alone else sentence(f"{name}{joint}{look[:1].lower()}{look[1:]}")

    return written
