"""`reason-iad demo`: parts drawn on the spot, with the truth beside the verdict."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from reason_iad.schema import Inspection

from .conftest import Run


def test_demo_writes_images_reports_and_results(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "demo"
    result = run("demo", "--out", out, "--count", 4)
    assert result.exit_code == 0, result.output
    lines = (out / "results.jsonl").read_text().splitlines()
    assert [Inspection.model_validate_json(line).image.name for line in lines] == [
        path.name for path in sorted(out.glob("*.png")) if not path.stem.endswith("-good")
    ]
    assert len(list(out.glob("*.html"))) == len(list(out.glob("*-good.png"))) == 4
    assert "of 4 verdicts are right" in result.stdout


def test_demo_draws_the_same_parts_again_and_every_second_one_is_good(run: Run, tmp_path: Path) -> None:
    first = run("demo", "--out", tmp_path / "one", "--count", 4).stdout.splitlines()[1:5]
    run("demo", "--out", tmp_path / "two", "--count", 2, "--first", 2)
    assert [" good " in line for line in first] == [True, False, True, False]
    for path in (tmp_path / "two").glob("*.png"):
        with Image.open(path) as again, Image.open(tmp_path / "one" / path.name) as before:
            assert again.tobytes() == before.tobytes()


def test_a_file_in_the_way_is_an_input_error(run: Run, tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("")
    result = run("demo", "--out", tmp_path / "demo")
    assert result.exit_code == 2
    assert "--out" in result.stderr
