"""Evaluation runs on the product's path and counts what it should."""

from __future__ import annotations

import json
import random

import pytest
from click.testing import CliRunner

from reason_iad.backbones.loading import load_backbone
from reason_iad.inspection.questions import type_question
from reason_iad_nano.asking import Asked
from reason_iad_nano.evaluate import RENAMED, SPLITS, _misnamed, evaluate, inputs
from reason_iad_nano.package import package_model
from reason_iad_nano.scene import make_scene
from reason_iad_nano.showing import INPUTS, Pairs
from reason_iad_nano.tables import write_tables


@pytest.fixture(scope="module")
def folder(tmp_path_factory, model, tokenizer_folder):
    return package_model(model, tokenizer_folder, tmp_path_factory.mktemp("nano") / "model", 84, "card\n")


def test_tables_have_every_measure_with_its_interval(folder, tmp_path):
    tables = evaluate(str(folder), ("new", "held_out", "renamed"), 8)
    write_tables(tables, tmp_path)
    assert len(json.loads((tmp_path / "tables.json").read_text())) == 3
    text = (tmp_path / "tables.md").read_text()
    for name in (
        "classification, 4 options",
        "localisation",
        "object",
        "all three true",
        "wrong knowledge",
        "AUROC",
    ):
        assert name in text, name
    for table in tables:
        assert all(0 <= value.low <= value.value <= value.high <= 1 and value.total for _, value, _ in table.rows)


def test_every_form_of_input_is_shown_as_it_says(folder):
    backbone = load_backbone(str(folder))
    shown = {name: list(Pairs(backbone, "new", 6, how)) for name, how in INPUTS.items()}
    images = {name: {len(tokens) for _, _, tokens in pairs} for name, pairs in shown.items()}
    assert images["two references"] == images["a simulated map drawn on the query"] == {3}
    assert images["as above"] == {2}
    numbers = [
        sorted(number for number, _, _ in shown[f"reference {how}"]) for how in ("aligned", "shifted and turned")
    ]
    assert sorted(numbers[0] + numbers[1]) == list(range(6))
    table = inputs(backbone, 6)
    assert {name for name in INPUTS if any(f"detection, {name}:" in row[0] for row in table.rows)} >= {"as above"}


def test_wrong_knowledge_moves_every_name_to_another_description(facts, vocabulary):
    for number, fact in enumerate(facts[:20]):
        scene = make_scene(fact, vocabulary, random.Random(number), RENAMED)
        right = {entry.name: entry.text for entry in scene.entries if entry.kind == "defect"}
        wrong = {entry.name: entry.text for entry in _misnamed(scene) if entry.kind == "defect"}
        assert right.keys() == wrong.keys() and sorted(right.values()) == sorted(wrong.values())
        assert all(right[name] != wrong[name] for name in right)


def test_types_are_read_in_every_order_in_one_forward(folder):
    backbone = load_backbone(str(folder))
    _, _, images = next(iter(Pairs(backbone, "new", 1)))
    asked, names = Asked(backbone, images), ("scratch", "dent", "hole")
    turns = [asked.probabilities(type_question((*names[turn:], *names[:turn]))) for turn in range(3)]
    mean = [sum(turns[turn][(option - turn) % 3] for turn in range(3)) / 3 for option in range(3)]
    assert asked.averaged(type_question(names)) == pytest.approx(mean, abs=1e-5)


def test_packaging_keeps_the_card_and_leaves_nothing_behind(folder, model, tokenizer_folder):
    package_model(model, tokenizer_folder, folder, 84)
    assert (folder / "README.md").read_text() == "card\n"
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_the_command_line_trains_and_measures(folder, tmp_path):
    from reason_iad_nano.cli import nano

    runner = CliRunner()
    result = runner.invoke(nano, ["evaluate", "--model", str(folder), "--split", "held_out", "--n", "4"])
    assert result.exit_code == 0 and "never trained on" in result.output
    assert "--minutes" in runner.invoke(nano, ["train", "--help"]).output


def test_the_command_line_offers_every_table():
    from reason_iad_nano.cli import TABLES

    assert tuple(SPLITS) == TABLES
