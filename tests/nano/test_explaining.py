"""Which explanations count as true: every fact they state, and no other."""

from __future__ import annotations

import random

import pytest

from reason_iad_nano import explaining
from reason_iad_nano.explaining import add_explanations, tally_explanation
from reason_iad_nano.explanation import Stated, explain_defect, explain_good, read_explanation
from reason_iad_nano.scene import make_scene
from reason_iad_nano.tables import Table, Tally
from reason_iad_nano.weighables import TOLD


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        ("Defect: dent at center, tiny. It leaks.", Stated(True, ("dent",), ("center",), ("tiny",), "It leaks.")),
        (
            "Defect: dent or hole at top left or center, tiny, small or medium.",
            Stated(True, ("dent", "hole"), ("top left", "center"), ("tiny", "small", "medium")),
        ),
        ("Defect: dent at center.", Stated(True, ("dent",), ("center",))),
        ("Defect: dent, tiny. Why.", Stated(True, ("dent",), (), ("tiny",), "Why.")),
        ("Defect: type not clear at center. A. B at top.", Stated(True, (), ("center",), (), "A. B at top.")),
        ("Defect: dent", None),
        ("A defect.", None),
    ],
)  # fmt: skip
def test_what_an_explanation_states_is_read(text: str, stated: Stated | None) -> None:
    assert read_explanation(text) == stated


@pytest.fixture
def told(facts, vocabulary):
    """A scene about a defective part, and one about a good part."""
    scenes = [make_scene(fact, vocabulary, random.Random(number), TOLD) for number, fact in enumerate(facts)]
    return next(s for s in scenes if s.facts.defective), next(s for s in scenes if not s.facts.defective)


def values(tally: Tally) -> dict[str, float]:
    return {name: value.value for name, value, _ in tally.rows()}


def test_a_model_alone_has_to_state_every_fact(told) -> None:
    scene, _ = told
    main, name = scene.facts.main, scene.name(scene.facts.main.kind)
    for text, all_true in (
        (explain_defect(name, main.place, main.size, ""), 1.0),
        (f"Defect: {name} at {main.place}.", 0.0),
        (f"Defect: {name} or wart at {main.place}, {main.size}.", 1.0),
        (f"Defect: wart or {name} at {main.place}, {main.size}.", 0.0),
        (explain_good("part"), 0.0),
    ):
        tally = Tally()
        tally_explanation(tally, text, scene)
        assert values(tally)["explanation of a defect: all three true"] == all_true, text


def test_an_inspection_is_held_to_what_it_states(monkeypatch, told) -> None:
    scene, good = told
    main, name = scene.facts.main, scene.name(scene.facts.main.kind)
    texts = {
        f"Defect: {name} or wart at {main.place}.": (1.0, "type stated in 100%, with one name in 0%, 2.00 names"),
        f"Defect: type not clear at {main.place}, {main.size}.": (1.0, "type stated in 0%"),
        f"Defect: wart at {main.place}, {main.size}.": (0.0, "size stated in 100%, with one name in 100%"),
        explain_good("part"): (0.0, "type stated in 0%"),
        "Something.": (0.0, "type stated in 0%"),
    }
    monkeypatch.setattr(explaining, "scene_setup", lambda backbone: None)
    monkeypatch.setattr(explaining, "draw", lambda *args, **more: None)
    monkeypatch.setattr(explaining, "facts_of", lambda *args: None)
    for text, (true, told_how) in texts.items():
        for one, row in ((scene, "defective parts"), (good, "good parts")):
            monkeypatch.setattr(explaining, "drawn_scene", lambda *args, one=one: one)
            monkeypatch.setattr(explaining, "inspected", lambda *args, text=text: text)
            table = Table("t")
            add_explanations(table, None, "new", "new", 1, 1)
            value = {name: value.value for name, value, _ in table.rows}[
                f"explanation, new: every stated fact true, {row}"
            ]
            if one is scene:
                assert value == true, text
                assert told_how in table.notes[0]
            else:
                assert value == float(text.startswith("No defect found")), text
