"""The doctor: each finding is right about a machine that is broken on purpose, and names the mend."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from reason_iad.cli import installation as doctor
from reason_iad.cli import main
from reason_iad.cli.installation import Check
from reason_iad.errors import ModelError

METADATA = """Metadata-Version: 2.4
Name: reason-iad
Version: 9.9
Provides-Extra: dense
Provides-Extra: quick
Provides-Extra: dev
Requires-Dist: click>=8.1
Requires-Dist: numpy{numpy}
Requires-Dist: no-such-library-at-all; extra == 'dense'
Requires-Dist: click>=8.1; extra == 'quick'
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package whose metadata the test can write."""
    folder = tmp_path / "site" / "reason_iad-9.9.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(METADATA.format(numpy=">=1"))
    monkeypatch.syspath_prepend(folder.parent)
    return folder / "METADATA"


def by_name(checks: Iterator[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_a_missing_extra_is_a_note_with_the_command_that_mends_it(installed: Path) -> None:
    found = by_name(doctor._extras())
    assert found["extra quick"].status == "ok"
    assert "extra dev" not in found
    assert found["extra dense"].status == "note"
    assert found["extra dense"].mend == "pip install 'reason-iad[dense]'"
    assert "no-such-library-at-all" in found["extra dense"].detail


def test_an_outdated_package_is_an_error(installed: Path) -> None:
    assert "packages" not in by_name(doctor._packages())
    installed.write_text(METADATA.format(numpy=">=999"))
    found = by_name(doctor._packages())["packages"]
    assert found.status == "error"
    assert "numpy" in found.detail and ">=999" in found.detail
    assert found.mend.startswith("pip install")


def test_a_broken_torchvision_is_found_and_harms_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "torchvision" / "__init__.py"
    broken.parent.mkdir()
    broken.write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    found = by_name(doctor._torchvision())["torchvision"]
    assert found.status == "error"
    assert "nms" in found.detail
    assert "pip uninstall torchvision" in found.mend
    assert "torchvision" not in sys.modules


def test_a_cache_that_cannot_be_written_is_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    monkeypatch.setenv("REASON_IAD_CACHE", str(in_the_way / "cache"))
    found = by_name(doctor._cache())["cache folder"]
    assert found.status == "note"
    assert "REASON_IAD_CACHE" in found.mend


def test_a_writable_cache_is_left_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REASON_IAD_CACHE", str(tmp_path / "cache"))
    assert by_name(doctor._cache())["cache folder"].status == "ok"
    assert list((tmp_path / "cache").iterdir()) == []


def test_downloaded_models_of_a_known_family_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, family in (("Qwen--Small", "qwen2_5_vl"), ("other--Thing", "bert")):
        folder = tmp_path / f"models--{name}" / "snapshots" / "abc"
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps({"model_type": family}))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    detail = by_name(doctor._models())["models found"].detail
    assert "Qwen/Small" in detail and "Thing" not in detail


def test_too_little_memory_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_memory_gib", lambda: 0.5)
    assert by_name(doctor._system())["memory"].status == "error"


def test_a_check_that_fails_is_a_result() -> None:
    def input_error() -> Iterator[Check]:
        yield Check("first", "ok", "")
        raise ModelError("The model is broken; copy it again.")

    def bug() -> Iterator[Check]:
        raise ZeroDivisionError("oops")
        yield

    assert [check.status for check in doctor._guarded("x", input_error)] == ["ok", "error"]
    assert list(doctor._guarded("x", bug)) == [Check("x", "error", "ZeroDivisionError: oops")]


@pytest.fixture
def findings(monkeypatch: pytest.MonkeyPatch) -> list[Check]:
    checks = [Check("torch", "ok", "2.0"), Check("extra serve", "note", "missing: x", "pip install x")]
    monkeypatch.setattr(doctor, "examine", lambda *_: iter(checks))
    return checks


def test_notes_do_not_make_the_exit_code(findings: list[Check]) -> None:
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 0
    assert "pip install x" in result.stdout and "Everything that an inspection needs works." in result.stdout


def test_errors_make_exit_code_2(findings: list[Check]) -> None:
    findings.append(Check("model", "error", "broken", "copy it again"))
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 2
    assert "copy it again" in result.stdout


def test_json(findings: list[Check]) -> None:
    content = json.loads(CliRunner().invoke(main, ["doctor", "--json"]).stdout)
    assert content["ok"] is True
    assert content["checks"][1] == {
        "name": "extra serve",
        "status": "note",
        "detail": "missing: x",
        "mend": "pip install x",
    }


def test_a_directory_that_is_no_model(tmp_path: Path) -> None:
    found = by_name(doctor._guarded("model", lambda: doctor._model(str(tmp_path), "cpu")))["model"]
    assert found.status == "error"
    assert "config.json" in found.detail


def test_the_last_checks_really_inspect() -> None:
    """On the fake backbone: load, retrieve, reason one step, answer."""
    assert by_name(doctor._model("fake", "cpu"))["model"].status == "ok"
    assert "one step" in by_name(doctor._inspection("fake", None, "cpu"))["inspection"].detail
