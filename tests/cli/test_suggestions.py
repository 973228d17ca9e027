"""A word that is nearly right: the message says which one was meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.cli.conftest import Run
from tests.cli.stub import StubInspector

from reason_iad.cli import main
from reason_iad.errors import did_you_mean, nearest_file

Make = Callable[..., Path]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["inspekt", "part.png"], "There is no command 'inspekt'. Did you mean 'inspect'?"),
        (["bench", "rum"], "There is no command 'rum'. Did you mean 'run'?"),
        (["knowledge", "chek"], "There is no command 'chek'. Did you mean 'check'?"),
        (["xyz"], "There is no command 'xyz'. Choose one of: inspect, compare, ask, demo"),
        (["inspect", "{part}", "--referense", "good.png"], "'--reference'"),
        (["inspect", "{part}", "--method", "ful"], "'ful' is not possible here. Did you mean 'full'?"),
        (["bench", "report", "x", "--format", "htm"], "Did you mean 'html'?"),
        (["bench", "run", "--method", "dirct"], "There is no method 'dirct'. Did you mean 'direct'?"),
        (["inspect", "{part}", "--device", "cdua"], "There is no device 'cdua'. Did you mean 'cuda'?"),
        (["inspect", "{part}", "--model", "nanno"], "'nanno' was not found. Did you mean 'nano'?"),
        (["inspect", "part.pgn"], "'part.pgn' does not exist; check the path. Did you mean 'part.png'?"),
        (["inspect", "{part}", "--knowledge", "knowlege"], "'knowlege' does not exist. Did you mean 'knowledge'?"),
        (["inspect", "{part}", "--json", "reslts/out.json"], "'reslts' does not exist. Did you mean 'results'?"),
    ],
)
def test_the_word_that_was_meant_is_suggested(
    words: list[str], said: str, run: Run, make_image: Make, stubs: list[StubInspector],
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    make_image("part.png")
    for folder in ("knowledge", "results"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path)
    result = run(*(word.format(part="part.png") for word in words))
    assert result.exit_code == 2 and not stubs
    assert said in " ".join(result.stderr.split())


def test_a_category_that_is_nearly_right(make_image: Make) -> None:
    words = ["inspect", str(make_image("part.png", 120, 64)), "--model", "fake", "--category", "lether"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert "The category 'lether' is not known. Did you mean 'leather'?" in result.stderr


def test_suggestions_are_sentences() -> None:
    assert did_you_mean("LETHER", ["leather", "wood"]) == " Did you mean 'leather'?"
    assert did_you_mean("board 1", ["Board 2", "Board 11", "leather"]) == " Did you mean 'Board 11' or 'Board 2'?"
    assert did_you_mean("x", ["leather"]) == ""


def test_a_folder_that_cannot_be_read_suggests_nothing(tmp_path: Path) -> None:
    assert nearest_file(tmp_path / "missing" / "part.png") == ""
    (tmp_path / "part.png").write_text("")
    assert nearest_file(tmp_path / "Part.PNG") == " Did you mean 'part.png'?"


@pytest.mark.parametrize(
    "words", [["inspect", "{part}"], ["ask", "{part}", "Is it round?", "--options", "yes", "no"]]
)
def test_a_category_that_is_nearly_right_is_said_too_where_no_knowledge_is_used(
    words: list[str], run: Run, make_image: Make
) -> None:
    words = [word.format(part=make_image()) for word in words]
    said = run(*words, "--method", "direct", "--category", "lether")
    assert said.exit_code != 2, said.output
    assert "Note: The category 'lether' is not known. Did you mean 'leather'? Nothing is known" in said.stderr
    assert "Note:" not in run(*words, "--method", "direct", "--category", "Leather").stderr
