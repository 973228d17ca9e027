"""Questions about a scene and their true answers, in the product's wording and in many others.

Every answer follows from the facts of the sample and from what the scene tells. Letters are balanced, because the
right option is put at a place drawn for it; only the product's own detection and place questions have a fixed
order.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from reason_iad.inspection.questions import (
    LETTERS,
    NEUTRAL_QUESTION,
    Question,
    detection_question,
    explanation_question,
    place_question,
)
from reason_iad.schema import PLACES, SIZES
from reason_iad_nano import wording
from reason_iad_nano.explanation import explain_defect, explain_good
from reason_iad_nano.items import Item, choice, fill, option_style
from reason_iad_nano.scene import Scene, Vocabulary
from reason_iad_nano.type_questions import type_product, type_varied
from reason_iad_nano.wording import GENERIC_NORMAL, KindText

FOREIGN = 0.2
"""Share of the scenes whose wrong objects may be things that the world does not draw."""
LOOKUP_OPEN = 0.5
"""Share of the lookups that ask for a description in words; it is copied, token by token."""


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
    return choice("detection", rng, fill(scene, rng, templates), right, [wrong], option_style(rng))


def place_product(scene: Scene, rng: random.Random) -> Item:
    """In which of the nine parts? As the product asks it."""
    right = PLACES.index(scene.facts.main.place)
    return Item("place", place_question(), LETTERS[right], right)


def place_varied(scene: Scene, rng: random.Random) -> Item:
    """In which part? In other words, with four options."""
    taken = {defect.place for defect in scene.facts.defects}
    wrong = rng.sample([place for place in PLACES if place not in taken], 3)
    main = scene.facts.main
    text = fill(scene, rng, wording.WHICH_PLACE)
    if rng.random() < 0.25:
        text = fill(scene, rng, wording.WHICH_PLACE_OF).replace("[name]", scene.name(main.kind))
    return choice("place", rng, text, main.place, wrong, option_style(rng))


def object_varied(scene: Scene, rng: random.Random, objects: Sequence[str]) -> Item | None:
    """What is it? Asked where the prompt does not say so; now and then with phrases around the names."""
    if scene.category is not None:
        return None
    right = scene.facts.object_name
    wrong = rng.sample([name for name in objects if name != right], 3)
    style, phrase = option_style(rng), rng.choice(wording.OBJECT_PHRASES) if rng.random() < 0.4 else "{}"

    def written(name: str) -> str:
        return style(phrase.format(name, a="an" if name[0] in "aeiou" else "a"))

    return choice("object", rng, rng.choice(wording.WHICH_OBJECT), right, wrong, written)


def size_varied(scene: Scene, rng: random.Random) -> Item:
    """How large is the defect? In words or as a share of the image."""
    if rng.random() < 0.4:
        return how_much(scene, rng)
    wrong = [size for size in SIZES if size != scene.facts.main.size]
    return choice(
        "size", rng, fill(scene, rng, wording.WHICH_SIZE), scene.facts.main.size, wrong, option_style(rng)
    )


def how_much(scene: Scene, rng: random.Random) -> Item:
    """How much of the image do all defects cover? Four ranges, whose limits are drawn."""
    share = 100 * sum(defect.share for defect in scene.facts.defects)
    first = rng.choice((0.1, 0.2, 0.3, 0.5, 1))
    second, third = (round(first * factor, 1) for factor in rng.choice(((3, 10), (4, 20), (3, 30), (5, 25))))
    ranges = (
        f"less than {first:g} %",
        f"between {first:g} % and {second:g} %",
        f"between {second:g} % and {third:g} %",
        f"more than {third:g} %",
    )
    right = ranges[sum(share >= limit for limit in (first, second, third))]
    wrong = [text for text in ranges if text != right]
    return choice("size", rng, fill(scene, rng, wording.WHICH_SHARE), right, wrong, option_style(rng))


def count_varied(scene: Scene, rng: random.Random) -> Item:
    """How many defects are there?"""
    right = str(min(len(scene.facts.defects), 4))
    wrong = [number for number in "01234" if number != right][: rng.choice((3, 4))]
    return choice("count", rng, fill(scene, rng, wording.HOW_MANY), right, wrong)


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
    return choice(task, rng, fill(scene, rng, templates), right, rng.sample(sorted(wrong), 3))


def normal_varied(scene: Scene, rng: random.Random, kinds: dict[str, KindText]) -> Item:
    """What should a good part look like? Among the looks of defects."""
    looks = sorted({rng.choice(texts.looks) for texts in kinds.values()})
    return choice(
        "normal", rng, fill(scene, rng, wording.WHICH_NORMAL), rng.choice(GENERIC_NORMAL), rng.sample(looks, 3)
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
    if rng.random() < FOREIGN:
        objects = (*objects, *wording.OTHER_OBJECTS)
    makers: list[tuple[float, Callable[[], Item | None]]] = [
        (0.75, lambda: detection(scene, rng)),
        (0.55, lambda: detection_varied(scene, rng)),
        (0.55, lambda: type_varied(scene, rng, kinds)),
        (0.45, lambda: object_varied(scene, rng, objects)),
        (0.55, lambda: explanation(scene, rng, kinds)),
        (0.06, lambda: describe(scene, rng)),
        (0.15, lambda: normal_varied(scene, rng, kinds)),
        (1.0 if scene.renamed else 0.2, lambda: lookup(scene, rng)),
    ]
    if scene.facts.defective:
        makers += [
            (0.90, lambda: type_product(scene, rng)),
            (0.45, lambda: type_varied(scene, rng, kinds)),
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
