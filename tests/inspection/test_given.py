"""What people give an inspector by mistake is refused in one sentence that says what to write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from reason_iad import Inspector
from reason_iad.backbones.fake import FakeBackbone
from reason_iad.errors import ConfigError, KnowledgeError, PromptError
from reason_iad.inspection.questions import OWN_KEYS, Question

PICTURE = Image.effect_noise((64, 64), 40).convert("RGB")


@pytest.fixture(scope="module")
def inspector() -> Inspector:
    return Inspector(FakeBackbone())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("nano",), r"not a str\. To load one, write Inspector\.from_pretrained\('nano'\)"),
        ((Path("models/mine"),), r"write Inspector\.from_pretrained\('models/mine'\)"),
        ((None,), r"a model that is loaded, not None"),
        ((FakeBackbone(), "knowledge"), r"from_pretrained\(\.\.\., knowledge='FOLDER'\)"),
        ((FakeBackbone(), None, "full"), r"is given as a str\. Write it as InspectorConfig\("),
        ((FakeBackbone(), None, None, "gallery"), r"from_pretrained\(\.\.\., gallery='FOLDER'\)"),
    ],
)
def test_names_in_place_of_what_is_loaded(given: tuple[Any, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Inspector(*given)


def test_an_operating_point_and_a_configuration_of_another_type() -> None:
    with pytest.raises(ConfigError, match="operating point is given as a float"):
        Inspector(FakeBackbone(), operating_point=0.5)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="configuration is given as a dict"):
        Inspector.from_pretrained("fake", config={"method": "full"})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("question", "options", "said"),
    [
        (3, (), "The question is given as an int; write it as text"),
        (None, (), "The question is given as None"),
        ("Is it round?", "yes", r"The options are given as a str; give a list such as \['yes', 'no'\]"),
        ("Is it round?", 2, "The options are given as an int"),
        ("Is it round?", ["yes", 2], "Option 2 is given as an int; write it as text"),
    ],
)
def test_questions_and_options(inspector: Inspector, question: Any, options: Any, said: str) -> None:
    with pytest.raises(PromptError, match=said):
        inspector.ask(PICTURE, question, options=options)


def test_a_further_question(inspector: Inspector) -> None:
    with pytest.raises(PromptError, match="The question is given as an int"):
        inspector.inspect(PICTURE, question=3)  # type: ignore[arg-type]
    for key in ("type", "place", "explanation"):
        with pytest.raises(PromptError, match=f"'{key}' is the key of one of the inspection's own questions"):
            inspector.inspect(PICTURE, question=Question(key, "Which colour is it?"))
    mine = inspector.inspect(PICTURE, question=Question("colour", "Which colour is it?", ("red", "blue")))
    keys = [answer.key for answer in mine.evidence.answers]
    assert keys.count("colour") == 1 and set(keys) - {"colour"} <= OWN_KEYS


def test_a_category_that_is_no_text(inspector: Inspector) -> None:
    with pytest.raises(KnowledgeError, match="The category is given as an int; give its name as text"):
        inspector.inspect(PICTURE, category=3)  # type: ignore[arg-type]
