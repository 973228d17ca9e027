"""The tables of docs/results.md: what a model can do on images of the world that it has never seen.

Every answer is one pass over the product's own backbone, without the reasoning loop; `bench` measures that.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from reason_iad.inspection.questions import Question, detection_question, explanation_question
from reason_iad.schema import Entry
from reason_iad_nano.asking import Asked
from reason_iad_nano.explaining import add_explanations, tally_explanation
from reason_iad_nano.inspecting import scene_setup
from reason_iad_nano.metrics import auc
from reason_iad_nano.pairs import Purpose
from reason_iad_nano.questions import object_varied, place_varied, size_varied
from reason_iad_nano.scene import Scene, SceneOdds, make_scene
from reason_iad_nano.showing import INPUTS, Pairs
from reason_iad_nano.tables import Table, Tally
from reason_iad_nano.texts import world_vocabulary
from reason_iad_nano.weighables import REFERENCES, TOLD, four_types, weighables

if TYPE_CHECKING:
    from reason_iad.backbones.base import Backbone

RENAMED = SceneOdds(knowledge=1.0, renamed=1.0, reference=1.0, category=0.0, shipped=0.0)


def _right(asked: Asked, question: Question, correct: int) -> bool:
    """Types are asked in all orders, as an inspection does."""
    probabilities = asked.averaged(question) if question.key == "type" else asked.probabilities(question)
    return probabilities.index(max(probabilities)) == correct


def _detection(table: Table, name: str, scores: list[float], labels: list[bool]) -> None:
    """Append recall, specificity and AUC of the product's detection question."""
    tally = Tally()
    for score, label in zip(scores, labels, strict=True):
        tally.add(f"detection, {name}: {'defective' if label else 'good'} parts", (score >= 0.5) == label, 0.5)
    rows = tally.rows()
    table.rows.extend(rows)
    balanced = sum(row[1].value for row in rows) / max(len(rows), 1)
    table.notes.append(f"Detection, {name}: balanced accuracy {balanced:.3f}, AUROC {auc(scores, labels):.3f}.")


def inputs(backbone: Backbone, count: int) -> Table:
    """Detection for inputs of every form that the model was trained on, on the same new seeds."""
    table = Table(f"New seeds, other inputs ({count} pairs)")
    for name, how in INPUTS.items():
        scores, labels = [], []
        for _, facts, images in Pairs(backbone, "new", count, how):
            labels.append(facts.defective)
            scores.append(Asked(backbone, images, overlay=how.overlay).probabilities(detection_question())[0])
        _detection(table, name, scores, labels)
    return table


def new_seeds(backbone: Backbone, count: int) -> Table:
    """Detection, classification, localisation, object and explanations on new seeds, by the model alone."""
    table, tally = Table(f"New seeds, known families ({count} pairs)"), Tally()
    with_reference: list[float] = []
    without: list[float] = []
    labels: list[bool] = []
    plain: list[bool] = []
    vocabulary = world_vocabulary()
    for number, facts, images in Pairs(backbone, "new", count):
        rng = random.Random(f"evaluate/{number}")
        scene = make_scene(facts, vocabulary, rng, TOLD)
        asked = Asked(backbone, images, scene.entries)
        labels.append(facts.defective)
        with_reference.append(asked.probabilities(detection_question())[0])
        if not facts.featured:  # only a reference tells a mark of the design from a defect
            plain.append(facts.defective)
            without.append(Asked(backbone, images[1:], scene.entries).probabilities(detection_question())[0])
        item = object_varied(scene, rng, vocabulary.objects)
        if item is not None and item.correct is not None:
            tally.add("object, 4 options", _right(asked, item.question, item.correct), 0.25)
        if facts.defective:
            if (typed := four_types(scene, rng)) is not None:
                tally.add("classification, 4 options", _right(asked, *typed), 0.25)
            for label, item in (("localisation", place_varied(scene, rng)), ("size", size_varied(scene, rng))):
                assert item.correct is not None
                tally.add(f"{label}, 4 options", _right(asked, item.question, item.correct), 0.25)
        tally_explanation(tally, asked.text(explanation_question()), scene)
    _detection(table, "with reference", with_reference, labels)
    _detection(table, "without, plain designs", without, plain)
    table.rows.extend(tally.rows())
    return table


def held_out(backbone: Backbone, count: int) -> Table:
    """Detection on families that were never trained on."""
    table = Table(f"Families never trained on ({count} pairs)")
    with_reference: list[float] = []
    labels: list[bool] = []
    for _, facts, images in Pairs(backbone, "held_out", count):
        labels.append(facts.defective)
        with_reference.append(Asked(backbone, images).probabilities(detection_question())[0])
    _detection(table, "with reference", with_reference, labels)
    return table


