"""Questions about a scene and their true answers, in the product's wording and in many others.

Every answer follows from the facts of the sample and from what the scene tells. Letters are balanced, because the
right option is put at a place drawn for it; only the product's own detection and place questions have a fixed
order.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reason_iad.nano import wording
from reason_iad.nano.explanation import explain_defect, explain_good
from reason_iad.nano.facts import SIZES
from reason_iad.nano.scene import Scene, Vocabulary
from reason_iad.nano.wording import GENERIC_NORMAL, KindText
from reason_iad.prompt import (
    LETTERS,
    NEUTRAL_QUESTION,
    Question,
    detection_question,
    explanation_question,
    place_question,
    type_question,
)
from reason_iad.schema import PLACES

LOOKUP_OPEN = 0.5
"""Share of the lookups that ask for a description in words; it is copied, token by token."""


@dataclass(frozen=True, slots=True)
class Item:
    """One question with its answer.

    Attributes:
        task: 'detection', 'type', 'place', 'object', 'size', 'count', 'why', 'cause', 'explanation', 'describe',
            'lookup' or 'normal'.
        question: as the product asks it.
        answer: the letter, or the text of an open answer.
        correct: index of the right option, None for open questions.
        option_kinds: the world's kind behind each option of a type question; empty otherwise.
    """

    task: str
    question: Question
    answer: str
    correct: int | None = None
    option_kinds: tuple[str | None, ...] = ()


def _choice(
    task: str, rng: random.Random, text: str, right: str, wrong: Sequence[str], style: Callable[[str], str] = str
) -> Item:
    """A question whose options are shuffled; the right one is at a place drawn evenly."""
    options = [style(option) for option in rng.sample(list(wrong), len(wrong))]
    place = rng.randrange(len(options) + 1)
    options.insert(place, style(right))
    return Item(task, Question(task, text, tuple(options)), LETTERS[place], place)


def _style(rng: random.Random) -> Callable[[str], str]:
    """How the options of one question are written."""
    return rng.choice(
        (str, str, lambda text: text[:1].upper() + text[1:] + ".", lambda text: text[:1].upper() + text[1:])
    )


def _fill(scene: Scene, rng: random.Random, templates: Sequence[str]) -> str:
    """One wording with the part named, if it may be."""
    return rng.choice(templates).format(part=scene.category or rng.choice(("part", "part", "object", "product")))


def detection(scene: Scene, rng: random.Random) -> Item:
    """Is there a defect? As the product asks it."""
    right = 0 if scene.facts.defective else 1
    return Item("detection", detection_question(), LETTERS[right], right)


def detection_varied(scene: Scene, rng: random.Random) -> Item:
    """Is there a defect? In other words, in any order, and asked the other way round."""
    negated = rng.random() < 0.25
    yes = scene.facts.defective != negated
    templates = wording.IS_GOOD if negated else wording.IS_DEFECTIVE
    right, wrong = ("Yes", "No") if yes else ("No", "Yes")
    return _choice("detection", rng, _fill(scene, rng, templates), right, [wrong], _style(rng))


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


def type_varied(scene: Scene, rng: random.Random) -> Item | None:
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
    style = _style(rng)
    options = tuple(style("no defect" if kind is None else scene.name(kind)) for kind in kinds)
    question = Question("type", _fill(scene, rng, wording.WHICH_TYPE), options)
    return Item("type", question, LETTERS[right], right, tuple(kinds))


def place_product(scene: Scene, rng: random.Random) -> Item:
    """In which of the nine parts? As the product asks it."""
    right = PLACES.index(scene.facts.main.place)
    return Item("place", place_question(), LETTERS[right], right)


def place_varied(scene: Scene, rng: random.Random) -> Item:
    """In which part? In other words, with four options."""
    taken = {defect.place for defect in scene.facts.defects}
    wrong = rng.sample([place for place in PLACES if place not in taken], 3)
    return _choice("place", rng, _fill(scene, rng, wording.WHICH_PLACE), scene.facts.main.place, wrong, _style(rng))


def object_varied(scene: Scene, rng: random.Random, objects: Sequence[str]) -> Item | None:
    """What is it? Asked where the prompt does not say so."""
    if scene.category is not None:
        return None
    wrong = [name for name in objects if name != scene.facts.object_name]
    wrong = rng.sample(wrong, min(3, len(wrong)))
    return _choice("object", rng, rng.choice(wording.WHICH_OBJECT), scene.facts.object_name, wrong, _style(rng))


def size_varied(scene: Scene, rng: random.Random) -> Item:
    """How large is the defect?"""
    wrong = [size for size in SIZES if size != scene.facts.main.size]
    return _choice("size", rng, _fill(scene, rng, wording.WHICH_SIZE), scene.facts.main.size, wrong, _style(rng))


def count_varied(scene: Scene, rng: random.Random) -> Item:
    """How many defects are there?"""
    right = str(min(len(scene.facts.defects), 4))
    wrong = [number for number in "01234" if number != right][: rng.choice((3, 4))]
    return _choice("count", rng, _fill(scene, rng, wording.HOW_MANY), right, wrong)


def reason_varied(scene: Scene, rng: random.Random, kinds: dict[str, KindText]) -> Item | None:
    """Why does it matter, or where does it come from?"""
    task = rng.choice(("why", "cause"))
    right: str = getattr(kinds[scene.facts.main.kind], task)
    present = {defect.kind for defect in scene.facts.defects}
    wrong = {
        text for kind, texts in kinds.items() if kind not in present and (text := getattr(texts, task)) != right
    }
    if len(wrong) < 3:
        return None
    templates = wording.WHY if task == "why" else wording.CAUSE
    return _choice(task, rng, _fill(scene, rng, templates), right, rng.sample(sorted(wrong), 3))


def normal_varied(scene: Scene, rng: random.Random, kinds: dict[str, KindText]) -> Item:
    """What should a good part look like? Among the looks of defects."""
    looks = sorted({rng.choice(texts.looks) for texts in kinds.values()})
    return _choice(
        "normal", rng, _fill(scene, rng, wording.WHICH_NORMAL), rng.choice(GENERIC_NORMAL), rng.sample(looks, 3)
    )


def explanation_text(scene: Scene, kinds: dict[str, KindText]) -> str:
    """The true explanation of a scene."""
    if not scene.facts.defective:
        return explain_good(scene.facts.object_name)
    main = scene.facts.main
    return explain_defect(scene.name(main.kind), main.place, main.size, kinds[main.kind].why)


def explanation(scene: Scene, rng: random.Random, kinds: dict[str, KindText]) -> Item:
    """What, where, why; as the product asks it."""
    return Item("explanation", explanation_question(), explanation_text(scene, kinds))


def describe(scene: Scene, rng: random.Random) -> Item:
    """What is seen? The neutral question of the attention correction, which gets a neutral answer."""
    return Item("describe", Question("describe", NEUTRAL_QUESTION), f"The image shows: {scene.facts.object_name}.")


def lookup(scene: Scene, rng: random.Random) -> Item | None:
    """What does the knowledge say? A description by its name, or a name by its description."""
    told = [(e, k) for e, k in zip(scene.entries, scene.entry_kinds, strict=True) if k is not None]
    if len(told) < 2:
        return None
    entry, kind = rng.choice(told)
    if rng.random() < LOOKUP_OPEN:
        text = rng.choice(wording.HOW_LOOKS).format(name=entry.name)
        return Item("lookup", Question("lookup", text), entry.text)
    rng.shuffle(told)
    text = rng.choice(wording.WHICH_LOOKS).format(look=entry.text)
    kinds = tuple(k for _, k in told)
    right = kinds.index(kind)
    return Item("lookup", Question("lookup", text, tuple(e.name for e, _ in told)), LETTERS[right], right, kinds)


def make_lookups(scene: Scene, rng: random.Random, count: int) -> list[Item]:
    """At most `count` different questions that the knowledge alone answers."""
    items: list[Item] = []
    for _ in range(3 * count):
        item = lookup(scene, rng)
        if item is not None and len(items) < count and not any(item.question == other.question for other in items):
            items.append(item)
    return items


def make_items(scene: Scene, vocabulary: Vocabulary, rng: random.Random, count: int) -> list[Item]:
    """Draw `count` questions about a scene; the product's own come more often than any other."""
    kinds, objects = vocabulary.kinds, vocabulary.objects
    makers: list[tuple[float, Callable[[], Item | None]]] = [
        (0.75, lambda: detection(scene, rng)),
        (0.55, lambda: detection_varied(scene, rng)),
        (0.55, lambda: type_varied(scene, rng)),
        (0.45, lambda: object_varied(scene, rng, objects)),
        (0.55, lambda: explanation(scene, rng, kinds)),
        (0.06, lambda: describe(scene, rng)),
        (0.15, lambda: normal_varied(scene, rng, kinds)),
        (1.0 if scene.renamed else 0.2, lambda: lookup(scene, rng)),
    ]
    if scene.facts.defective:
        makers += [
            (0.90, lambda: type_product(scene, rng)),
            (0.45, lambda: type_varied(scene, rng)),
            (0.70, lambda: place_product(scene, rng)),
            (0.60, lambda: place_varied(scene, rng)),
            (0.25, lambda: size_varied(scene, rng)),
            (0.12, lambda: count_varied(scene, rng)),
            (0.25, lambda: reason_varied(scene, rng, kinds)),
        ]
    # Weighted sampling without replacement (Efraimidis and Spirakis), then the rest once more if too few.
    keyed = sorted(makers, key=lambda maker: -(rng.random() ** (1 / maker[0])))
    items: list[Item] = []
    for _ in range(3):
        for _, make in keyed:
            if len(items) == count:
                return items
            item = make()
            if item is not None and not any(item.question == other.question for other in items):
                items.append(item)
    return items
