"""Sub-commands that other installed packages bring, the workshop's among them."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from reason_iad.cli import main


def install(folder: Path, name: str, target: str) -> None:
    """What pip leaves of a package: its metadata."""
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[reason_iad.commands]\n{target}\n")


def test_the_workshop_is_a_command_if_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "workshop", "nano = reason_iad_nano.cli:nano")
    monkeypatch.syspath_prepend(tmp_path)
    result = CliRunner().invoke(main, ["nano", "--help"])
    assert result.exit_code == 0, result.output
    assert "questions" in result.output and "demo-parts" in result.output


def test_without_the_workshop_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: ())
    result = CliRunner().invoke(main, ["nano", "--help"])
    assert result.exit_code == 2
    assert "pip install reason-iad-nano" in result.stderr
    assert "nano" in CliRunner().invoke(main, ["--help"]).output


def test_another_package_may_bring_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "greeting", "greet = greeting_command:greet")
    (tmp_path / "greeting_command.py").write_text(
        "import click\n@click.command()\ndef greet():\n    click.echo('hello')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert CliRunner().invoke(main, ["greet"]).output == "hello\n"
    assert CliRunner().invoke(main, ["greet-not"]).exit_code == 2
