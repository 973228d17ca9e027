"""`inspect --good-results --false-alarms`: good parts set the threshold for what is inspected alike."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Run
from tests.cli.stub import StubInspector

Make = Callable[..., Path]


@pytest.fixture
def good(make_image: Make) -> Path:
    """Ten good parts; the stub takes brightness for the probability of a defect: 20 / 255 to 38 / 255."""
    for i in range(9):
        make_image(f"good/{i}.png", 20 + 2 * i)
    return make_image("good/9.png", 38).parent


@pytest.fixture
def results(run: Run, good: Path, tmp_path: Path) -> Path:
    out = tmp_path / "good.jsonl"
    assert run("inspect", good, "--reference", good, "--json", out).exit_code == 0
    return out


def test_good_parts_set_the_threshold(
    run: Run, good: Path, results: Path, make_image: Make, tmp_path: Path
) -> None:
    words = ("--reference", good, "--good-results", results, "--false-alarms", 0.1)
    bright, alike = make_image("bright.png", 60), make_image("alike.png", 37)
    assert run("inspect", bright, "--reference", good).exit_code == 0  # .24 is below .5
    shown = run("inspect", bright, *words, "--json", tmp_path / "one.json", "--report", tmp_path / "one.html")
    assert shown.exit_code == 1, shown.output
    first, second = shown.output.partition("  limits")[2].splitlines()[:2]
    assert first.endswith("The limit was set with 10 good parts.")
    assert second.strip() == "On average, at most 10 % of good parts are called defective."
    found = json.loads((tmp_path / "one.json").read_text())
    point = {"false_alarms": 0.1, "good_parts": 10, "missed": None, "defective_parts": 0}
    assert found["operating_point"] == point | dict.fromkeys(("pass_below", "threshold"), found["threshold"])
    assert found["threshold"] == pytest.approx(38 / 255, abs=1e-3) and found["verdict"] == "defect"
    page = " ".join((tmp_path / "one.html").read_text().split())
    assert (
        "Parts count as defective from 15 % on." in page
        and "The limit was set with 10 good parts. On average, at most" in page
    )
    assert run("inspect", alike, *words).exit_code == 0


def test_many_parts_and_resume(run: Run, good: Path, results: Path, make_image: Make, tmp_path: Path) -> None:
    parts = make_image("parts/a.png", 60).parent
    make_image("parts/b.png", 30)
    words = ("inspect", parts, "--reference", good, "--json", tmp_path / "out.jsonl", "--good-results", results)
    assert run(*words, "--false-alarms", 0.1).exit_code == 1
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["verdict"] for line in lines] == ["defect", "pass"]
    whole = (tmp_path / "out.jsonl").read_text()
    (tmp_path / "out.jsonl").write_text(whole.splitlines(keepends=True)[0])
    assert run(*words, "--false-alarms", 0.1, "--resume").exit_code == 1
    assert (tmp_path / "out.jsonl").read_text() == whole
    refused = run(*words, "--false-alarms", 0.2, "--resume")
    assert refused.exit_code == 2 and "other bounds" in refused.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--false-alarms", "0.1"), "go together"),
        (("--good-results", "good.jsonl"), "go together"),
        (("--defect-results", "good.jsonl"), "--defect-results and --missed go together"),
        (("--missed", "0.1"), "--defect-results and --missed go together"),
        (
            ("--good-results", "good.jsonl", "--false-alarms", "0.1", "--threshold", "0.5"),
            "cannot be used together",
        ),
        (("--good-results", "good.jsonl", "--false-alarms", "0.05"), "10 good parts are too few .* at least 19"),
        (
            ("--good-results", "good.jsonl", "--false-alarms", "0.1", "--seed", "3"),
            "made with seed 0 instead of 3",
        ),
        (("--good-results", "good.jsonl", "--false-alarms", "0.1", "--no-align"), "other reasoning options"),
        (
            ("--good-results", "good.jsonl", "--false-alarms", "0.1", "--method", "direct"),
            "method full instead of direct",
        ),
        (("--good-results", "good.jsonl", "--false-alarms", "0.1", "--question", "Is it wet?"), "another question"),
        (
            ("--good-results", "good.jsonl", "--false-alarms", "0.1", "--model", "fake"),
            "model nano instead of fake",
        ),
        (("--good-results", "good.jsonl", "--false-alarms", "0.1", "--json", "good.jsonl"), "is one of the inputs"),
        (
            ("--good-results", "good.jsonl", "--false-alarms", "0.1", "--report", "good.jsonl"),
            "is one of the inputs",
        ),
        (
            (
                "--good-results",
                "good.jsonl",
                "--false-alarms",
                "0.1",
                "--defect-results",
                "x.jsonl",
                "--missed",
                "0.1",
                "--json",
                "x.jsonl",
            ),
            "is one of the inputs",
        ),
        (("--good-results", "missing.jsonl", "--false-alarms", "0.1"), "does not exist"),
    ],
)
def test_what_cannot_be_promised_is_refused_before_a_model_is_loaded(
    words: tuple[str, ...], said: str, run: Run, good: Path, results: Path, stubs: list[StubInspector],
    make_image: Make, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(results.parent)
    part, before = make_image("part.png", 60), results.read_text()
    Path("x.jsonl").write_text(before)
    stubs.clear()
    refused = run("inspect", part, "--reference", good, *words)
    assert refused.exit_code == 2 and not stubs
    assert re.search(said, " ".join(refused.stderr.split())), refused.stderr
    assert results.read_text() == before


def test_other_references_are_refused(run: Run, good: Path, results: Path, make_image: Make) -> None:
    make_image("good/10.png", 25)
    refused = run(
        "inspect", make_image("part.png", 60), "--reference", good, "--good-results", results, "--false-alarms", 0.1
    )
    said = (
        f"'{results}' was made with other references. Inspect the known good parts again with the same --reference."
    )
    assert refused.exit_code == 2 and said in refused.stderr


@pytest.mark.parametrize("many", [False, True])
def test_what_shows_only_with_the_model_is_refused_with_the_first_result(
    many: bool,
    run: Run,
    good: Path,
    results: Path,
    make_image: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = (
        "--reference",
        good,
        "--good-results",
        results,
        "--false-alarms",
        0.1,
        "--json",
        tmp_path / "out.jsonl",
    )
    parts = make_image("parts/a.png", 60).parent
    part = parts if many else parts / "a.png"
    refused = run("inspect", part, *words, "--category", "plate")
    assert refused.exit_code == 2 and "another category" in refused.stderr
    monkeypatch.setattr(StubInspector, "weights", "retrained")
    refused = run("inspect", part, *words, "--overwrite")
    assert refused.exit_code == 2 and "other weights" in refused.stderr
    assert not (tmp_path / "out.jsonl").read_text()
    (tmp_path / "out.jsonl").write_text("{}\n")
    assert run("inspect", part, *words, "--overwrite").exit_code == 2
    assert (tmp_path / "out.jsonl").read_text() == "{}\n"  # what was to be overwritten is not lost
    (parts / "0.png").write_text("no image")  # fails, before the part that is refused
    assert run("inspect", parts, *words, "--overwrite").exit_code == 2
    assert (tmp_path / "out.jsonl").read_text() == "{}\n"


def test_the_threshold_the_good_parts_were_made_with_plays_no_part(
    run: Run, good: Path, make_image: Make, tmp_path: Path
) -> None:
    out = tmp_path / "strict.jsonl"
    run("inspect", good, "--reference", good, "--json", out, "--threshold", 0.01)
    words = ("--reference", good, "--good-results", out, "--false-alarms", 0.1)
    assert run("inspect", make_image("bright.png", 60), *words).exit_code == 1
    assert run("inspect", make_image("alike.png", 37), *words).exit_code == 0


@pytest.fixture
def bad(run: Run, good: Path, make_image: Make, tmp_path: Path) -> Path:
    """Results of nine defective parts: 31 / 255 to 111 / 255, which overlaps with the good ones."""
    for i in range(8):
        make_image(f"bad/{i}.png", 31 + 10 * i)
    out = tmp_path / "bad.jsonl"
    run("inspect", make_image("bad/8.png", 111).parent, "--reference", good, "--json", out)
    return out


def test_what_neither_bound_decides_needs_a_person(
    run: Run, good: Path, results: Path, bad: Path, make_image: Make, tmp_path: Path
) -> None:
    words = ("--reference", good, "--good-results", results, "--false-alarms", 0.1)
    words += ("--defect-results", bad, "--missed", 0.1)
    dark, between, bright = (make_image(f"new/{i}.png", grey) for i, grey in enumerate((28, 34, 60)))
    assert run("inspect", dark, *words).exit_code == 0
    assert run("inspect", bright, *words).exit_code == 1
    shown = run("inspect", between, *words, "--json", tmp_path / "one.json", "--report", tmp_path / "one.html")
    assert shown.exit_code == 4 and shown.output.startswith("NEEDS A PERSON")
    assert "pass. Parts between the two limits, 0.12 and 0.15, are handed to a person." in " ".join(
        shown.output.split()
    )
    found = json.loads((tmp_path / "one.json").read_text())
    assert found["verdict"] == "review" and found["defect_type"] == "glare"
    assert pytest.approx(found["operating_point"]["pass_below"], abs=1e-3) == 31 / 255
    page = (tmp_path / "one.html").read_text()
    assert "<h1>Needs a person</h1>" in page and "Suspected: glare" in page and "is-review" in page
    many = run("inspect", dark.parent, *words, "--json", tmp_path / "many.jsonl")
    assert many.exit_code == 1 and "1 pass, 1 defect, 0 not inspected, 1 for a person" in many.stderr
    bright.unlink()
    many = run("inspect", dark.parent, *words, "--json", tmp_path / "few.jsonl")
    assert many.exit_code == 4 and "1 pass, 0 defect, 0 not inspected, 1 for a person" in many.stderr


def test_defective_parts_that_were_inspected_otherwise_are_refused(
    run: Run, good: Path, results: Path, bad: Path, make_image: Make
) -> None:
    run("inspect", bad.parent / "bad", "--reference", good, "--json", bad, "--overwrite", "--seed", 7)
    words = ("--good-results", results, "--false-alarms", 0.1, "--defect-results", bad, "--missed", 0.1)
    refused = run("inspect", make_image("part.png", 60), "--reference", good, *words)
    assert refused.exit_code == 2
    assert "the known defective parts again" in refused.stderr and "seed 7 instead of 0" in refused.stderr


def test_resuming_never_mixes_promises_of_the_same_threshold(
    run: Run, good: Path, results: Path, bad: Path, make_image: Make, tmp_path: Path
) -> None:
    parts = make_image("new/a.png", 34).parent
    make_image("new/b.png", 33)
    words = (
        "--reference",
        good,
        "--json",
        tmp_path / "out.jsonl",
        "--good-results",
        results,
        "--false-alarms",
        0.1,
    )
    assert run("inspect", parts / "a.png", *words).exit_code == 0
    more = run("inspect", parts, *words, "--defect-results", bad, "--missed", 0.1, "--resume")
    assert more.exit_code == 2 and "other bounds" in more.stderr


def test_parts_inspected_under_bounds_may_set_others(
    run: Run, good: Path, results: Path, bad: Path, make_image: Make, tmp_path: Path
) -> None:
    again, words = tmp_path / "again.jsonl", ("--reference", good, "--good-results", results, "--false-alarms", 0.1)
    run("inspect", bad.parent / "bad", *words, "--json", again)
    part = make_image("part.png", 34)
    assert run("inspect", part, *words, "--defect-results", again, "--missed", 0.1).exit_code == 4
