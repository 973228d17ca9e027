"""Products of parts that have a template, and their inspection: run as people run it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from tests.boards import board, save, spurred, template

from reason_iad.cli import main

GOOD = 6
"""Good boards, each of another pattern: enough for 20 % false alarms."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good boards with their templates, new boards with theirs, and a product that has learnt them."""
    root = tmp_path_factory.mktemp("boards")
    for pattern in range(GOOD):
        save(board(pattern, shift=(pattern % 5 - 2, pattern % 3 - 1)), root / "good" / f"{pattern}.png")
        save(template(pattern), root / "templates" / f"{pattern}.bmp")
    for name, pattern, picture in (
        ("a-good", 100, board(100, 1, shift=(3, -2))),
        ("b-spur", 101, spurred(101, 1)),
        ("c-other", 102, np.rot90(board(102, 1)).copy()),
        ("d-drawing", 103, template(103)),
    ):
        save(picture, root / "new" / f"{name}.png")
        save(template(pattern), root / "drawings" / f"{name}.bmp")
    run(root, "product", "create", "board", "--good", str(root / "good"), "--template", str(root / "templates"),
        "--resolution", "96", "--details", "off", "--false-alarms", "0.2")  # fmt: skip
    return root


def run(root: Path, *arguments: str, expect: int = 0) -> str:
    """The output of a command that has to end with this code."""
    found = CliRunner(env={"REASON_IAD_PRODUCTS": str(root / "products")}).invoke(main, arguments)
    assert found.exit_code == expect, found.output
    return found.output


def inspect(root: Path, *arguments: str, expect: int) -> str:
    return run(root, "inspect", *arguments, "--product", "board", "--method", "detect", expect=expect)


def test_each_part_is_compared_with_the_template_of_its_name(root: Path, tmp_path: Path) -> None:
    inspect(root, str(root / "new"), "--template", str(root / "drawings"), "--json", str(tmp_path / "out.jsonl"),
            "--report", str(tmp_path / "reports"), expect=1)  # fmt: skip
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["verdict"] for line in lines] == ["pass", "defect", "unjudged", "review"]
    fine, spur, other, same = lines
    assert fine["evidence"]["product"]["template"]["name"] == "a-good.bmp"
    box = spur["findings"][0]["box"]
    assert abs((box["x1"] + box["x2"]) / 2 - 92) < 4 and abs((box["y1"] + box["y2"]) / 2 - 84) < 4
    assert "differs from its template more than good parts do" in spur["explanation"]
    assert other["unjudged"] == "The picture does not look like its template."
    assert same["caution"] and same["evidence"]["product"]["nothing_compared"]
    assert len(json.dumps(fine["evidence"]["anomaly_map"])) < 50_000
    page = (tmp_path / "reports" / "b-spur.png.html").read_text()
    assert "Compared with its template &#39;b-spur.bmp&#39;" in page
    assert "Part and template" in page and "Difference from its template." in page
    assert "The defect may be larger" not in page, "the template shows where it ends"
    assert "finer look" not in page
    assert "The same place of its template." in page and "Good parts score about 0" not in page


def test_the_screen_says_what_was_compared(root: Path) -> None:
    said = inspect(root, str(root / "new" / "b-spur.png"), "--template", str(root / "drawings"), expect=1)
    assert said.startswith("DEFECT") and "with its template 'b-spur.bmp'" in said
    one = inspect(
        root, str(root / "new" / "b-spur.png"), "--template", str(root / "drawings" / "b-spur.bmp"), expect=1
    )
    assert "with its template 'b-spur.bmp'" in one


def test_without_moving_templates_a_part_that_lies_elsewhere_differs(root: Path) -> None:
    part = str(root / "new" / "a-good.png")
    inspect(root, part, "--template", str(root / "drawings"), expect=0)
    scores = root / "products" / "board" / ".cache" / "limits.json"
    before = scores.read_bytes()
    found = json.loads(inspect(root, part, "--template", str(root / "drawings"), "--no-align", "--json", "-",
                               "--quiet", expect=1))  # fmt: skip
    assert found["evidence"]["product"]["score"] > 50
    assert scores.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Each part of 'board' has its own template"),
        (("--template", "templates"), "has no template in"),
        (("--template", "nowhere"), "does not exist"),
    ],
)
def test_a_part_without_a_template_is_an_error_that_says_what_to_give(
    root: Path, arguments: tuple[str, ...], said: str
) -> None:
    given = [str(root / each) if not each.startswith("--") else each for each in arguments]
    output = inspect(root, str(root / "new"), *given, expect=2)
    assert said in " ".join(output.split())


