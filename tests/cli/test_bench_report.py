"""`bench report` and `bench compare` as commands: light until they are needed, and clear about what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from reason_iad.bench.records import AnswerRecord, Manifest
from reason_iad.cli import main
from reason_iad.schema import ModelVersion


def call(*words: object) -> Result:
    return CliRunner().invoke(main, ["bench", *map(str, words)])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A folder with one answered question."""
    manifest = Manifest(
        status="complete",
        method="direct",
        model=ModelVersion(name="nano", family="nano", sha256="0" * 64, device="cpu", dtype="float32"),
        config={},
        answers="likelihood",
        shots=1,
        templates="random",
        seed=0,
        limit=None,
        questions=1,
        questions_sha256="1" * 64,
        knowledge_sha256=None,
        packages={},
    )
    answer = AnswerRecord(
        question="D/part/test/x/0.png#0",
        image="D/part/test/x/0.png",
        index=0,
        dataset="D",
        category="part",
        kind="Defect Analysis",
        abnormal=True,
        options={"A": "one", "B": "two"},
        truth="A",
        choice="A",
    )
    folder = tmp_path / "runs" / "direct"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(manifest.model_dump_json(), encoding="utf-8")
    (folder / "answers.jsonl").write_text(answer.model_dump_json() + "\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize("command", ["report", "compare"])
def test_help_loads_nothing_heavy(command: str) -> None:
    code = (
        f"from reason_iad.cli import main; main(['bench', '{command}', '--help'], standalone_mode=False)\n"
        "import sys; heavy = {'torch', 'numpy', 'matplotlib', 'statsmodels', 'scipy', 'pandas', 'jinja2'}\n"
        "print('LOADED', *(heavy & sys.modules.keys()))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.rpartition("LOADED")[2].split() == []
    assert "Usage:" in output


def test_a_report_loads_no_model(run: Path) -> None:
    code = (
        f"from reason_iad.cli import main; main(['bench', 'report', {str(run)!r}], standalone_mode=False)\n"
        "import sys; print('LOADED', *({'torch', 'transformers', 'lancedb', 'matplotlib'} & sys.modules.keys()))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.rpartition("LOADED")[2].split() == []
    assert "100.0" in output


def test_a_folder_of_runs_is_as_good_as_a_run(run: Path) -> None:
    assert call("report", run).output == call("report", run.parent).output


def test_an_output_that_cannot_be_written_is_found_before_the_runs_are_read(run: Path, tmp_path: Path) -> None:
    result = call("report", run, "--out", tmp_path / "missing" / "r.html")
    assert result.exit_code == 2 and "missing" in result.output
    assert call("report", run, "--out", tmp_path).exit_code == 2


def test_without_the_extra_it_says_what_to_install(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "statsmodels.stats.proportion", None)
    result = call("report", run)
    assert result.exit_code == 2 and "pip install 'reason-iad[bench]'" in result.output


def test_a_line_that_is_not_an_answer_is_named(run: Path) -> None:
    with (run / "answers.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"question": 1}\n')
    result = call("report", run)
    assert result.exit_code == 2 and "Line 2" in result.output


def test_the_format_given_wins_over_the_files_name(run: Path, tmp_path: Path) -> None:
    result = call("report", run, "--out", tmp_path / "r.html", "--format", "json")
    assert result.exit_code == 0 and result.output == f"Wrote {tmp_path / 'r.html'}\n"
    assert json.loads((tmp_path / "r.html").read_text(encoding="utf-8"))["runs"][0]["label"] == "direct"


def test_comparing_a_run_with_itself_is_refused(run: Path) -> None:
    result = call("compare", run, run.parent)
    assert result.exit_code == 2 and "the same run" in result.output


def test_a_name_that_asks_for_no_format_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    result = call("report", tmp_path / "none", "--out", tmp_path / "x.pdf")
    assert result.exit_code == 2
    assert (
        "The name 'x.pdf' tells no known format. Let it end in .md, .csv, .html, .json, or give --format."
        in result.stderr
    )
    assert not (tmp_path / "x.pdf").exists()
