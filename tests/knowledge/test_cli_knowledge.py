from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.knowledge.conftest import MARKDOWN, YAML
from tests.knowledge.test_mmad import LAYOUT

from reason_iad.cli import main

Write = Callable[..., Path]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run `reason-iad knowledge` with a fresh data folder."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return lambda *arguments: CliRunner().invoke(main, ["knowledge", *map(str, arguments)])


def test_add_list_show_search_remove(cli: Callable[..., Result], write: Write) -> None:
    added = cli("add", write("board.md", MARKDOWN))
    assert added.exit_code == 0, added.output
    assert "Added 5 entries (Bare Board)" in added.stderr
    assert added.stdout == ""

    listed = cli("list").stdout.splitlines()
    assert listed[0].split("\t") == ["bare-board/normal/normal", "", "Traces have even width & smooth edges."]
    assert len(listed) == 5
    assert cli("list", "--category", "PCB").stdout.splitlines() == listed

    shown = cli("show", "bare-board/defect/open-circuit").stdout
    assert "severity:  critical" in shown
    assert "source:    board.md#Open circuit" in shown

    found = cli("search", "copper joins").stdout.splitlines()
    assert [line.split("\t")[1] for line in found] == ["bare-board/defect/short"]

    removed = cli("remove", "pcb")
    assert "Removed 5 entries of 'Bare Board'" in removed.stderr
    assert "is empty" in cli("list").stderr


def test_json_can_be_read_back(cli: Callable[..., Result]) -> None:
    found = json.loads(cli("search", "scratch", "--category", "timber", "--limit", "1", "--json").stdout)
    assert found[0]["entry"]["id"] == "wood/defect/scratch"
    assert found[0]["scorer"] == "bm25"
    assert json.loads(cli("show", "wood/defect/scratch", "--json").stdout) == found[0]["entry"]
    assert found[0]["entry"] in json.loads(cli("list", "--category", "wood", "--json").stdout)


def test_reading_uses_what_the_package_ships_until_there_is_a_store(
    cli: Callable[..., Result], write: Write
) -> None:
    assert cli("show", "pcb/defect/short-circuit").exit_code == 0
    cli("add", write("board.md", MARKDOWN.replace("pcb, ", "")))
    missing = cli("show", "pcb/defect/short-circuit")
    assert missing.exit_code == 2
    assert "No entry 'pcb/defect/short-circuit'" in missing.stderr


def test_a_store_or_a_folder_of_ones_own(cli: Callable[..., Result], write: Write, tmp_path: Path) -> None:
    path = write("mine/board.yaml", YAML)
    assert cli("add", path, "--store", tmp_path / "s").exit_code == 0
    for source in (tmp_path / "s", path.parent):
        assert cli("show", "bare-board/defect/short", "--store", source).exit_code == 0
    assert not (tmp_path / "data").exists()


def test_a_bad_file_stops_before_the_store_is_made(
    cli: Callable[..., Result], write: Write, tmp_path: Path
) -> None:
    result = cli("add", write("good.md", MARKDOWN), write("bad.md", "x"))
    assert result.exit_code == 2
    assert "bad.md, line 1" in result.stderr
    assert not (tmp_path / "data").exists()


def test_import(cli: Callable[..., Result], write: Write) -> None:
    result = cli("import", write("m.json", json.dumps(LAYOUT)), "--format", "mmad")
    assert "Imported 5 entries on 3 categories" in result.stderr
    assert len(cli("list", "--category", "tea_cup").stdout.splitlines()) == 2
    assert cli("import", write("x.json", "[]"), "--format", "mmad").exit_code == 2


def test_check_lists_every_problem_of_every_file(cli: Callable[..., Result], write: Write, tmp_path: Path) -> None:
    good = write("good/board.md", MARKDOWN)
    fine = cli("check", good, good.parent)
    assert fine.exit_code == 0
    assert "no problems" in fine.stderr
    write("bad/a.yaml", "category: a\nnormal: ''\ndefects:\n- name: x\n")
    write("bad/b.md", "x")
    result = cli("check", tmp_path / "bad", good, tmp_path / "none.md")
    assert result.exit_code == 2
    lines = result.stdout.splitlines()
    assert [Path(line.split(":")[0].split(",")[0]).name for line in lines] == [
        "a.yaml",
        "a.yaml",
        "b.md",
        "none.md",
    ]
    assert "4 problems" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["list", "--category", "wod"], "Did you mean 'wood'"),
        (["list", "--store", "/nonexistent"], "does not exist"),
        (["remove", "wood"], "does not exist"),
        (["search", "x", "--dense", "/nonexistent"], "model2vec|reason-iad\\[dense\\]"),
        (["add"], "Missing argument"),
    ],
)
def test_mistakes_are_one_sentence_and_exit_code_2(
    cli: Callable[..., Result], arguments: list[str], says: str
) -> None:
    result = cli(*arguments)
    assert result.exit_code == 2
    assert re.search(says, result.stderr)
    assert "Traceback" not in result.output


def test_nothing_found(cli: Callable[..., Result]) -> None:
    result = cli("search", "xylophone")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "Nothing found" in result.stderr


def test_entries_are_not_markup_on_a_terminal(
    cli: Callable[..., Result], write: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from reason_iad.cli import printing

    monkeypatch.setattr(printing.sys, "stdout", type("Terminal", (), {"isatty": lambda self: True})())
    from rich import console

    lines: list[object] = []
    monkeypatch.setattr(console.Console, "print", lambda self, table: lines.append(table))
    printing.print_table(("id", "text"), [("a/b/c", "[red]x[/red] [link=file:///]y")])
    cells = list(lines[0].columns[1].cells)  # type: ignore[attr-defined]
    assert cells[0].plain == "[red]x[/red] [link=file:///]y"
