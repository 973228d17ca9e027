"""Drawn pairs as late fusion sees them: what the model says at both looks, the map, and the truth.

Every pair goes through the product's own inspection, in pictures of every size.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reason_iad.inspection.deciding import ask, ask_by_change, ask_closer
from reason_iad.inspection.intents import of_benchmark
from reason_iad.inspection.questions import Question, detection_question, place_question, type_question
from reason_iad.schema import PLACES
from reason_iad_nano.facts import Facts, facts_of
from reason_iad_nano.inspecting import open_case, scene_setup
from reason_iad_nano.pairs import Purpose, draw, kind_index
from reason_iad_nano.questions import how_much
from reason_iad_nano.scene import Scene, SceneOdds, make_scene
from reason_iad_nano.texts import world_vocabulary
from reason_iad_nano.world.types import Size

if TYPE_CHECKING:
    from reason_iad.backbones.base import Backbone
    from reason_iad.expert import AnomalyMap
    from reason_iad.inspection.deciding import Case

DRAWN_SIZES: tuple[Size, ...] = (168, 224, (168, 252), 336, 448, (336, 252))
"""Pixels of the drawn pictures, in turn: photographs come in every size and shape."""
REFERENCES = 4
"""References of the pairs that have several."""
TOLD = SceneOdds(knowledge=1.0, renamed=0.0, reference=1.0, category=0.0, shipped=0.0)
"""What is told of a part that is measured: knowledge under the usual names."""


def size_of_number(number: int) -> Size:
    """Pixels of the pictures of a pair."""
    return DRAWN_SIZES[number % len(DRAWN_SIZES)]


def drawn_scene(facts: Facts, rng: random.Random) -> Scene:
    """What is told of a part, under the usual names."""
    return make_scene(facts, world_vocabulary(), rng, TOLD)


def four_types(scene: Scene, rng: random.Random) -> tuple[Question, int] | None:
    """The product's type question with the true type among four; None if there are not so many."""
    present = {defect.kind for defect in scene.facts.defects}
    others = [kind for kind in scene.entry_kinds if kind is not None and kind not in present]
    if len(others) < 3:
        return None
    kinds = [scene.facts.main.kind, *rng.sample(others, 3)]
    rng.shuffle(kinds)
    return type_question([scene.name(kind) for kind in kinds]), kinds.index(scene.facts.main.kind)


@dataclass(frozen=True, slots=True)
class Types:
    """The model's probability of each of some types at both looks, and which is the true one.

    `described`: the same by what the pixels say changed; None where they say nothing.
    """

    model: tuple[float, ...]
    closer: tuple[float, ...]
    right: int
    described: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Places:
    """The model's probability of each of some places, which of the nine they are, and which of them is right."""

    model: tuple[float, ...]
    options: tuple[int, ...]
    right: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """The model's probability of each of four ranges of the image's share, their limits, and which is right."""

    model: tuple[float, ...]
    ranges: tuple[tuple[float, float], ...]
    right: int


@dataclass(frozen=True, slots=True)
class Weighable:
    """One pair as fusion sees it.

    Attributes:
        found: the map.
        defective: the truth.
        model, closer: the model's own probability of a defect, at both looks.
        places: of a defective part, asked with all nine and with four options.
        types: of a defective part whose knowledge lists four types or more, asked with four of them.
        named: of a defective part, asked with all types that its knowledge lists, as an inspection asks.
        sizes: of a defective part.
        size: the one of `SIZES` that the defect has.
    """

    found: AnomalyMap
    defective: bool
    model: float
    closer: float
    places: tuple[Places, ...] = ()
    types: Types | None = None
    named: Types | None = None
    sizes: Sizes | None = None
    size: str | None = None


def weighables(
    backbone: Backbone, purpose: Purpose, count: int, references: int, first: int = 0, family: str | None = None
) -> Iterator[Weighable]:
    """Pairs through the product's inspection, with the scene's knowledge and without the reasoning loop.

    Args:
        backbone: the model.
        purpose: which seeds.
        count: number of pairs.
        references: good pictures of each.
        first: number of the first pair.
        family: only of this one.
    """
    setup = scene_setup(backbone, fuse=False)
    for number in range(first, first + count):
        sample = draw(number, purpose, size_of_number(number), references, family=family)
        facts = facts_of(sample, kind_index())
        rng = random.Random(f"fusing/{purpose}/{number}")
        scene = drawn_scene(facts, rng)
        case = open_case(setup, sample, scene.entries)
        found = case.difference
        assert found is not None
        whether = detection_question()
        model, closer = _asked(case, whether)[0], ask_closer(case, whether)[0].probabilities["A"]
        if not facts.defective:
            yield Weighable(found, False, model, closer)
            continue
        right = PLACES.index(facts.main.place)
        taken = {PLACES.index(defect.place) for defect in facts.defects}
        four = [right, *rng.sample([place for place in range(len(PLACES)) if place not in taken], 3)]
        rng.shuffle(four)
        places = tuple(
            Places(_asked(case, _where(options)), options, options.index(right))
            for options in (tuple(range(len(PLACES))), tuple(four))
        )
        typed = four_types(scene, rng)
        types = None if typed is None else _all_looks(case, *typed)
        listed = [kind for kind in scene.entry_kinds if kind is not None]
        named = None
        if len(listed) > 1:
            question = type_question([scene.name(kind) for kind in listed])
            named = _all_looks(case, question, listed.index(facts.main.kind))
        asked = how_much(scene, rng)
        intent, known = of_benchmark(asked.question).intent, asked.correct
        assert intent is not None and intent.asks == "size" and known is not None
        sizes = Sizes(_asked(case, asked.question), intent.ranges, known)
        yield Weighable(found, True, model, closer, places, types, named, sizes, facts.main.size)


def _asked(case: Case, question: Question) -> tuple[float, ...]:
    """The model's own probability of each option."""
    return tuple(ask(case, question).answer.probabilities.values())


def _all_looks(case: Case, question: Question, right: int) -> Types:
    """The model's probabilities of the types: seeing the whole part, closer, and by what changed."""
    near, _ = ask_closer(case, question)
    read = ask_by_change(case, question)
    described = None if read is None else tuple(read[0].probabilities.values())
    return Types(_asked(case, question), tuple(near.probabilities.values()), right, described)


def _where(places: Sequence[int]) -> Question:
    """The product's question for the place, with these of the nine to choose from."""
    return replace(place_question(), options=tuple(PLACES[place] for place in places))
