"""What docs/knowledge.md shows can be copied and works."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from reason_iad.cli import main
from reason_iad.knowledge import read_document

PAGE = Path(__file__).parents[2] / "docs" / "knowledge.md"
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def example(language: str) -> str:
    return next(text for found, text in BLOCKS if found == language)


def test_both_files_are_right_and_say_the_same(write: Callable[..., Path]) -> None:
    markdown = read_document(write("disc.md", example("markdown")))
    yaml = read_document(write("disc.yaml", example("yaml")))
    assert (
        (markdown.category, markdown.aliases) == (yaml.category, yaml.aliases) == ("brake disc", ("disc", "rotor"))
    )
    longer = {entry.id: entry.model_copy(update={"source": ""}) for entry in markdown.entries}
    for entry in yaml.entries:  # the YAML example leaves two entries out
        assert longer[entry.id] == entry.model_copy(update={"source": ""})


def test_the_commands_and_the_python_run(
    write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write("mine/disc.md", example("markdown"))
    write("domain_knowledge.json", '{"Set": {"cup": {"good": "A whole cup."}}}')
    monkeypatch.chdir(tmp_path)
    lines = [line for language, text in BLOCKS if language == "console" for line in text.splitlines()]
    commands = [re.findall(r'"[^"]*"|\S+', line.partition("#")[0])[2:] for line in lines if " knowledge " in line]
    assert len(commands) == 7
    for command in commands:
        result = CliRunner().invoke(main, [part.strip('"') for part in command])
        assert result.exit_code == 0, (command, result.output)
    exec(compile(example("python"), "docs/knowledge.md", "exec"), {})
    assert "brake-disc/defect/heat-crack" in capsys.readouterr().out
