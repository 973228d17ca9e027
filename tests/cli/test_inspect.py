"""`reason-iad inspect`: exit codes, outputs, and everything that is refused before a model is loaded."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.cli.conftest import Run
from tests.cli.stub import StubInspector

from reason_iad.cli import main
from reason_iad.schema import Claim, FusionEvidence, Inspection
from reason_iad.schema.verdict import ALONE

Make = Callable[..., Path]


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_exit_code_is_the_verdict(run: Run, make_image: Make) -> None:
    assert run("inspect", make_image("good.png", 60)).exit_code == 0
    assert run("inspect", make_image("bad.png", 200)).exit_code == 1


def test_summary_names_what_where_and_why(run: Run, make_image: Make) -> None:
    out = run("inspect", make_image("bad.png", 200)).stdout
    for part in ("DEFECT", "bad.png", "glare", "minor", "top left", "too bright", "1 entry about plate"):
        assert part in out
    assert "\x1b" not in out  # no colours where nobody can see them


def test_json_document_of_one_image(run: Run, make_image: Make, tmp_path: Path) -> None:
    part, out = make_image(brightness=200), tmp_path / "out.json"
    assert run("inspect", part, "--json", out).exit_code == 1
    result = Inspection.model_validate_json(out.read_text())
    assert result.image.name == str(part)
    assert out.read_text().startswith("{\n  ")
    assert run("inspect", part, "--json", out).exit_code == 1  # a document is replaced as a whole


def test_json_to_standard_output_is_nothing_but_json(run: Run, make_image: Make) -> None:
    result = run("inspect", make_image(brightness=200), "--json", "-")
    assert Inspection.model_validate_json(result.stdout).verdict == "defect"
    assert "DEFECT" in result.stderr


def test_several_images_print_one_line_each(run: Run, make_image: Make) -> None:
    paths = [make_image(f"{i}.png", brightness) for i, brightness in enumerate((50, 200, 60))]
    result = run("inspect", *paths)
    assert result.exit_code == 1
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["PASS", "DEFECT", "PASS"]
    assert (
        f"{paths[1]}  (probability of a defect 0.784, the model's opinion alone)  glare, top left" in result.stdout
    )
    assert "3 images: 2 pass, 1 defect, 0 not inspected" in result.stderr


def test_reports_of_several_images_do_not_flood_the_terminal(run: Run, make_image: Make, tmp_path: Path) -> None:
    result = run("inspect", make_image("a.png"), make_image("b.png", 200), "--report", tmp_path / "reports")
    assert max(map(len, result.stdout.splitlines())) < 300 and "{" not in result.stdout
    assert f"Reports: {tmp_path / 'reports'}" in result.stderr


def test_jobs_inspect_at_the_same_time_and_keep_the_order(
    run: Run, make_image: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [make_image(f"{i}.png", brightness) for i, brightness in enumerate((50, 200, 60, 90))]
    alone = run("inspect", *paths)
    both, inspect = threading.Barrier(2, timeout=60), StubInspector.inspect

    def together(self: StubInspector, image: Path, **more: Any) -> Inspection:
        both.wait()  # passes only if two are there
        return inspect(self, image, **more)

    monkeypatch.setattr(StubInspector, "inspect", together)
    result = run("inspect", *paths, "--jobs", 2)
    assert (result.stdout, result.exit_code) == (alone.stdout, alone.exit_code)


def test_quiet_prints_nothing(run: Run, make_image: Make) -> None:
    result = run("inspect", make_image("a.png"), make_image("b.png", 200), "--quiet")
    assert (result.exit_code, result.output) == (1, "")


def test_json_of_several_images_is_printed_on_demand(run: Run, make_image: Make) -> None:
    paths = [make_image(f"{i}.png", brightness) for i, brightness in enumerate((50, 200, 60))]
    result = run("inspect", *paths, "--json", "-")
    assert result.exit_code == 1
    assert [line["image"]["name"] for line in lines(result.stdout)] == [str(p) for p in paths]  # type: ignore[index]


def test_a_folder_is_many_images_even_if_it_holds_one(run: Run, make_image: Make) -> None:
    part = make_image("folder/one.png", 50)
    result = run("inspect", part.parent, "--json", "-")
    assert [line["verdict"] for line in lines(result.stdout)] == ["pass"]


def test_a_failed_image_stops_nothing_and_wins_over_a_defect(run: Run, make_image: Make, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"not an image")
    paths = (make_image("a.png", 200), broken, tmp_path / "missing.png", make_image("z.png", 50))
    result = run("inspect", *paths, "--json", "-")
    assert result.exit_code == 3
    found = lines(result.stdout)
    assert [line.get("verdict", "failed") for line in found] == ["defect", "failed", "failed", "pass"]
    assert set(found[1]) == {"schema_version", "image", "error"}
    assert "broken.png" in str(found[1]["error"])
    assert "1 pass, 1 defect, 2 not inspected" in result.stderr
    assert f"2 photos could not be inspected: {broken}, {tmp_path / 'missing.png'}. Repair them," in result.stderr
    shown = run("inspect", *paths).stdout.splitlines()
    assert [line.split()[0] for line in shown] == ["DEFECT", "FAILED", "FAILED", "PASS"]
    assert "broken.png" in shown[1]


def test_one_bad_image_is_an_input_error(run: Run, tmp_path: Path, stubs: list[StubInspector]) -> None:
    result = run("inspect", tmp_path / "missing.png")
    assert result.exit_code == 2
    assert "missing.png" in result.stderr
    assert "Traceback" not in result.stderr
    assert not stubs  # known without a model


def test_options_reach_the_inspector(run: Run, make_image: Make, stubs: list[StubInspector]) -> None:
    words = ["--method", "paper", "--seed", 7, "--threshold", 0.9, "--steps", 3, "--candidates", 1, "--sigma", 0.2]
    words += ["--no-fuse"]
    assert run("inspect", make_image(brightness=200), *words).exit_code == 0
    config = stubs[0].config
    assert (config.method, config.seed, config.threshold) == ("paper", 7, 0.9)
    assert config.reasoning is not None
    assert (config.reasoning.steps, config.reasoning.candidates, config.reasoning.sigma) == (3, 1, 0.2)
    assert config.reasoning.answer_weight == 0.0  # the rest is still the papers'
    assert not config.fuse


def test_what_was_weighed_is_said(run: Run, make_image: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    inspect = StubInspector.inspect

    def weighed(self: StubInspector, image: Path, **more: Any) -> Inspection:
        result = inspect(self, image, **more)
        fusion = FusionEvidence(
            model_probability=0.123, closer_probability=0.4, standing_out=math.log(2.5), patches=math.log(2.5),
            usual="references",
        )  # fmt: skip
        return result.model_copy(update={"evidence": result.evidence.model_copy(update={"fusion": fusion})})

    assert "differs" not in run("inspect", make_image()).stdout
    monkeypatch.setattr(StubInspector, "inspect", weighed)
    said = run("inspect", make_image()).stdout
    assert "spot differs more from the good parts than they differ from one another." in said


def test_types_that_cannot_be_told_apart_are_both_said(
    run: Run, make_image: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    inspect = StubInspector.inspect

    def claiming(*claims: Claim, none: bool = False) -> str:
        def made(self: StubInspector, image: Path, **more: Any) -> Inspection:
            return inspect(self, image, **more).model_copy(update={"claims": None if none else claims})

        monkeypatch.setattr(StubInspector, "inspect", made)
        return run("inspect", make_image(brightness=230)).stdout

    place = Claim(fact="place", names=("top left",), probability=0.9)
    assert "glare, severity minor" in claiming(none=True), "a result of before"
    for unclear in (claiming(), claiming(place)):
        assert "not clear, perhaps glare" in unclear and "severity" not in unclear
    two = claiming(Claim(fact="type", names=("glare", "haze"), probability=0.9), place)
    assert "glare or haze" in two and "severity" not in two, "a severity belongs to one type"


def test_without_a_good_part_the_first_line_says_so(run: Run, make_image: Make) -> None:
    part, good = make_image(), make_image("good.png", 110)
    first = run("inspect", part).stdout.splitlines()[0]
    assert first.startswith(f"DEFECT  {part}  {ALONE} (probability of a defect ")
    compared = run("inspect", part, "--reference", good).stdout
    assert ALONE not in compared and "with 1 good part" in compared


def test_without_a_good_part_each_line_of_many_says_so(run: Run, make_image: Make) -> None:
    parts, good = (make_image("a.png"), make_image("b.png")), make_image("good.png", 110)
    several = run("inspect", *parts)
    assert [line.count("the model's opinion alone") for line in several.stdout.splitlines()] == [1, 1]
    assert several.stderr.count("No good part to compare with: these results are the model's opinion alone.") == 1
    compared = run("inspect", *parts, "--reference", good).output
    assert "opinion" not in compared


def test_the_answer_to_a_further_question_is_shown(run: Run, make_image: Make) -> None:
    shown = run("inspect", make_image(), "--question", "Is it bright?").stdout.splitlines()
    rows = [line.split(maxsplit=1) for line in shown]
    assert ["question", "Is it bright?"] in rows and ["answer", "It is bright."] in rows


def test_a_region_and_a_model_are_told_in_words(run: Run, make_image: Make) -> None:
    shown = run("inspect", make_image("bad.png", 200)).stdout
    assert "top left: x 0 to 9, y 1 to 9 (pixels from the top left corner)" in shown
    assert "model      nano (method full, seed 0), 0.0 s" in shown


def test_a_folder_that_is_missing_is_not_called_an_image(run: Run, tmp_path: Path) -> None:
    refused = run("inspect", tmp_path / "photos")
    assert f"The file or folder '{tmp_path / 'photos'}' does not exist" in refused.stderr


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--threshold", "1.5"], "--threshold is a number above 0 and at most 1, for example 0.5 for 50 %."),
        (["--sigma", "0"], "sigma"),
        (["--candidates", "0"], "candidates"),
        (["--method", "direct", "--steps", "5"], "--steps"),
        (["--method", "magic"], "magic"),
        (["--device", "tpu"], "tpu"),
        (["--model", "no/such/model"], "no/such/model"),
        (["--model", "weights.bin"], "weights.bin"),
        (["--knowledge", "nowhere"], "nowhere"),
        (["--json", "nowhere/out.json"], "nowhere"),
        (["--report", "nowhere/out.html"], "nowhere"),
        (["--resume"], "--json"),
        (["--reference", "missing.png"], "missing.png"),
        (["--no-such-option"], "--no-such-option"),
    ],
)
def test_what_is_wrong_is_said_before_the_model_is_loaded(
    words: list[str], named: str, run: Run, make_image: Make, stubs: list[StubInspector]
) -> None:
    result = run("inspect", make_image(), *words)
    assert result.exit_code == 2
    assert named in result.stderr
    assert "Traceback" not in result.stderr
    assert not stubs


def test_an_output_never_replaces_an_input(run: Run, make_image: Make) -> None:
    part = make_image()
    before = part.read_bytes()
    for option in ("--json", "--report"):
        result = run("inspect", part, option, part, "--overwrite")
        assert result.exit_code == 2
        assert "input" in result.stderr
    assert part.read_bytes() == before


def test_several_reports_need_a_folder(run: Run, make_image: Make, tmp_path: Path) -> None:
    result = run("inspect", make_image("a.png"), make_image("b.png"), "--report", tmp_path / "out.html")
    assert result.exit_code == 2
    assert "folder" in result.stderr


def test_a_folder_for_reports_that_cannot_be_made_is_said_first(
    run: Run, make_image: Make, tmp_path: Path, stubs: list[StubInspector]
) -> None:
    (tmp_path / "file").write_text("")
    result = run("inspect", make_image("a.png"), make_image("b.png"), "--report", tmp_path / "file" / "reports")
    assert result.exit_code == 2
    assert "--report" in result.stderr
    assert not stubs


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_output_error_not_a_verdict(run: Run, make_image: Make) -> None:
    for parts in ([make_image("a.png", 200)], [make_image("a.png", 200), make_image("b.png")]):
        result = run("inspect", *parts, "--json", "/dev/full", "--overwrite")
        assert result.exit_code == 2
        assert "disk is full" in result.stderr


def test_references_as_several_values_or_repeated_or_a_folder(run: Run, make_image: Make) -> None:
    part, one, two = make_image("part.png"), make_image("good/1.png", 99), make_image("good/2.png", 98)
    for words in (
        [part, "--reference", one, two],
        [part, "--reference", one, two, "--category", "plate"],
        [part, "--reference", one, two, "--no-align"],
        [part, "--reference", one, two, "--no-fuse", "--align"],
        ["--reference", one, "--reference", two, part],
        [part, f"--reference={one}", f"--reference={two}"],
        [part, "--reference", one.parent],
    ):
        result = run("inspect", *words, "--json", "-")
        found = Inspection.model_validate_json(result.stdout)
        assert found.image.name == str(part)
        assert [reference.name for reference in found.evidence.references] == ["1.png", "2.png"]


def test_a_bug_does_not_look_like_a_verdict(run: Run, make_image: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*args: object, **options: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(StubInspector, "inspect", crash)
    result = run("inspect", make_image())
    assert result.exit_code == 70
    assert "Traceback" not in result.stderr
    assert "Traceback" in run("--debug", "inspect", make_image()).stderr
    several = run("inspect", make_image("a.png"), make_image("b.png"))
    assert several.exit_code == 3
    assert "ZeroDivisionError" in several.stdout


def test_names_with_spaces_and_other_letters(run: Run, make_image: Make, tmp_path: Path) -> None:
    part, out = make_image("Prüf teil 部品.png", 200), tmp_path / "Ergebnis 結果.json"
    assert run("inspect", part, "--json", out).exit_code == 1
    assert Inspection.model_validate_json(out.read_text("utf-8")).image.name == str(part)


def test_an_odd_number_of_candidates_comes_without_pairs() -> None:
    from reason_iad.cli.engine import make_config

    def reasoning(count: int) -> tuple[bool, bool]:
        config = make_config("full", reasoning={"steps": None, "candidates": count}).reasoning_config()
        assert config is not None
        assert config.candidates == count
        return config.antithetic, config.leave_one_out

    assert reasoning(1) == (False, False)
    assert reasoning(3) == (False, True)
    assert reasoning(8) == (True, True)


def test_a_report_that_cannot_be_written_stops_no_other_image(
    make_image: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name too long for the suffix '.html' fails alone."""
    long = make_image(f"{'x' * 248}.png")
    short = make_image("short.png")
    arguments = ["inspect", str(long), str(short), "--model", "fake", "--method", "direct", "--quiet"]
    log = tmp_path / "out.jsonl"
    arguments += ["--report", str(tmp_path / "reports"), "--json", str(log)]
    assert CliRunner().invoke(main, arguments).exit_code == 3
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert "error" in lines[0]
    assert "verdict" in lines[1]


