"""The help: options under headings, research knobs apart, exit codes explained, and no word of what is hidden."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from reason_iad.cli import COMMANDS, SECTIONS, main
from reason_iad.cli.headings import HEADINGS, RESEARCH, HeadedCommand

KNOBS = (
    "--method", "--steps", "--candidates", "--sigma", "--budget-ms", "--option-orders", "--seed", "--compile",
    "--fuse", "--dtype",
)  # fmt: skip


def sections(*words: str) -> dict[str, str]:
    """Heading to what stands below it."""
    result = CliRunner().invoke(main, [*words, "--help"], terminal_width=200)
    assert result.exit_code == 0
    parts = re.split(r"^(\S.*):$", result.output, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("command", ["inspect", "ask", "demo"])
def test_what_only_researchers_understand_stands_apart(command: str) -> None:
    found = sections(command)
    for heading, text in found.items():
        assert [knob for knob in KNOBS if re.search(rf"{knob}\b", text)] == (
            list(KNOBS) if heading == RESEARCH else []
        ), heading
    assert RESEARCH.startswith("Research (for researchers")


def test_headings_come_in_order() -> None:
    found = list(sections("inspect"))
    assert found == [heading for heading in HEADINGS if heading in found]
    assert found == ["Input", "References", "Verdict", "Output", "Model", "Server", RESEARCH, "Help"]


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        elif name not in ("nano",) and path[:1] != ("nano",):
            yield (*path, name), command


def test_every_option_has_a_sentence_and_nothing_hidden_is_named() -> None:
    assert isinstance(main, click.Group)
    names = []
    for path, command in commands(main):
        names.append(path)
        text = CliRunner().invoke(main, [*path, "--help"]).output
        assert "fake" not in text, path
        for option in command.params:
            if isinstance(option, click.Option):
                help_text = re.sub(r"\s*\[default: .*\]$", "", option.help or "")
                assert help_text[:1].isupper() or help_text.startswith("nano ("), (path, option.name)
                assert help_text.endswith("."), (path, option.name)
    assert ("bench", "run") in names and ("inspect",) in names


@pytest.mark.parametrize(
    "command", ["inspect", "ask", "demo", "doctor", "bench run", "bench detect", "bench retrieval"]
)
def test_shared_options_are_the_same_everywhere(command: str) -> None:
    first = {option.name: option for option in found_options("inspect")}
    for option in found_options(*command.split()):
        if option.name in ("model", "device", "threads"):
            assert option.to_info_dict() == first[option.name].to_info_dict()
    assert {"model", "device", "threads"} <= {option.name for option in found_options(*command.split())}


def found_options(*path: str) -> list[click.Option]:
    command: click.Command = main
    for name in path:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), name)
        assert found is not None
        command = found
    assert isinstance(command, HeadedCommand)
    return [option for option in command.params if isinstance(option, click.Option)]


def test_the_commands_stand_in_two_groups() -> None:
    found = sections()
    assert list(found) == ["Options", *SECTIONS]
    for heading, names in SECTIONS.items():
        assert re.findall(r"^  (\w+)  ", found[heading], re.MULTILINE) == list(names)
    assert [name for names in SECTIONS.values() for name in names] == list(COMMANDS)


def test_exit_codes_are_explained() -> None:
    text = CliRunner().invoke(main, ["inspect", "--help"]).output
    codes = {0: "All parts pass", 1: "has a defect", 2: "is wrong", 3: "could not be", 4: "needs a person"}
    for code, words in (codes | {70: "bug", 130: "interrupted"}).items():
        assert re.search(rf"^ +{code}  .*{words}", text, re.MULTILINE)
