"""The command line down to the fake backbone: everything is real but the model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
from click.testing import CliRunner

from reason_iad.cli import main
from reason_iad.cli.schema import schema_text
from reason_iad.schema import Reply

Make = Callable[..., Path]


def test_inspect_with_report_and_json(make_image: Make, tmp_path: Path) -> None:
    part, good = make_image("part.png", 120, 64), make_image("good.png", 121, 64)
    report, out = tmp_path / "out.html", tmp_path / "out.json"
    words = ["inspect", part, "--reference", good, "--category", "pcb", "--model", "fake", "--report", report]
    result = CliRunner().invoke(main, [*map(str, words), "--json", str(out), "--steps", "2"])
    assert result.exit_code in (0, 1), result.output
    content = json.loads(out.read_text())
    jsonschema.validate(content, json.loads(schema_text("inspection")))
    assert result.exit_code == (content["verdict"] == "defect")
    assert {step["step"] for step in content["evidence"]["answers"][0]["steps"]} <= {0, 1, 2}
    assert "part.png" in report.read_text()


def test_batch_with_a_folder_of_reports(make_image: Make, tmp_path: Path) -> None:
    folder = make_image("in/sub/b.png", 90, 64).parent.parent
    make_image("in/a.png", 120, 64)
    words = ["inspect", folder, "--model", "fake", "--method", "direct", "--report", tmp_path / "reports"]
    result = CliRunner().invoke(main, [*map(str, words), "--json", str(tmp_path / "out.jsonl"), "--seed", "1"])
    assert result.exit_code in (0, 1), result.output
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 2
    found = sorted(str(path.relative_to(tmp_path / "reports")) for path in (tmp_path / "reports").rglob("*.html"))
    assert found == ["a.png.html", "index.html", "sub/b.png.html"]


def test_ask(make_image: Make) -> None:
    part = str(make_image("part.png", 120, 64))
    words = ["ask", part, "Is it bright?", "--options", "yes", "no", "--model", "fake", "--json", "-"]
    reply = Reply.model_validate_json(CliRunner().invoke(main, words).stdout)
    assert abs(sum(reply.answer.probabilities.values()) - 1) < 1e-5


def test_knowledge_that_came_with_the_category_has_no_score(make_image: Make) -> None:
    part = str(make_image("part.png", 120, 64))
    words = ["ask", part, "Is it bright?", "--model", "fake", "--category", "leather"]
    shown = CliRunner().invoke(main, words).stdout
    assert "about leather" in shown and "0.00" not in shown


def test_unknown_category_names_the_mend(make_image: Make) -> None:
    words = ["inspect", str(make_image("part.png", 120, 64)), "--model", "fake", "--category", "no such thing"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert "no such thing" in result.stderr
    assert "Traceback" not in result.stderr


def test_of_a_folder_of_good_parts_it_says_how_many_were_used(make_image: Make, tmp_path: Path) -> None:
    part = make_image("part.png", 130, 64)
    for number in range(12):
        make_image(f"good/{number}.png", 112 + number, 64)
    words = ["inspect", part, "--reference", tmp_path / "good", "--model", "fake", "--method", "direct"]
    result = CliRunner().invoke(main, [*map(str, words), "--report", str(tmp_path / "out.html")])
    assert result.exit_code in (0, 1), result.output
    used = int(result.stdout.split("compared", 1)[1].split()[1])
    assert 1 <= used <= 8 and f"with {used} of 12 good parts" in result.stdout
    page = (tmp_path / "out.html").read_text()
    assert page.count('alt="The good part ') == used
    assert f"{used} of the 12 good parts that were given were used" in page


def test_known_parts_decide_on_the_real_command_line(make_image: Make, tmp_path: Path) -> None:
    """With a threshold of 1 all parts pass; with the one that good parts set, some of them are defects."""
    for number in range(12):
        make_image(f"good/{number}.png", 90 + number, 64)
    good, how = tmp_path / "good", ["--model", "fake", "--method", "direct", "--no-fuse", "--threshold", "1"]
    results, out = tmp_path / "good.jsonl", tmp_path / "out.jsonl"

    def inspected(*words: object) -> list[dict[str, Any]]:
        done = CliRunner().invoke(main, ["inspect", *map(str, words)])
        assert done.exit_code in (0, 1, 4), done.output
        path = words[words.index("--json") + 1]
        assert isinstance(path, Path)
        return [json.loads(line) for line in path.read_text().splitlines()]

    known = inspected(good, "--reference", good, "--json", results, *how)
    assert {line["verdict"] for line in known} == {"pass"}
    words = (good, "--reference", good, *how[:-2], "--good-results", results, "--false-alarms", "0.3")
    decided = inspected(*words, "--json", out)
    probabilities = sorted((line["probability"] for line in known), reverse=True)
    above = [line for line in decided if line["verdict"] == "defect"]
    assert len(above) == sum(p > probabilities[2] for p in probabilities)  # floor(0.3 * 13) = 3: the third passes
    for line in decided:
        jsonschema.validate(line, json.loads(schema_text("inspection")))
        assert line["operating_point"]["good_parts"] == 12 and line["threshold"] > probabilities[2]


def test_parts_inspected_at_the_same_time_have_the_same_results(make_image: Make) -> None:
    parts = [str(make_image(f"{number}.png", 90 + 20 * number, 64)) for number in range(4)]
    good = str(make_image("good.png", 91, 64))

    def results(*words: str) -> list[dict[str, Any]]:
        command = ["inspect", *parts, "--reference", good, "--model", "fake", "--steps", "2", "--json", "-"]
        done = CliRunner().invoke(main, [*command, *words])
        assert done.exit_code in (0, 1), done.output
        return [{**json.loads(line), "timings_ms": None} for line in done.stdout.splitlines()]

    assert results("--jobs", "2") == results()
