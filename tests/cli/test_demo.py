"""`reason-iad demo`: parts that ship with the package, with the truth beside the verdict."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Run

from reason_iad.cli.demo import COUNT, PARTS, read_parts
from reason_iad.schema import Inspection


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


def test_the_first_part_may_be_chosen_and_every_second_one_is_good(run: Run, tmp_path: Path) -> None:
    every = run("demo", "--out", tmp_path / "one").stdout.splitlines()[1:7]
    assert [" good " in line for line in every] == [True, False] * 3
    assert all(line.startswith(("ok ", "wrong ")) and ("PASS" in line or "DEFECT: " in line) for line in every)
    some = run("demo", "--out", tmp_path / "two", "--count", 2, "--first", 2).stdout.splitlines()[1:3]
    assert [line.split()[:3] for line in some] == [line.split()[:3] for line in every[2:4]]
    assert len(list((tmp_path / "two").glob("*-good.png"))) == 2


def test_a_result_is_shown_before_its_report_is_written(run: Run, tmp_path: Path) -> None:
    (tmp_path / "demo" / "00-bare-printed-circuit-board.html").mkdir(parents=True)  # the report cannot be written
    result = run("demo", "--out", tmp_path / "demo", "--count", 1)
    assert result.exit_code == 2
    assert "good" in result.stdout.splitlines()[1]


def test_more_parts_than_there_are_is_an_error(run: Run, tmp_path: Path) -> None:
    result = run("demo", "--out", tmp_path / "demo", "--first", 4, "--count", 3)
    assert result.exit_code == 2
    assert "from part 4 on there are 2, not 3" in result.stderr


def test_what_ships_is_whole_and_small() -> None:
    files = {path.name for path in PARTS.iterdir()}
    assert files == {"parts.json", *(name for part in read_parts() for name in part.pictures)}
    assert len(read_parts()) == COUNT
    assert sum(path.stat().st_size for path in PARTS.iterdir()) < 2_000_000


def test_a_file_in_the_way_is_an_input_error(run: Run, tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("")
    result = run("demo", "--out", tmp_path / "demo")
    assert result.exit_code == 2
    assert "--out" in result.stderr
