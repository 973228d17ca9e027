"""`inspect` with a product, and without a language model: run as people run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from tests.parts import plate, save, scratched

from reason_iad.cli import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good images, new parts, and a product that has learnt them."""
    root = tmp_path_factory.mktemp("product")
    for name in ("good", "new"):
        (root / name).mkdir()
    for seed in range(20):
        save(plate(seed), root / "good" / f"{seed}.png")
    save(plate(100), root / "new" / "a-good.png")
    save(scratched(101), root / "new" / "b-scratched.png")
    save(np.zeros((96, 128, 3), np.uint8), root / "new" / "c-black.png")
    run(root, "product", "create", "plate", "--good", str(root / "good"), "--resolution", "128")
    return root


def run(root: Path, *arguments: str, expect: int = 0) -> str:
    """The output of a command that has to end with this code."""
    found = CliRunner(env={"REASON_IAD_PRODUCTS": str(root / "products")}).invoke(main, arguments)
    assert found.exit_code == expect, found.output
    return found.output


def test_a_folder_of_parts_with_a_product_and_no_model(folder: Path, tmp_path: Path) -> None:
    said = run(folder, "inspect", str(folder / "new"), "--product", "plate", "--model", "none",
               "--json", str(tmp_path / "out.jsonl"), "--report", str(tmp_path / "reports"), expect=1)  # fmt: skip
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["verdict"] for line in lines] == ["pass", "defect", "unjudged"]
    assert lines[2]["unjudged"] and lines[0]["unjudged"] is None
    assert "1 that cannot be judged" in said
    assert (tmp_path / "reports" / "index.html").is_file()
    assert "Cannot be judged" in (tmp_path / "reports" / "c-black.png.html").read_text()


def test_a_report_says_no_more_than_the_comparison_knows(folder: Path, tmp_path: Path) -> None:
    said = run(folder, "inspect", str(folder / "new"), "--product", "plate", "--method", "detect", "--no-remember",
               "--report", str(tmp_path), expect=1)  # fmt: skip
    fine, bad, black = (
        (tmp_path / f"{name}.png.html").read_text() for name in ("a-good", "b-scratched", "c-black")
    )
    assert said
    assert "The difference from the good images is within the limit: score " in fine
    assert "no more than good parts" not in fine, "its score may be far above theirs"
    assert "At a finer look it differs most at the" in bad and "which may point elsewhere" in bad
    assert "It marks the clearest spot. The defect may be larger." in bad and "Tiny." not in bad
    assert "differs clearly" not in bad and "differ clearly" not in bad, "others are found by their share of it"
    assert "Good parts score about 0." in bad
    assert "finer look" not in fine + black, "nothing is marked"
    first = black[black.index('id="what"') : black.index("A closer look")]
    assert first.count("darker") == 1, "the reason is said once"


NEVER = (
    "filelock", "jinja2", "lancedb", "markdown_it", "pandas", "pyarrow", "rich", "sympy",
    "tokenizers", "transformers", "yaml", "reason_iad.inspection.deciding", "reason_iad.knowledge",
)  # fmt: skip
"""What only language models, knowledge, writing and reports need."""


