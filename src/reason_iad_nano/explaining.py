"""How many explanations are true in every fact they state, written by the model alone and by an inspection."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

from reason_iad.inspection.deciding import decide
from reason_iad.inspection.explaining import explain
from reason_iad.inspection.findings import find_defect
from reason_iad.inspection.questions import detection_question
from reason_iad_nano.explanation import Stated, read_explanation
from reason_iad_nano.facts import facts_of
from reason_iad_nano.inspecting import open_case, scene_setup
from reason_iad_nano.pairs import Purpose, draw, kind_index
from reason_iad_nano.tables import Table, Tally
from reason_iad_nano.weighables import drawn_scene, size_of_number

if TYPE_CHECKING:
    from reason_iad.backbones.base import Backbone
    from reason_iad.inspection.setup import Setup
    from reason_iad_nano.scene import Scene
    from reason_iad_nano.world import Sample


def tally_explanation(tally: Tally, text: str, scene: Scene) -> None:
    """Count which facts are true in what a model wrote by itself; what it does not state is not."""
    stated = read_explanation(text)
    if not scene.facts.defective:
        tally.add("explanation of a good part says so", stated is not None and not stated.defect, 0.5)
        return
    true = {fact: names[:1] == (right,) for fact, names, right in _facts(stated, scene)}
    for fact, hit in true.items():
        tally.add(f"explanation of a defect: {fact} true", hit, 0.0)
    tally.add("explanation of a defect: all three true", all(true.values()), 0.0)


def inspected(setup: Setup, sample: Sample, scene: Scene) -> str:
    """The explanation as an inspection writes it: verdict, type, place and size come first."""
    case = open_case(setup, sample, scene.entries)
    probability = decide(case, detection_question()).answer.probabilities["A"]
    if probability < setup.config.threshold:
        return explain(case, "pass", None).text
    return explain(case, "defect", find_defect(case)).text


def add_explanations(
    table: Table,
    backbone: Backbone,
    name: str,
    purpose: Purpose,
    count: int,
    references: int,
    family: str | None = None,
) -> None:
    """Append how many of an inspection's explanations are true in every fact they state, and how much they state.

    Args:
        table: to append to.
        backbone: the model, with its weights for what differs.
        name: of the pairs.
        purpose, count, references, family: which pairs.
    """
    setup, tally = scene_setup(backbone), Tally()
    told: dict[str, list[int]] = {"type": [], "place": [], "size": []}
    for number in range(count):
        sample = draw(number, purpose, size_of_number(number), references, family=family)
        rng = random.Random(f"explaining/{purpose}/{number}")
        scene = drawn_scene(facts_of(sample, kind_index()), rng)
        stated = read_explanation(inspected(setup, sample, scene))
        whole = f"explanation, {name}: every stated fact true"
        if not scene.facts.defective:
            tally.add(f"{whole}, good parts", stated is not None and not stated.defect, 0.0)
            continue
        found = stated is not None and stated.defect
        facts = _facts(stated, scene)
        tally.add(f"{whole}, defective parts", found and all(not n or right in n for _, n, right in facts), 0.0)
        if not found:
            continue
        for fact, names, right in facts:
            told[fact].append(len(names))
            if names:
                tally.add(f"explanation, {name}: {fact} true, where stated", right in names, 0.0)
                tally.add(f"explanation, {name}: the first {fact} true, where stated", names[0] == right, 0.0)
    rows = tally.rows()
    table.rows.extend(rows)
    table.notes.append(f"Explanations, {name}, of defects that are found: " + _how_much(told) + ".")


def _facts(stated: Stated | None, scene: Scene) -> list[tuple[str, Sequence[str], str]]:
    """Each fact of a defect with the names that are stated, and the right one."""
    said, main = stated or Stated(False), scene.facts.main
    return [
        ("type", said.names, scene.name(main.kind)),
        ("place", said.places, main.place),
        ("size", said.sizes, main.size),
    ]


def _how_much(told: dict[str, list[int]]) -> str:
    """How often each fact is stated, and with how many names."""
    parts = []
    for fact, counts in told.items():
        stated = [count for count in counts if count]
        mean = sum(stated) / max(len(stated), 1)
        alone = sum(count == 1 for count in stated) / max(len(counts), 1)
        share = len(stated) / max(len(counts), 1)
        parts.append(f"{fact} stated in {share:.0%}, with one name in {alone:.0%}, {mean:.2f} names on average")
    return "; ".join(parts)
