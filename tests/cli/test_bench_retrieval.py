from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image

from reason_iad.cli import main
from reason_iad_nano.world import make_sample


@pytest.fixture
def world(tmp_path: Path) -> tuple[Path, Path]:
    """Two categories of drawn parts in MMAD's layout, two normal templates and two query images each."""
    entries: dict[str, Any] = {}
    seeds: dict[str, list[int]] = {"wood": [], "gear": []}
    seed = 0
    while min(map(len, seeds.values())) < 4:
        family = make_sample(seed).family
        if family in seeds and len(seeds[family]) < 4:
            seeds[family].append(seed)
        seed += 1
    for family, numbers in seeds.items():
        folder = tmp_path / "set" / family / "good"
        folder.mkdir(parents=True)
        for place, number in enumerate(numbers):
            Image.fromarray(make_sample(number).references[0]).save(folder / f"{place}.png")
        for place in (2, 3):
            entries[f"set/{family}/good/{place}.png"] = {
                "image_path": f"{place}.png",
                "mask_path": None,
                "random_templates": [f"set/{family}/good/0.png", f"set/{family}/good/1.png"],
                "similar_templates": [f"set/{family}/good/0.png"],
                "conversation": [
                    {"Question": f"Is the {family} fine?", "Answer": "A", "Options": {"A": "Yes", "B": "No"},
                     "type": "Anomaly Detection", "annotation": True}
                ],
            }  # fmt: skip
    questions = tmp_path / "questions.json"
    questions.write_text(json.dumps(entries))
    return questions, tmp_path


def test_text_and_images_are_measured(world: tuple[Path, Path]) -> None:
    questions, images = world
    arguments = ["bench", "retrieval", "--questions", str(questions), "--images", str(images), "--by-image"]
    result = CliRunner().invoke(main, [*arguments, "--format", "json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["summary"]["category, question names it"]["at"]["1"] == 1.0
    assert found["summary"]["category, by image"]["count"] == 4
    assert {seen["image"] for seen in found["images"]} == {
        f"set/{f}/good/{n}.png" for f in ("wood", "gear") for n in (2, 3)
    }


def test_a_query_that_is_also_a_template_and_one_that_cannot_be_read_are_said(world: tuple[Path, Path]) -> None:
    questions, images = world
    (images / "set/wood/good/2.png").write_bytes((images / "set/wood/good/0.png").read_bytes())
    (images / "set/gear/good/3.png").write_bytes(b"no image")
    arguments = ["bench", "retrieval", "--questions", str(questions), "--images", str(images), "--by-image"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "| category, by image | 2 |" in result.stdout
    assert "among the templates: 1 images" in result.stdout
    assert "- set/gear/good/3.png: " in result.stdout


def test_made_up_questions_need_only_knowledge(tmp_path: Path) -> None:
    (tmp_path / "k.json").write_text(json.dumps({"S": {"cup": {"good": "White.", "crack": "A line."}}}))
    result = CliRunner().invoke(main, ["bench", "retrieval", "--knowledge", str(tmp_path / "k.json")])
    assert result.exit_code == 0, result.output
    assert "| category, question names it | 8 | 1.000 | 1.000 | 1.000 | 1.000 |" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--questions", "q.json"], "go together"),
        (["--by-image"], "needs images"),
        (["--name", "pcb"], "is not of the form A=B"),
    ],
)
def test_wrong_options_are_said_at_once(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(main, ["bench", "retrieval", *arguments])
    assert result.exit_code == 2
    assert message in result.stderr
