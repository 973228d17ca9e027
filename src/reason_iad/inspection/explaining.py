"""The explanation of a verdict: it begins with what was decided, and the model goes on.

Sentences of the model that contradict the result are left out (`agreement.py`); the evidence keeps them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reason_iad.inspection.agreement import Decided, in_agreement
from reason_iad.inspection.deciding import ask
from reason_iad.inspection.prompts import explanation_opening, only_suspected
from reason_iad.inspection.questions import explanation_question

if TYPE_CHECKING:
    from reason_iad.expert.change import Change
    from reason_iad.inspection.deciding import Case, Decision
    from reason_iad.inspection.findings import Defect
    from reason_iad.schema import Verdict


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why.

    Attributes:
        text: for people.
        decision: the model's answer that it was made from.
    """

    text: str
    decision: Decision


def explain(case: Case, verdict: Verdict, defect: Defect | None, change: Change | None = None) -> Explanation:
    """Have the model explain the verdict.

    Args:
        case: the picture and everything about it.
        verdict: what was decided.
        defect: what the defect is; None for a pass.
        change: what was measured to have changed there. A model that writes is told of it.
    """
    claims = () if defect is None else defect.claims
    types_known = bool(case.known.defects) or any(each.fact == "type" for each in claims)
    opening = explanation_opening(verdict != "pass", claims, types_known=types_known)
    told = None if change is None or verdict == "pass" or not _writes(case) else change.in_tones()
    decision = replace(ask(case, explanation_question(opening, told)), change=told)
    store = case.setup.knowledge
    decided = Decided(
        verdict != "pass",
        claims,
        list(case.known.defects),
        defect is not None and defect.region.share is not None,
        case.known.category.name,
        {} if store is None else store.categories(),
    )
    text = in_agreement(decision.answer.text, opening, decided)
    return Explanation(only_suspected(text) if verdict == "review" else text, decision)


def measured_change(case: Case) -> Change | None:
    """What changed where most differs, for a model that writes its own explanation; None for others.

    A model with fixed sentences learnt its explanations without.
    """
    if case.difference is None or not _writes(case):
        return None
    from reason_iad.expert.comparison import what_changed

    subject = case.subject
    with case.clock.phase("change"):
        return what_changed(subject.image, subject.mapped, subject.moved, case.difference)


def _writes(case: Case) -> bool:
    return bool(getattr(case.setup.model, "writes", True))
