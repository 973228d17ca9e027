"""The tables of the model card: what a model can do on images of the world that it has never seen.

Every answer is one pass over the product's own backbone, without the reasoning loop; `bench` measures that.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from reason_iad.config import InspectorConfig
from reason_iad.images import load_image
from reason_iad.nano.asking import Asked
from reason_iad.nano.explanation import read_explanation
from reason_iad.nano.fusing import REFERENCES, weighables
from reason_iad.nano.metrics import auc
from reason_iad.nano.pairs import Purpose, draw
from reason_iad.nano.questions import object_varied, place_varied, size_varied
from reason_iad.nano.scene import Scene, SceneOdds, make_scene
from reason_iad.nano.showing import INPUTS, Pairs, Shown
from reason_iad.nano.tables import Table, Tally
from reason_iad.nano.texts import world_vocabulary
from reason_iad.prompt import (
    Question,
    detection_question,
    explanation_opening,
    explanation_question,
    place_question,
    type_question,
)
from reason_iad.registration import register
from reason_iad.schema import PLACES, Entry
from reason_iad.workbench import Workbench

if TYPE_CHECKING:
    from reason_iad.backbones.base import Backbone

TOLD = SceneOdds(knowledge=1.0, renamed=0.0, reference=1.0, category=0.0, shipped=0.0)
RENAMED = SceneOdds(knowledge=1.0, renamed=1.0, reference=1.0, category=0.0, shipped=0.0)


def _right(asked: Asked, question: Question, correct: int) -> bool:
    """Types are asked in all orders, as an inspection does."""
    probabilities = asked.averaged(question) if question.key == "type" else asked.probabilities(question)
    return probabilities.index(max(probabilities)) == correct


def _four_types(scene: Scene, rng: random.Random) -> tuple[Question, int] | None:
    """The product's type question with the true type among four; None if there are not so many."""
    present = {defect.kind for defect in scene.facts.defects}
    others = [kind for kind in scene.entry_kinds if kind is not None and kind not in present]
    if len(others) < 3:
        return None
    kinds = [scene.facts.main.kind, *rng.sample(others, 3)]
    rng.shuffle(kinds)
    return type_question([scene.name(kind) for kind in kinds]), kinds.index(scene.facts.main.kind)


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
    """Detection, classification, localisation, object and explanations on new seeds of known families.

    All but one by the model alone: explanations are also written as an inspection writes them, which asks for
    verdict, type and place first, with the reference laid as the part lies, weighs the map, and has the text begin
    with what it found.
    """
    table, tally = Table(f"New seeds, known families ({count} pairs)"), Tally()
    with_reference: list[float] = []
    without: list[float] = []
    labels: list[bool] = []
    plain: list[bool] = []
    vocabulary, bench = world_vocabulary(), _bench(backbone)
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
            if (typed := _four_types(scene, rng)) is not None:
                tally.add("classification, 4 options", _right(asked, *typed), 0.25)
            for label, item in (("localisation", place_varied(scene, rng)), ("size", size_varied(scene, rng))):
                assert item.correct is not None
                tally.add(f"{label}, 4 options", _right(asked, item.question, item.correct), 0.25)
        _explanation(tally, "explanation", asked.text(explanation_question()), scene)
        _explanation(tally, "explanation by an inspection", _inspected(bench, scene, number), scene)
    _detection(table, "with reference", with_reference, labels)
    _detection(table, "without, plain designs", without, plain)
    table.rows.extend(tally.rows())
    return table


def _bench(backbone: Backbone) -> Workbench:
    """The tools of an inspection without knowledge; they hold the model's weights for the map, if it has any."""
    return Workbench(backbone, None, InspectorConfig(method="direct"), None)


def _inspected(bench: Workbench, scene: Scene, number: int) -> str:
    """The explanation of a pair of new seeds as an inspection writes it: reference laid alike, map weighed."""
    from PIL import Image

    sample = draw(number, "new", Shown().size)
    query, reference = (load_image(Image.fromarray(pixels)) for pixels in (sample.query, sample.references[0]))
    found = register(reference.pixels, query.pixels)
    moved = {} if found is None else {reference.sha256: found[0]}
    tokens = bench.embed(reference, moved.get(reference.sha256))
    asked = Asked(bench.local, [tokens, bench.embed_query(query)], scene.entries)
    defect = asked.probabilities(detection_question())[0]
    places = asked.probabilities(place_question())
    if bench.fusion is not None:
        seen = bench.expert([reference], moved).inspect(bench.local.patch_features(query.pixels))
        defect, places = bench.fusion.probability(defect, seen), bench.fusion.places(places, seen)
    if defect < bench.config.threshold:
        return asked.text(explanation_question(explanation_opening(False, None, None)))
    names = [entry.name for entry in scene.entries if entry.kind == "defect"]
    types = asked.averaged(type_question(names)) if len(names) > 1 else [1.0]
    kind, place = names[types.index(max(types))], PLACES[places.index(max(places))]
    return asked.text(explanation_question(explanation_opening(True, kind, place)))


def _explanation(tally: Tally, how: str, text: str, scene: Scene) -> None:
    """Count which stated facts are true."""
    stated = read_explanation(text)
    facts = scene.facts
    if not facts.defective:
        tally.add(f"{how} of a good part says so", stated is not None and stated.name is None, 0.5)
        return
    main = facts.main
    found = stated is not None and stated.name is not None
    true = {
        "type": found and stated is not None and stated.name == scene.name(main.kind),
        "place": found and stated is not None and stated.place == main.place,
        "size": found and stated is not None and stated.size == main.size,
    }
    for name, hit in true.items():
        tally.add(f"{how} of a defect: {name} true", hit, 0.0)
    tally.add(f"{how} of a defect: all three true", all(true.values()), 0.0)


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
        typed = _four_types(scene, rng)
        if typed is None:
            continue
        told: dict[str, tuple[Entry, ...]] = {"right": scene.entries, "no": (), "wrong": _misnamed(scene)}
        for name, entries in told.items():
            tally.add(f"{name} knowledge", _right(Asked(backbone, images, entries), *typed), 0.25)
    table.rows.extend(tally.rows())
    return table


def fused(backbone: Backbone, count: int) -> Table:
    """Detection and place through the product's inspection, by the model alone and weighed with the map.

    Pictures of every size, without knowledge; `nano fuse` fitted the weights on other seeds.
    """
    table, fusion = (
        Table(f"Model and map ({count} pairs each, 168 to 448 pixels, square or not)"),
        _bench(backbone).fusion,
    )
    if fusion is None:
        table.notes.append("This model has no weights for the map; `reason-iad nano fuse` makes them.")
        return table
    groups: tuple[tuple[str, Purpose, int], ...] = (
        ("new seeds", "new", 1),
        (f"new seeds, {REFERENCES} references", "new", REFERENCES),
        ("families never trained on", "held_out", 1),
    )
    for name, purpose, references in groups:
        pairs = list(weighables(backbone, purpose, count, references))
        labels = [pair.defective for pair in pairs]
        _detection(table, f"{name}, model alone", [pair.model for pair in pairs], labels)
        _detection(table, f"{name}, weighed", [fusion.probability(p.model, p.found) for p in pairs], labels)
        tally = Tally()
        for pair in pairs:
            if pair.places is not None:
                weighed = fusion.places(pair.places, pair.found)
                for who, places in (("model alone", pair.places), ("weighed", weighed)):
                    tally.add(f"place of nine, {name}, {who}", places.index(max(places)) == pair.place, 1 / 9)
        table.rows.extend(tally.rows())
    return table


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
