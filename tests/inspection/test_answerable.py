"""What people ask without options: yes or no, a place, or a text if the model can write."""

from __future__ import annotations

import numpy as np
import pytest

from reason_iad import Inspector, InspectorConfig
from reason_iad.backbones.fake import FakeBackbone
from reason_iad.errors import ModelError
from reason_iad.inspection.answerable import answerable, check_nano
from reason_iad.inspection.intents import closed
from reason_iad.inspection.questions import Question
from reason_iad.schema import PLACES, SIZES


def asked(text: str, *options: str) -> Question:
    return Question("question", text, options)


@pytest.mark.parametrize(
    "text",
    [
        "Is there a defect?",
        "Is there any visible defect in this part?",
        "is this part defective",
        "Gibt es einen Defekt?",
        "Gibt es irgendwelche sichtbaren Fehler auf diesem Teil?",
        "Ist das Bauteil beschädigt?",
        "Hat dieses Teil einen Fehler?",
        "Y a-t-il un défaut ?",
        "¿Hay algún defecto en la pieza?",
        "有缺陷吗？",
        "这个零件有没有缺陷？",
        "图中是否存在异常",
    ],
)
def test_whether_there_is_a_defect_is_answered_with_yes_or_no(text: str) -> None:
    question = closed(asked(text))
    assert question.options == ("yes", "no")
    assert question.intent is not None and (question.intent.asks, question.intent.yes) == ("whether", "A")


@pytest.mark.parametrize(
    "text",
    ["Is the part red?", "Does it have four holes?", "Can you see a label?", "Ist das Teil rot?",
     "Fehlt eine Schraube?",
     "Est-ce que la vis est droite ?", "¿Tiene cuatro agujeros?", "这个零件是红色的吗？", "螺丝是否拧紧"],
)  # fmt: skip
def test_other_questions_for_yes_or_no_are_answered_so_by_the_model_alone(text: str) -> None:
    question = closed(asked(text))
    assert question.options == ("yes", "no") and question.intent is None and question.text == text


@pytest.mark.parametrize(
    "text",
    ["What is this?", "Is it red or blue?", "Ist es rot oder blau?", "Can you describe the part?", "Was ist das?",
     "Wo ist der Defekt?", "Describe it.", "这是什么？", "是红色还是蓝色", "How many holes are there?"],
)  # fmt: skip
def test_free_questions_are_for_models_that_write(text: str) -> None:
    assert answerable(asked(text), FakeBackbone()) == asked(text)
    with pytest.raises(ModelError, match=r"'nano' cannot answer free questions\. Give it answers to choose from"):
        check_nano(asked(text))


def test_a_model_that_cannot_write_chooses_from_places_and_sizes() -> None:
    mute = FakeBackbone()
    mute.writes = False
    where, large = (answerable(asked(text), mute) for text in ("Where is the defect?", "How large is the defect?"))
    assert where.options == PLACES and where.intent is not None and where.intent.asks == "place"
    assert large.options == SIZES and large.intent is not None and large.intent.asks == "size"


def test_options_that_were_given_stay() -> None:
    assert closed(asked("Is it bright?", "very", "a little")).options == ("very", "a little")


def test_the_reply_repeats_the_question_as_it_was_asked() -> None:
    look = Inspector(FakeBackbone(), config=InspectorConfig("direct", explanation_tokens=4))
    reply = look.ask(np.full((40, 40, 3), 90, np.uint8), "有缺陷吗？")
    assert reply.answer.question == "有缺陷吗？" and reply.answer.text in ("yes", "no")
    further = look.inspect(np.full((40, 40, 3), 90, np.uint8), question="Ist es rot?").evidence.answer("question")
    assert further is not None and further.text in ("yes", "no")