def _misnamed(scene: Scene) -> tuple[Entry, ...]:
    """The same entries, every name moved on to the next description."""
    defects = [entry for entry in scene.entries if entry.kind == "defect"]
    moved = dict(zip([e.id for e in defects], [*defects[1:], defects[0]], strict=True))
    return tuple(
        entry.model_copy(update={"text": moved[entry.id].text}) if entry.id in moved else entry
        for entry in scene.entries
    )


def renamed(backbone: Backbone, count: int) -> Table:
    """Types with invented names: only the knowledge says what they mean."""
    table, tally = Table(f"Renamed defect types, 4 options ({count} pairs, the defective ones)"), Tally()
    vocabulary = world_vocabulary()
    for number, facts, images in Pairs(backbone, "new", count):
        if not facts.defective:
            continue
        rng = random.Random(f"renamed/{number}")
        scene = make_scene(facts, vocabulary, rng, RENAMED)
        typed = four_types(scene, rng)
        if typed is None:
            continue
        told: dict[str, tuple[Entry, ...]] = {"right": scene.entries, "no": (), "wrong": _misnamed(scene)}
        for name, entries in told.items():
            tally.add(f"{name} knowledge", _right(Asked(backbone, images, entries), *typed), 0.25)
    table.rows.extend(tally.rows())
    return table


def fused(backbone: Backbone, count: int) -> Table:
    """Detection, type and place through the product's inspection, by the model's first look alone and weighed.

    Pictures of every size, with the usual knowledge; `nano fuse` fitted the weights on other seeds.
    """
    table = Table(f"Weighed, as an inspection answers ({count} pairs each, 168 to 448 pixels, square or not)")
    fusion = scene_setup(backbone).fusion
    if fusion is None:
        table.notes.append("This model has no weights for the map; `reason-iad nano fuse` makes them.")
        return table
    groups: tuple[tuple[str, Purpose, int, str | None], ...] = (
        ("new seeds", "new", 1, None),
        (f"new seeds, {REFERENCES} references", "new", REFERENCES, None),
        ("families never trained on", "held_out", 1, None),
        ("boards", "new", 1, "pcb"),
    )
    for name, purpose, references, family in groups:
        pairs = list(weighables(backbone, purpose, count, references, family=family))
        labels = [pair.defective for pair in pairs]
        _detection(table, f"{name}, model alone", [pair.model for pair in pairs], labels)
        weighed = [fusion.probability(pair.model, pair.closer, pair.found) for pair in pairs]
        _detection(table, f"{name}, weighed", weighed, labels)
        tally = Tally()
        for pair in pairs:
            for place in pair.places:
                answers = place.model, fusion.places(place.model, pair.found, place.options)
                _compare(tally, f"localisation, {len(place.options)} options, {name}", answers, place.right)
            if (sizes := pair.sizes) is not None:
                answers = sizes.model, fusion.sizes(sizes.model, pair.found, sizes.ranges)
                _compare(tally, f"size, {len(sizes.ranges)} ranges, {name}", answers, sizes.right)
            if (types := pair.types) is not None:
                answers = types.model, fusion.types(types.model, types.closer, types.described)
                _compare(tally, f"classification, 4 options, {name}", answers, types.right)
        table.rows.extend(tally.rows())
        add_explanations(table, backbone, name, purpose, count, references, family)
    return table


def _compare(tally: Tally, name: str, answers: tuple[Sequence[float], Sequence[float]], right: int) -> None:
    """Count a question for the model alone and weighed."""
    for who, probabilities in zip(("model alone", "weighed"), answers, strict=True):
        chosen = max(range(len(probabilities)), key=lambda option: probabilities[option])
        tally.add(f"{name}, {who}", chosen == right, 1 / len(probabilities))


SPLITS: dict[str, Callable[[Backbone, int], Table]] = {
    "new": new_seeds,
    "held_out": held_out,
    "renamed": renamed,
    "inputs": inputs,
    "fused": fused,
}


def evaluate(model: str, splits: Sequence[str], count: int) -> list[Table]:
    """Measure a model.

    Args:
        model: 'nano', a directory or a hub id.
        splits: names of `SPLITS`.
        count: image pairs per split.

    Raises:
        ModelError: the model cannot be loaded.
    """
    from reason_iad.backbones.loading import load_backbone

    backbone = load_backbone(model)
    return [SPLITS[split](backbone, count) for split in splits]
