"""The scripted fake model: what is scripted is what an inspection says, with every method and in many threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image
from tests.backbones.cases import picture

from reason_iad.backbones.fake import FakeBackbone
from reason_iad.backbones.scripted import STANDARD, Script
from reason_iad.config import InspectorConfig, ReasoningConfig
from reason_iad.errors import ConfigError
from reason_iad.inspection.inspector import Inspector
from reason_iad.inspection.questions import (
    described_question,
    detection_question,
    explanation_question,
    place_question,
    type_question,
)
from reason_iad.knowledge import open_knowledge

ANSWERS = {"detection": "Yes", "type": "Scratch", "place": "top left", "explanation": "A thin line."}
FEW_STEPS = ReasoningConfig(steps=2)


@pytest.fixture(scope="module")
def knowledge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("knowledge") / "plate.yaml"
    path.write_text(
        "category: plate\nnormal: A plain plate.\ndefects:\n"
        "  - {name: scratch, description: A thin bright line.}\n"
        "  - {name: dent, description: A shallow dark pit.}\n"
    )
    return path


def inspector(knowledge: Path | None, method: str = "full", **answers: str) -> Inspector:
    store = None if knowledge is None else open_knowledge(knowledge)
    return Inspector(
        FakeBackbone(answers=ANSWERS | answers), store, InspectorConfig(method=method, reasoning=FEW_STEPS)
    )


def test_the_words_of_the_standard_questions() -> None:
    questions = [detection_question(), type_question(["a", "b"]), place_question(), explanation_question()]
    assert list(STANDARD) == [question.key for question in questions]
    assert all(STANDARD[question.key] in question.text for question in questions)
    assert STANDARD["type"] in described_question(questions[1], "It became brighter.").text


@pytest.mark.parametrize("method", ["direct", "cot", "knowledge", "latent", "full"])
def test_an_inspection_says_what_is_scripted(knowledge: Path, method: str) -> None:
    found = inspector(knowledge, method).inspect(picture(0, 60, 60), category="plate")
    assert (found.verdict, found.probability > 0.99) == ("defect", True)
    answers = {answer.key: answer.text for answer in found.evidence.answers}
    assert answers["place"] == "top left"
    assert found.explanation.endswith("A thin line.")
    assert found.defect_type == "scratch"


def test_no_defect_is_a_pass() -> None:
    found = inspector(None, detection="No").inspect(picture(0, 60, 60))
    assert found.verdict == "pass" and found.probability < 0.01


def test_own_questions_are_answered_by_their_words() -> None:
    asking = inspector(None, **{"colour": "blue", "Which colour has the text": "green", "Describe": "A plate."})
    part = picture(0, 60, 60)
    assert asking.ask(part, "Which COLOUR is it?", options=["red", "blue"]).answer.choice == "B"
    options = ["green", "blue"]
    assert asking.ask(part, "Which colour has the text?", options=options).answer.text == "green", "longest words"
    assert asking.ask(part, "Describe it.").answer.text == "A plate."


def test_what_is_not_scripted_is_an_error() -> None:
    asking, part = inspector(None, colour="pink"), picture(0, 60, 60)
    with pytest.raises(ConfigError, match=r"no scripted answer to 'How heavy is it\?'.*'detection'"):
        asking.ask(part, "How heavy is it?", options=["1 kg", "2 kg"])
    with pytest.raises(ConfigError, match="no scripted answer to 'How heavy"):
        asking.ask(part, "How heavy is it?")
    with pytest.raises(ConfigError, match=r"'pink' is no option of 'Which colour.*Choose one of: red, blue"):
        asking.ask(part, "Which colour is it?", options=["red", "blue"])


def test_a_question_without_options_has_no_letter() -> None:
    assert Script({"why": "Because."}).letter("Why?\n") is None


def test_one_script_serves_many_threads() -> None:
    asking = inspector(None, "direct", one="first", two="second")
    parts: list[Image.Image] = [picture(seed, 60, 60) for seed in range(2)]

    def ask(number: int) -> str | None:
        words = ("one", "two")[number % 2]
        return asking.ask(parts[number % 2], f"Is it {words}?", options=["second", "first"]).answer.text

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(12))) == ["first", "second"] * 6


def test_without_a_script_its_weights_answer() -> None:
    found = Inspector(FakeBackbone(), None, InspectorConfig(method="direct")).inspect(picture(0, 60, 60))
    assert 0.001 < found.probability < 0.999