def test_reports_stay_under_their_folder(make_image: Callable[..., Path], tmp_path: Path) -> None:
    make_image("a/one.png")
    make_image("b/two.png")
    odd = f"{tmp_path}/a/../../{tmp_path.name}/b/two.png"
    arguments = ["inspect", str(tmp_path / "a" / "one.png"), odd, "--model", "fake", "--method", "direct"]
    out = tmp_path / "out" / "deep"
    CliRunner().invoke(main, [*arguments, "--report", str(out), "--json", str(tmp_path / "o.jsonl"), "--quiet"])
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.html")}
    assert written == {"out/deep/a/one.png.html", "out/deep/b/two.png.html", "out/deep/index.html"}


def test_a_sink_may_not_write_over_an_input_or_into_another_output(
    run: Run, make_image: Make, tmp_path: Path
) -> None:
    part, log = make_image(), tmp_path / "out.jsonl"
    for sinks in ([f"jsonl:{log}"], [f"jsonl:{tmp_path / 'a.jsonl'}"] * 2):
        words = [word for sink in sinks for word in ("--sink", sink)]
        result = run("inspect", part, "--json", log, *words)
        assert result.exit_code == 2 and "written to already" in result.stderr and not log.exists()
    before = part.read_bytes()
    assert run("inspect", part, "--sink", f"jsonl:{part}").exit_code == 2 and part.read_bytes() == before


def test_a_result_is_sent_before_the_log_says_that_it_is_done(run: Run, make_image: Make, tmp_path: Path) -> None:
    parts, log, sent = (
        [make_image(f"{n}.png", 60 * n) for n in range(3)],
        tmp_path / "out.jsonl",
        tmp_path / "s.jsonl",
    )
    assert run("inspect", *parts, "--json", log, "--sink", "jsonl:/dev/full").exit_code == 2
    assert run("inspect", *parts, "--json", log, "--resume", "--sink", f"jsonl:{sent}").exit_code in (0, 1)
    assert len(log.read_text().splitlines()) == len(sent.read_text().splitlines()) == 3


def test_a_report_is_not_printed(
    run: Run, make_image: Make, stubs: list[StubInspector], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for parts in (["a.png"], ["a.png", "b.png"]):
        result = run("inspect", *(make_image(part) for part in parts), "--report", "-")
        assert result.exit_code == 2 and "A report cannot be printed. Give --report a file name" in result.stderr
    assert not stubs and not (tmp_path / "-").exists()
