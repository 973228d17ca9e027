"""`--resume`: nothing is done twice, nothing is lost, and results of two kinds never meet in one file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Run
from tests.cli.stub import StubInspector

from reason_iad.files import Log
from reason_iad.schema import Inspection

Make = Callable[..., Path]


@pytest.fixture
def parts(make_image: Make) -> Path:
    for i, brightness in enumerate((40, 200, 60, 90)):
        make_image(f"parts/{i}.png", brightness)
    return make_image("parts/4.png", 50).parent


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def test_resume_does_only_what_is_missing(run: Run, parts: Path, out: Path, stubs: list[StubInspector]) -> None:
    assert run("inspect", parts, "--json", out).exit_code == 1
    whole = out.read_text()
    first_two = "".join(whole.splitlines(keepends=True)[:2])
    out.write_text(first_two)
    result = run("inspect", parts, "--json", out, "--resume")
    assert result.exit_code == 1  # the defect was found in the first run
    assert "2 of 5" in result.stderr
    assert [path.name for path in stubs[-1].calls] == ["2.png", "3.png", "4.png"]
    assert out.read_text() == whole


def test_another_model_is_refused_even_when_all_is_done(run: Run, parts: Path, out: Path) -> None:
    run("inspect", parts, "--json", out)
    assert run("inspect", parts, "--json", out, "--resume", "--model", "fake").exit_code == 2


def test_weights_that_changed_under_the_same_name_are_another_model(
    run: Run, parts: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("inspect", parts, "--json", out)
    out.write_text("".join(out.read_text().splitlines(keepends=True)[:3]))
    monkeypatch.setattr(StubInspector, "weights", "retrained")
    result = run("inspect", parts, "--json", out, "--resume")
    assert result.exit_code == 2
    assert "other weights" in result.stderr


def test_resume_of_a_finished_run_loads_no_model(
    run: Run, parts: Path, out: Path, stubs: list[StubInspector]
) -> None:
    run("inspect", parts, "--json", out)
    before = out.read_text()
    stubs.clear()
    assert run("inspect", parts, "--json", out, "--resume").exit_code == 1
    assert out.read_text() == before
    assert not stubs


@pytest.mark.parametrize(
    "torn", ['{"schema_version":"1.0","ima', '{"schema_version":"1.0","image":{"name":"\udcff']
)
def test_a_torn_last_line_is_mended(torn: str, run: Run, parts: Path, out: Path) -> None:
    run("inspect", parts, "--json", out)
    whole = out.read_text()
    kept = "".join(whole.splitlines(keepends=True)[:3])
    out.write_bytes((kept + torn).encode("utf-8", "surrogateescape"))
    run("inspect", parts, "--json", out, "--resume")
    assert out.read_text() == whole


def test_failed_images_are_tried_again_and_leave_one_line(
    run: Run, parts: Path, out: Path, make_image: Make
) -> None:
    (parts / "2.png").write_bytes(b"broken")
    assert run("inspect", parts, "--json", out).exit_code == 3
    make_image("parts/2.png", 60)
    assert run("inspect", parts, "--json", out, "--resume").exit_code == 1
    names = [Path(json.loads(line)["image"]["name"]).name for line in out.read_text().splitlines()]
    assert sorted(names) == [f"{i}.png" for i in range(5)]


def test_a_changed_image_is_inspected_again(run: Run, parts: Path, out: Path, make_image: Make) -> None:
    run("inspect", parts, "--json", out)
    make_image("parts/1.png", 30)
    assert run("inspect", parts, "--json", out, "--resume").exit_code == 0
    assert len(out.read_text().splitlines()) == 5


def test_lines_of_other_images_stay(run: Run, parts: Path, out: Path, make_image: Make) -> None:
    run("inspect", parts, "--json", out)
    before = out.read_text()
    more = make_image("more/9.png", 20)
    assert run("inspect", more, "--json", out, "--resume").exit_code == 0
    assert out.read_text().startswith(before)
    assert len(out.read_text().splitlines()) == 6


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--threshold", "0.9"], "threshold 0.5 instead of 0.9"),
        (["--seed", "1"], "seed 0 instead of 1"),
        (["--method", "direct"], "method full instead of direct"),
        (["--steps", "3"], "other reasoning options"),
        (["--model", "fake"], "model nano instead of fake"),
        (["--knowledge", "{parts}/../own.md"], "other knowledge"),
        (["--category", "plate"], "another category"),
        (["--question", "Is it wet?"], "another question"),
        (["--reference", "{parts}/0.png"], "other references"),
    ],
)
@pytest.mark.parametrize("left", [3, 5])
def test_results_of_two_kinds_never_meet(
    words: list[str], named: str, left: int, run: Run, parts: Path, out: Path
) -> None:
    """Also where all results are there already, so that nothing is left to inspect."""
    (parts.parent / "own.md").write_text("---\ncategory: plate\n---\n# Normal\n\nGrey.\n")
    run("inspect", parts, "--json", out)
    before = "".join(out.read_text().splitlines(keepends=True)[:left])
    out.write_text(before)
    result = run("inspect", parts, "--json", out, "--resume", *(word.format(parts=parts) for word in words))
    assert result.exit_code == 2
    assert f"was made with {named};" in result.stderr
    assert out.read_text() == before


def test_existing_lines_are_not_lost_by_mistake(run: Run, parts: Path, out: Path) -> None:
    run("inspect", parts, "--json", out)
    before = out.read_text()
    result = run("inspect", parts, "--json", out)
    assert result.exit_code == 2
    assert "--resume" in result.stderr
    assert out.read_text() == before
    assert run("inspect", parts, "--json", out, "--overwrite").exit_code == 1
    assert out.read_text() == before


def test_failures_overwrite_too_and_keep_their_order(run: Run, parts: Path, out: Path) -> None:
    run("inspect", parts, "--json", out)
    images = sorted(parts.iterdir())
    images[0].write_text("no image")
    assert run("inspect", parts, "--json", out, "--overwrite").exit_code == 3
    written = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line.get("image") == str(images[0]) for line in written] == [True, *[False] * (len(images) - 1)]
    for image in images:
        image.write_text("no image")
    assert run("inspect", parts, "--json", out, "--overwrite").exit_code == 3
    written = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["image"] for line in written] == [str(image) for image in images]
    assert all("error" in line for line in written)


def test_an_interrupt_before_the_first_result_leaves_what_was_to_be_overwritten(
    run: Run, parts: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("inspect", parts, "--json", out)
    before, broken, plain = out.read_text(), parts / "0.png", StubInspector.inspect
    broken.write_text("no image")

    def interrupted(self: StubInspector, image: Path, **options: Any) -> Inspection:
        if image != broken:
            raise KeyboardInterrupt
        return plain(self, image, **options)

    monkeypatch.setattr(StubInspector, "inspect", interrupted)
    result = run("inspect", parts, "--json", out, "--overwrite")
    assert result.exit_code == 130 and f"'{out}' is as it was" in result.stderr and "--resume" not in result.stderr
    assert out.read_text() == before


def test_a_foreign_file_is_left_alone(run: Run, parts: Path, out: Path) -> None:
    for foreign in ('{"hello": 1}\n', "one,two\n1,2\n"):
        out.write_text(foreign)
        result = run("inspect", parts, "--json", out, "--resume")
        assert result.exit_code == 2
        assert "not a result" in result.stderr
        assert out.read_text() == foreign


SLOW = """
import sys, time
from pathlib import Path
sys.path.insert(0, {folder!r})
from tests.cli.stub import StubInspector
from reason_iad.cli import main
from reason_iad.cli.engine import Engine

