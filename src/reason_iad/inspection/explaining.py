"""The explanation of a verdict: it begins with what was decided, and the model goes on.

Sentences of the model that contradict the result are left out (`agreement.py`); the evidence keeps them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reason_iad.inspection.agreement import Decided, in_agreement
from reason_iad.inspection.deciding import ask
from reason_iad.inspection.prompts import explanation_opening, only_suspected
from reason_iad.inspection.questions import explanation_question

if TYPE_CHECKING:
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


def explain(case: Case, verdict: Verdict, defect: Defect | None) -> Explanation:
    """Have the model explain the verdict.

    Args:
        case: the picture and everything about it.
        verdict: what was decided.
        defect: what the defect is; None for a pass.
    """
    claims = () if defect is None else defect.claims
    types_known = bool(case.known.defects) or any(each.fact == "type" for each in claims)
    opening = explanation_opening(verdict != "pass", claims, types_known=types_known)
    decision = ask(case, explanation_question(opening))
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
