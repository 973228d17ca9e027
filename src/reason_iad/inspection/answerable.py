"""What a model can be asked: a question with answers to choose from, or, if it can write, a free one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reason_iad.errors import ModelError
from reason_iad.inspection.intents import closed, of_person, with_places

if TYPE_CHECKING:
    from reason_iad.backbones.base import Backbone, ChatModel
    from reason_iad.inspection.deciding import Case, Decision
    from reason_iad.inspection.questions import Question
    from reason_iad.schema import Answer


def answerable(question: Question, model: Backbone | ChatModel) -> Question:
    """The question of a person, with its intent, as the model can answer it.

    A question that asks for yes or no gets these options. A free question is left as it is for a model that writes.

    Args:
        question: as it was asked.
        model: what will be asked.

    Raises:
        ModelError: it is a free question, and the model cannot write.
    """
    return _answerable(question, model.version.name, writes=bool(getattr(model, "writes", True)))


def check_nano(question: Question) -> None:
    """Refuse what the embedded model cannot answer, before it is loaded.

    Raises:
        ModelError: as `answerable`.
    """
    _answerable(question, "nano", writes=False)


def _answerable(question: Question, name: str, *, writes: bool) -> Question:
    asked = closed(question)
    if not asked.options and not writes:
        asked = with_places(asked)
        if not asked.options:
            raise ModelError(
                f"The model '{name}' cannot answer free questions. Give it answers to choose from (--options), or "
                "use a larger model (--model)."
            )
    return asked if asked.intent is not None else of_person(asked)


def ask_further(case: Case, question: Question) -> Decision:
    """Ask what a person asks beside the inspection; the answer repeats the question as it was asked."""
    from reason_iad.inspection.deciding import ask

    return as_asked(ask(case, question), question.said or question.text)


def as_asked(decision: Decision, text: str) -> Decision:
    """The same answers under the question as it was asked; where the answer was described, that stays."""
    looks = tuple(each if each.described else _under(each, text) for each in decision.looks)
    return replace(decision, answer=_under(decision.answer, text), looks=looks)


def _under(answer: Answer, text: str) -> Answer:
    return answer.model_copy(update={"question": text})
