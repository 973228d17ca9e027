"""One question decided: the model answers, looks closer, and the difference is weighed (METHOD section 5).

Only questions whose intent is known are weighed, and only where the model has weights for it and there is something
to compare with. All others are answered by the model alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reason_iad.inspection.answering import RemoteScene, Scene, answer_question
from reason_iad.inspection.questions import Question, described_question
from reason_iad.inspection.type_names import under_known_names
from reason_iad.inspection.weighing import Looks, weigh, what_was_weighed
from reason_iad.schema import Answer, Box, FusionEvidence, InjectedPatch

if TYPE_CHECKING:
    from reason_iad.config import Orders
    from reason_iad.expert import AnomalyMap
    from reason_iad.inspection.clock import Clock
    from reason_iad.inspection.fusion import LateFusion
    from reason_iad.inspection.lookup import Known
    from reason_iad.inspection.questions import Intent
    from reason_iad.inspection.scenes import CloserLook
    from reason_iad.inspection.setup import Setup
    from reason_iad.inspection.subject import Subject


@dataclass(frozen=True, slots=True)
class Case:
    """Everything there is about one picture before a question is asked.

    Attributes:
        setup: what inspections share.
        subject: the picture and the good parts.
        known: what is known of the part.
        difference: how it differs from the good parts; None where nothing was compared.
        scene: the whole part, run through the model.
        closer: gives the closer look at one of `PLACES`, or at where most differs (None); only where there is a
            difference.
        clock: counts phases.
    """

    setup: Setup
    subject: Subject
    known: Known
    difference: AnomalyMap | None
    scene: Scene | RemoteScene
    closer: Callable[[int | None], CloserLook]
    clock: Clock


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of one question.

    Attributes:
        answer: weighed, or the model's own.
        looks: the model's own answers: seeing the whole part first, then closer and by what changed, if asked.
        patches: injected to get the first of them.
        weighed: whether anything but the model's own answer is in it.
        fusion: what was weighed into a question whether there is a defect.
        box: the part of the picture of the closer look, at where most differs.
        change: what the pixels say changed there.
    """

    answer: Answer
    looks: tuple[Answer, ...]
    patches: tuple[InjectedPatch, ...] = ()
    weighed: bool = False
    fusion: FusionEvidence | None = None
    box: Box | None = None
    change: str | None = None


def ask(case: Case, question: Question) -> Decision:
    """The model's own answer, by the method in force."""
    setup = case.setup
    aloud = setup.method.chain_of_thought and question.options
    with case.clock.phase(question.key):
        found = answer_question(
            case.scene,
            question,
            setup.method,
            setup.reasoning,
            setup.config.seed,
            setup.config.thought_tokens if aloud else setup.config.explanation_tokens,
            _orders(case, question),
        )
    return Decision(found.answer, (found.answer,), found.patches)


def decide(case: Case, question: Question) -> Decision:
    """The answer with the say of the comparison and of a closer look in it, where they have one."""
    own = ask(case, question)
    fusion, difference, intent = case.setup.fusion, case.difference, question.intent
    if fusion is None or difference is None or intent is None:
        return own
    looks = _look_again(case, question, difference, intent, fusion)
    answer = weigh(own.answer, intent, fusion, difference, looks)
    found = None
    if intent.asks == "whether" and looks.near is not None:
        found = what_was_weighed(difference, fusion, own.answer, looks.near, str(intent.yes))
    return replace(
        own,
        answer=answer,
        looks=(*own.looks, *looks.answers),
        weighed=True,
        fusion=found,
        box=looks.box,
        change=looks.change,
    )


def answer_at_a_glance(case: Case, scene: Scene | RemoteScene, question: Question) -> Answer:
    """An answer without chain of thought and without think tokens, of whatever scene."""
    setup = case.setup
    glance = replace(setup.method, chain_of_thought=False, reasoning=None)
    limit = setup.config.explanation_tokens
    found = answer_question(scene, question, glance, None, setup.config.seed, limit, _orders(case, question))
    return found.answer


def ask_closer(case: Case, question: Question) -> tuple[Answer, CloserLook]:
    """The same question about the most suspicious part of the picture, or about the place that it names."""
    with case.clock.phase("closer"):
        look = case.closer(None if question.intent is None else question.intent.at)
        return answer_at_a_glance(case, look.scene, question).model_copy(update={"closer": True}), look


def ask_by_change(case: Case, question: Question) -> tuple[Answer, str] | None:
    """The same question by what the pixels say changed, answered from the knowledge; and what changed.

    None where the part has no two tones, nothing clear changed, the references disagree, or there is no knowledge
    of what defects look like.
    """
    if case.difference is None or not case.known.shown:
        return None
    from reason_iad.expert.comparison import what_changed

    subject, place = case.subject, None if question.intent is None else question.intent.at
    with case.clock.phase("change"):
        change = what_changed(subject.image, subject.mapped, subject.moved, case.difference, place)
        if change is None:
            return None
        described = described_question(question, change.in_words())
        answer = answer_at_a_glance(case, case.scene, described)
        return answer.model_copy(update={"described": True}), change.in_words()


def _look_again(
    case: Case, question: Question, difference: AnomalyMap, intent: Intent, fusion: LateFusion
) -> Looks:
    """A closer look where whether and type are asked, and by what changed where the type is."""
    if intent.asks not in ("whether", "type"):
        return Looks()
    named = _under_known_names(case, question) if intent.asks == "type" else question
    near, look = ask_closer(case, named)
    box = look.box if intent.at is None else None
    read = ask_by_change(case, named) if intent.asks == "type" and fusion.type.described else None
    if read is None:
        return Looks((near,), near.probabilities, None, box)
    by_change, change = read
    said = change if intent.at is None else None
    return Looks((near, by_change), near.probabilities, by_change.probabilities, box, said)


def _orders(case: Case, question: Question) -> Orders:
    """In which orders the options are read.

    'types': names of types have no order of their own, and one forward reads them in all orders. A chain of
    thought, or an API, would need one for each, so there they are read as given.
    """
    wanted = case.setup.config.option_orders
    if wanted != "types":
        return wanted
    cheap = isinstance(case.scene, Scene) and not case.setup.method.chain_of_thought
    return "cyclic" if question.key == "type" and cheap else "given"


def _under_known_names(case: Case, question: Question) -> Question:
    """The same question with the knowledge's own names of types, which a closer look is asked by."""
    types = [found.entry for found in case.known.shown if found.entry.kind == "defect"]
    if case.known.aliases is None or not types:
        return question
    return under_known_names(question, types, case.known.aliases)