class Slow(StubInspector):
    def inspect(self, image, **options):
        time.sleep(0.15)
        while {gate!r} and not Path({gate!r}).exists():
            time.sleep(0.01)
        return super().inspect(image, **options)

Engine.load = lambda engine: Slow(engine.model, engine.config)
main()
"""


def start(*words: object, gate: Path | None = None) -> subprocess.Popen[str]:
    """Run a command with a slow inspector, which waits for the file `gate` if one is named."""
    code = SLOW.format(folder=str(Path(__file__).parents[2]), gate=str(gate or ""))
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def wait_for_lines(process: subprocess.Popen[str], out: Path, count: int) -> None:
    end = time.monotonic() + 60
    while not out.exists() or out.read_text().count("\n") < count:
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_kill_9_costs_at_most_the_image_in_flight(run: Run, parts: Path, out: Path, tmp_path: Path) -> None:
    process = start("inspect", parts, "--json", out)
    wait_for_lines(process, out, 2)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert 2 <= out.read_text().count("\n") < 5
    assert start("inspect", parts, "--json", out, "--resume").wait() == 1
    run("inspect", parts, "--json", tmp_path / "uninterrupted.jsonl")
    assert out.read_text() == (tmp_path / "uninterrupted.jsonl").read_text()


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_ctrl_c_ends_cleanly(parts: Path, out: Path) -> None:
    process = start("inspect", parts, "--json", out)
    wait_for_lines(process, out, 2)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate()
    assert process.returncode == 130
    assert "--resume" in stderr
    assert "Traceback" not in stderr
    assert all(json.loads(line) for line in out.read_text().splitlines())


def test_of_two_that_resume_one_file_one_goes_on_and_the_other_says_why_not(
    run: Run, parts: Path, out: Path, tmp_path: Path
) -> None:
    run("inspect", parts, "--json", out)
    whole = out.read_text()
    out.write_text("".join(whole.splitlines(keepends=True)[:2]))
    both = [start("inspect", parts, "--json", out, "--resume", gate=tmp_path / "gate") for _ in range(2)]
    end = time.monotonic() + 120
    while all(process.poll() is None for process in both):
        assert time.monotonic() < end
        time.sleep(0.02)
    (tmp_path / "gate").touch()
    said = {process.wait(): process.communicate()[1] for process in both}
    assert sorted(said) == [1, 2], said  # one found the defect that is in the file, one was refused
    assert f"is writing '{out}'; wait until it has ended, or choose another file." in said[2]
    assert out.read_text() == whole
    assert not list(tmp_path.glob(".*")), "no lock is left"


@pytest.mark.parametrize("how", ["--overwrite", "--resume"])
def test_a_file_that_is_being_written_is_left_alone(how: str, run: Run, parts: Path, out: Path) -> None:
    run("inspect", parts, "--json", out)
    whole = out.read_text()
    with Log.resume(out):
        result = run("inspect", parts, "--json", out, how)
        assert result.exit_code == 2 and f"is writing '{out}'" in result.stderr
    assert out.read_text() == whole
    assert run("inspect", parts, "--json", out, how).exit_code == 1
    assert out.read_text() == whole


def test_a_command_that_is_refused_holds_nothing(run: Run, parts: Path, out: Path) -> None:
    run("inspect", parts, "--json", out)
    for words in (["--resume", "--seed", "1"], []):
        assert run("inspect", parts, "--json", out, *words).exit_code == 2
        Log.resume(out).close()