def test_results_of_other_templates_are_not_gone_on_with(root: Path, tmp_path: Path) -> None:
    log, parts = tmp_path / "out.jsonl", [str(root / "new" / name) for name in ("a-good.png", "b-spur.png")]
    others = tmp_path / "others"
    inspect(root, parts[0], "--template", str(root / "drawings"), "--json", str(log), expect=0)
    before = log.read_bytes()
    save(template(100), others / "a-good.png")  # the same drawing in another file is another template
    save(template(101), others / "b-spur.png")
    common = ("--json", str(log), "--resume")
    said = inspect(root, *parts, "--template", str(others), *common, expect=2)
    assert "other templates: that of" in " ".join(said.split()) and "was 'a-good.bmp'" in " ".join(said.split())
    assert log.read_bytes() == before
    inspect(root, *parts, "--template", str(root / "drawings"), *common, expect=1)
    assert len(log.read_text().splitlines()) == 2


def test_a_template_without_a_product_is_an_error(root: Path) -> None:
    output = run(root, "inspect", str(root / "new"), "--template", str(root / "drawings"), expect=2)
    assert "--template belongs to --product" in output


def test_one_template_of_all_parts_is_used_without_an_option(root: Path, tmp_path: Path) -> None:
    for seed in range(GOOD):
        save(board(7, seed), tmp_path / "good" / f"{seed}.png")
    golden = str(save(template(7), tmp_path / "golden.png"))
    run(root, "product", "create", "single", "--good", str(tmp_path / "good"), "--template", golden,
        "--resolution", "96", "--details", "off", "--false-alarms", "0.2")  # fmt: skip
    bad, fine = (
        save(each, tmp_path / name) for each, name in ((spurred(7, 50), "bad.png"), (board(7, 51), "f.png"))
    )
    common = ("--product", "single", "--method", "detect")
    assert "golden" in run(root, "inspect", str(bad), *common, expect=1)
    run(root, "inspect", str(fine), *common, expect=0)
    shown = run(root, "product", "show", "single")
    assert "template of all parts" in shown and "golden-" in shown
    run(root, "product", "set", "single", "--template", "none")
    assert "template of all parts" not in run(root, "product", "show", "single")
    output = run(root, "inspect", str(bad), *common, "--template", golden, expect=2)
    assert "'single' has no templates" in output
    run(root, "product", "set", "single", "--template", golden)
    assert "Set the template of all parts" in run(root, "product", "history", "single")


def test_places_that_are_too_small_do_not_count(root: Path) -> None:
    part, drawings = str(root / "new" / "b-spur.png"), str(root / "drawings")
    run(root, "product", "set", "board", "--min-size", "16px")
    inspect(root, part, "--template", drawings, expect=0)
    run(root, "product", "undo", "board")
    inspect(root, part, "--template", drawings, expect=1)


def test_a_check_says_that_templates_decide(root: Path) -> None:
    said = run(root, "product", "check", "board")
    assert "Each part is compared with its own template." in said and "no defects are drawn" in said


def test_there_is_no_model_to_fit(root: Path) -> None:
    said = run(root, "product", "fit", "board", "--model", "fake", expect=2)
    assert "There is nothing to fit" in said


def test_good_boards_that_are_added_need_their_template(root: Path) -> None:
    said = run(root, "product", "add", "board", "--good", str(root / "new" / "a-good.png"), expect=2)
    assert "has no template, and others of the product have one" in " ".join(said.split())
    folder = str(root / "templates")
    said = run(root, "product", "add", "board", "--good", str(root / "new" / "a-good.png"), "--template", folder,
               expect=2)  # fmt: skip
    assert "has no template in" in " ".join(said.split())
    assert "each part has its own; 6 images with one" in run(root, "product", "show", "board")
