"""The program as a whole: instant help, and no heavy import until one is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import reason_iad
from reason_iad.cli import COMMANDS, LazyGroup, main

HEAVY = ("torch", "transformers", "lancedb", "pyarrow", "numpy", "PIL", "scipy", "matplotlib", "pydantic", "rich")


def loaded_by(code: str) -> set[str]:
    """Which heavy libraries a fresh interpreter has loaded after this code."""
    code += f"\nimport sys\nprint('\\nLOADED', *({HEAVY!r} & sys.modules.keys()))"
    code = code.replace(f"{HEAVY!r}", f"set({HEAVY!r})")
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return set(output.rpartition("LOADED")[2].split())


@pytest.mark.parametrize(
    "code",
    [
        "import reason_iad",
        "import reason_iad; reason_iad.ReasonIADError; reason_iad.InspectorConfig()",
        "from reason_iad.cli import main; main(['--help'], standalone_mode=False)",
        "from reason_iad.cli import main; main(['--version'], standalone_mode=False)",
        "from reason_iad.cli import main; main(['inspect', '--help'], standalone_mode=False)",
        "from reason_iad.cli import main; main(['ask', '--help'], standalone_mode=False)",
        "from reason_iad.cli import main; main(['demo', '--help'], standalone_mode=False)",
        "from reason_iad.cli import main; main(['doctor', '--help'], standalone_mode=False)",
    ],
)
def test_nothing_heavy_before_it_is_needed(code: str) -> None:
    assert loaded_by(code) == set()


def test_help_names_every_command() -> None:
    output = " ".join(CliRunner().invoke(main, ["--help"], terminal_width=200).output.split())
    for name, line in COMMANDS.items():
        assert name in output and line.split(":")[0] in output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_loads_and_has_help(name: str) -> None:
    assert isinstance(main, LazyGroup)
    command = main.get_command(click.Context(main), name)
    assert command is not None and command.name == name and command.help
    assert CliRunner().invoke(main, [name, "--help"]).exit_code == 0


def test_unknown_command_is_a_usage_error() -> None:
    assert CliRunner().invoke(main, ["inspekt"]).exit_code == 2


def test_version() -> None:
    assert reason_iad.__version__ in CliRunner().invoke(main, ["--version"]).output


def test_module_runs_as_the_program() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "reason_iad", "--help"], capture_output=True, text=True, check=True
    )
    assert "inspect" in result.stdout


def test_public_names_exist() -> None:
    for name in reason_iad.__all__:
        assert getattr(reason_iad, name) is not None
        assert name in dir(reason_iad)
    with pytest.raises(AttributeError, match="nothing"):
        reason_iad.nothing  # noqa: B018


def test_a_reader_that_stops_early_is_no_error() -> None:
    """`reason-iad schema | head -1`"""
    code = "from reason_iad.cli import main; main(['schema'])"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("words", [["--help"], ["schema"], ["knowledge", "list"]])
def test_an_output_without_space_is_no_bug(words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "reason_iad", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ended.returncode == 2
    assert ended.stderr == "Error: The output could not be written: no space left on device.\n"


def test_schemas_go_into_a_new_folder(tmp_path: Path) -> None:
    assert CliRunner().invoke(main, ["schema", "--out", str(tmp_path / "a" / "b")]).exit_code == 0
    assert (tmp_path / "a" / "b" / "inspection.schema.json").is_file()
    (tmp_path / "file").touch()
    refused = CliRunner().invoke(main, ["schema", "--out", str(tmp_path / "file" / "c")])
    assert refused.exit_code == 2 and "cannot be made" in refused.output