def test_it_starts_without_what_only_a_model_needs(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    for seed in range(3):
        save(plate(seed), tmp_path / "good" / f"{seed}.png")
    save(scratched(101), tmp_path / "part.png")
    run(tmp_path, "product", "create", "few", "--good", str(tmp_path / "good"), "--resolution", "128")
    code = (
        "import sys; from reason_iad.cli import main\n"
        "never = sys.argv.pop().split()\n"
        "try: main()\n"
        "except SystemExit as end: print('LOADED', end.code, *({*never} & sys.modules.keys()))\n"
    )
    words = ("inspect", str(tmp_path / "part.png"), "--product", "few", "--method", "detect", "--no-remember")
    done = subprocess.run(
        [sys.executable, "-c", code, *words, " ".join(NEVER)],
        env={**os.environ, "REASON_IAD_PRODUCTS": str(tmp_path / "products")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("NEEDS A PERSON")
    assert done.stdout.splitlines()[-1] == "LOADED 4"


def test_exit_codes_rank_failed_defect_unjudged_review_pass(folder: Path, tmp_path: Path) -> None:
    common = ("--product", "plate", "--method", "detect")
    new = folder / "new"
    run(folder, "inspect", str(new / "a-good.png"), *common, expect=0)
    run(folder, "inspect", str(new / "c-black.png"), *common, expect=5)
    run(folder, "inspect", str(new / "a-good.png"), str(new / "c-black.png"), *common, expect=5)
    run(folder, "inspect", str(new), *common, expect=1)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    run(folder, "inspect", str(new / "b-scratched.png"), str(tmp_path / "broken.png"), *common, expect=3)


def test_the_screen_says_score_limit_and_what_is_promised(folder: Path) -> None:
    said = run(folder, "inspect", str(folder / "new" / "b-scratched.png"), "--product", "plate",
               "--method", "detect", expect=1)  # fmt: skip
    assert said.startswith("DEFECT") and "(score " in said and "limit" in said
    assert "at most 5 % of good parts are called defective" in said
    assert "20 good images of plate" in said


def test_a_picture_that_cannot_be_judged_is_never_a_pass_on_the_screen(folder: Path) -> None:
    said = run(folder, "inspect", str(folder / "new" / "c-black.png"), "--product", "plate",
               "--method", "detect", expect=5)  # fmt: skip
    assert said.startswith("CANNOT BE JUDGED") and "darker" in said and "PASS" not in said


def test_good_images_without_a_product_are_learnt_once(folder: Path, own_cache: Path) -> None:
    command = ("inspect", str(folder / "new" / "b-scratched.png"), "--reference", str(folder / "good"),
               "--method", "detect", "--json", "-")  # fmt: skip
    first = json.loads(run(folder, *command, expect=1).partition("DEFECT")[0])
    kept = {path: path.stat().st_mtime_ns for path in own_cache.rglob("expert.json")}
    again = json.loads(run(folder, *command, expect=1).partition("DEFECT")[0])
    assert kept == {path: path.stat().st_mtime_ns for path in own_cache.rglob("expert.json")}
    assert first["evidence"]["product"]["score"] == pytest.approx(again["evidence"]["product"]["score"], abs=1e-4)
    assert first["evidence"]["product"]["name"] == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--product", "plate", "--reference", "GOOD"), "--reference"),
        (("--product", "plate", "--threshold", "0.4"), "--threshold"),
        (("--products", "GOOD"), "--product NAME"),
        (("--method", "detect"), "--product or --reference"),
        (("--model", "none"), "--product or --reference"),
        (("--product", "plat"), "plate"),
    ],
)
def test_options_that_do_not_go_together_are_refused(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    given = [str(folder / "good") if each == "GOOD" else each for each in arguments]
    output = run(folder, "inspect", str(folder / "new" / "a-good.png"), *given, expect=2)
    assert said in output


def test_a_run_is_resumed_with_the_same_limits_only(folder: Path, tmp_path: Path) -> None:
    log = str(tmp_path / "log.jsonl")
    command = (
        "inspect",
        str(folder / "new"),
        "--product",
        "plate",
        "--method",
        "detect",
        "--json",
        log,
        "--resume",
    )
    run(folder, *command, expect=1)
    run(folder, *command, expect=1)
    assert len(Path(log).read_text().splitlines()) == 3
    run(folder, "product", "set", "plate", "--false-alarms", "0.2")
    assert "limits" in run(folder, *command, expect=2)
    run(folder, "product", "undo", "plate")


def test_what_was_added_counts_at_the_next_inspection(folder: Path) -> None:
    part = str(folder / "new" / "b-scratched.png")
    run(folder, "product", "add", "plate", "--good", part)
    try:
        said = run(folder, "inspect", part, "--product", "plate", "--method", "detect", "--json", "-", expect=0)
        product = json.loads(said.partition("PASS")[0])["evidence"]["product"]
        assert product["good_images"] == 20 and product["left_out"].startswith("b-scratched"), "but the part itself"
        other = run(
            folder, "inspect", str(folder / "new" / "a-good.png"), "--product", "plate", "--method", "detect"
        )
        assert "with 21 good images" in other
    finally:
        run(folder, "product", "undo", "plate")


def test_a_category_without_knowledge_is_refused_before_the_first_part(folder: Path) -> None:
    words = ("inspect", str(folder / "new"), "--product", "plate", "--category", "nonsense")
    assert "The category 'nonsense' is not known" in run(folder, *words, expect=2)
