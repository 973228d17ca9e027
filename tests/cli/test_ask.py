"""`reason-iad ask`, with options as the documentation writes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Run
from tests.cli.stub import StubInspector

from reason_iad.inspection.intents import advice, of_person
from reason_iad.inspection.questions import Question
from reason_iad.schema import MapEvidence, Reply

Make = Callable[..., Path]


@pytest.mark.parametrize("command", [["ask", "{part}", "Is it wet?"], ["inspect", "{part}"]])
def test_the_orders_of_the_options_can_be_chosen(
    command: list[str], run: Run, stubs: list[StubInspector], make_image: Make
) -> None:
    words = [word.format(part=make_image()) for word in command]
    run(*words)
    run(*words, "--option-orders", "cyclic")
    assert [stub.config.option_orders for stub in stubs] == ["types", "cyclic"]


def test_compiling_is_off_unless_asked_for(monkeypatch: pytest.MonkeyPatch, make_image: Make) -> None:
    from click.testing import CliRunner

    from reason_iad.cli import main
    from reason_iad.cli.engine import Engine

    seen: list[bool] = []

    def load(engine: Engine) -> StubInspector:
        seen.append(engine.compile_steps)
        return StubInspector(engine.model, engine.config)

    monkeypatch.setattr(Engine, "load", load)
    for words in ([], ["--compile"]):
        CliRunner().invoke(main, ["ask", str(make_image()), "Is it wet?", *words])
    assert seen == [False, True]


def test_weighing_can_be_switched_off(run: Run, stubs: list[StubInspector], make_image: Make) -> None:
    part = make_image()
    run("ask", part, "Is there a defect?", "--options", "yes", "no")
    run("ask", part, "Is there a defect?", "--options", "yes", "no", "--no-fuse")
    assert [stub.config.fuse for stub in stubs] == [True, False]


def test_what_was_weighed_is_shown_beside_the_models_own(
    run: Run, make_image: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = StubInspector.ask

    def weighed(self: StubInspector, *args: Any, **options: Any) -> Reply:
        reply = plain(self, *args, **options)
        surer = reply.answer.model_copy(
            update={"probabilities": {"A": 0.9, "B": 0.1}, "choice": "A", "text": "yes"} if changed else {}
        )
        evidence = reply.evidence.model_copy(update={"answers": (reply.answer,)})
        return reply.model_copy(update={"answer": surer, "weighed": True, "evidence": evidence})

    words = ("ask", make_image(), "Is there a defect?", "--options", "yes", "no")
    changed = True
    before = run(*words).stdout
    monkeypatch.setattr(StubInspector, "ask", weighed)
    after = run(*words).stdout
    assert "The good parts" not in before
    assert "The good parts decided: yes. Without them the model says: no (0.900)." in after
    changed = False
    assert "The good parts agree with the model." in run(*words).stdout


def test_a_question_that_is_not_recognised_is_told_with_one_that_is(
    run: Run, make_image: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = StubInspector.ask
    found = MapEvidence(rows=1, columns=1, values=(0.0,), gate_passed=False, calibrated_on=1)

    def mapped(self: StubInspector, *args: Any, **options: Any) -> Reply:
        reply = plain(self, *args, **options)
        evidence = reply.evidence.model_copy(update={"anomaly_map": found})
        asked = of_person(Question("question", args[1], tuple(options["options"])))
        said = None if asked.intent else advice(asked)
        return reply.model_copy(update={"evidence": evidence, "advice": said})

    monkeypatch.setattr(StubInspector, "ask", mapped)
    words = ("--options", "yes", "no", "--reference", make_image("good.png", 110))
    other = run("ask", make_image(), "Is the left thread worn?", *words).stdout
    assert "The good parts help only with these questions: is there a defect, which type" in other
    assert 'This answer is the model\'s alone. Ask "Is there any defect?"' in other and "compared" not in other
    assert "Ask" not in run("ask", make_image(), "Is it a screw?", *words).stdout
    asked = run("ask", make_image(), "Is there any defect?", "--options", "yes", "no").stdout
    assert "not used: this is the model's own answer." in asked and "instead" not in asked


def test_open_question(run: Run, make_image: Make) -> None:
    result = run("ask", make_image(), "What is it?", "--model", "fake")
    assert result.exit_code == 0
    assert "A plate." in result.stdout


def test_a_free_question_is_refused_where_the_model_cannot_write(
    run: Run, make_image: Make, stubs: list[StubInspector]
) -> None:
    for words in (("ask", make_image(), "What is it?"), ("inspect", make_image(), "--question", "Was ist das?")):
        result = run(*words)
        assert result.exit_code == 2 and not stubs
        assert "The model 'nano' cannot answer free questions. Give it answers" in result.stderr
    assert run("inspect", make_image(), "--question", "Ist es hell?").exit_code != 2


@pytest.mark.parametrize(
    "words",
    [
        ["{part}", "How many?", "--options", "A) four", "B) eight"],
        ["{part}", "How many?", "--options", "four", "eight", "--seed", "1"],
        ["{part}", "How many?", "--options", "four", "--options", "eight"],
        ["--options", "four", "--options", "eight", "{part}", "How many?"],
        ["--options=four", "--options=eight", "--", "{part}", "How many?"],
    ],
)
def test_options(words: list[str], run: Run, make_image: Make) -> None:
    part = str(make_image())
    result = run("ask", *(word.format(part=part) for word in words), "--json", "-") if "--" not in words else None
    if result is None:
        result = run("ask", "--json", "-", *(word.format(part=part) for word in words))
    reply = Reply.model_validate_json(result.stdout)
    assert reply.answer.options == {"A": "four", "B": "eight"}
    assert reply.answer.question == "How many?"


def test_probabilities_are_shown(run: Run, make_image: Make) -> None:
    out = run("ask", make_image(), "How many?", "--options", "A) four", "B) eight").stdout
    assert "B) eight" in out and "0.900" in out and "0.100" in out


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["  "], "question"),
        (["Which?", "--options", "only one"], "two"),
        (["Which?", "--options", "B) one", "A) two"], "order"),
        (["Which?", "--options", "a", "a"], "The option 'a' is given twice"),
        (["Which?", "--options", "A) yes", "B) Yes"], "The option 'Yes' is given twice"),
        (["Which?", "--json", "nowhere/out.json"], "nowhere"),
        (["Which?", "--reference", "missing.png"], "missing.png"),
    ],
)
def test_input_errors(words: list[str], named: str, run: Run, make_image: Make, stubs: list[StubInspector]) -> None:
    result = run("ask", make_image(), *words)
    assert result.exit_code == 2
    assert named in result.stderr
    assert not stubs


def test_json_file(run: Run, make_image: Make, tmp_path: Path) -> None:
    out = tmp_path / "reply.json"
    assert run("ask", make_image(), "Is it?", "--json", out, "--quiet").stdout == ""
    assert Reply.model_validate_json(out.read_text()).answer.text == "A plate."
