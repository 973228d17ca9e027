"""Every Python block and every `reason-iad` command in README and docs runs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.docs.blocks import PAGES, ROOT, SHOWN, Block, blocks, outside_blocks
from tests.docs.substitutions import ELSEWHERE, EXIT_CODES, NOT_RUN, SUBSTITUTIONS, stand_in

from reason_iad.cli import main

SLOW = tuple(
    f"docs/{name}.md" for name in ("getting-started", "measuring", "products", "results", "servers", "thresholds")
)
"""Their examples make several products, or inspect dozens of parts."""
RUNNING = [
    pytest.param(page, marks=pytest.mark.slow) if page in SLOW else page
    for page in PAGES
    if page not in ELSEWHERE and any(block.language in ("python", "bash") for block in blocks(page))
]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", RUNNING)
def test_the_examples_of_a_page_run(page: str, workplace: Path) -> None:
    """In order, in one folder: later examples use what earlier ones wrote."""
    names: dict[str, Any] = {"__name__": "example"}
    for block in blocks(page):
        if block.language == "python":
            exec(compile("\n" * block.line + block.text, page, "exec"), names)
        elif block.language == "bash":
            for command in block.commands():
                _run(command, block)
        else:
            assert block.language in SHOWN, f"{block.place}: a block of '{block.language}' is neither run nor known"
            _write(block, workplace)


def _run(command: str, block: Block) -> None:
    """Run a command of this package in this process; of others, check what can be checked."""
    words = shlex.split(stand_in(command))
    not_run = any(command.startswith(start) for start in NOT_RUN)
    if words[0] != "reason-iad" or not_run:
        assert not_run, f"{block.place}: does not run: {command}"
        _check_other(words)
        return
    result = CliRunner().invoke(main, words[1:])
    right = EXIT_CODES.get(words[1], (0,))
    assert result.exit_code in right, f"{block.place}: {command}\n{result.output}\n{result.exception!r}"


def _check_other(words: list[str]) -> None:
    if words[0] == "reason-iad":
        for word in words:
            if word.endswith((".pem", ".key")):
                Path(word).touch()
        main.get_command(None, words[1]).make_context(words[1], words[2:])  # type: ignore[arg-type,union-attr]
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE), words
    if words[0] == "python":
        assert (ROOT / words[1]).is_file(), words


def _write(block: Block, folder: Path) -> None:
    """Write a file that the sentence before the block names."""
    if block.file is not None:
        path = folder / block.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_commands_stand_in_blocks(page: str) -> None:
    """A command outside a block would not run here."""
    stray = re.findall(r"^(?: {4,}|\t)\s*(?:reason-iad|make|pip) .*", outside_blocks(page), re.MULTILINE)
    assert not stray


def test_every_substitution_is_needed() -> None:
    shell = [block for page in PAGES for block in blocks(page) if block.language == "bash"]
    commands = [command for block in shell for command in block.commands()]
    for text in SUBSTITUTIONS:
        assert any(text in command for command in commands), f"no example has {text!r} any more"
    for start in NOT_RUN:
        assert any(command.startswith(start) for command in commands), f"no example begins with {start!r} any more"


def test_a_block_that_cannot_run_is_found() -> None:
    block = Block("page.md", 1, "bash", "unknown-tool --now\n", None)
    with pytest.raises(AssertionError, match="does not run"):
        _run("unknown-tool --now", block)
