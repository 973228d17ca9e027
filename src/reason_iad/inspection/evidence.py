"""Everything that a result rests on, gathered from the steps that made it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from reason_iad.expert.heat import as_heat
from reason_iad.schema import Evidence, MapEvidence, MotionEvidence, ReferenceEvidence

if TYPE_CHECKING:
    from reason_iad.expert import AnomalyMap
    from reason_iad.inspection.deciding import Case, Decision
    from reason_iad.inspection.subject import Subject


def gather(case: Case, decisions: Sequence[Decision]) -> Evidence:
    """The evidence of one result.

    Args:
        case: what was there before the first question.
        decisions: what became of the questions, in the order in which they were asked.
    """
    return Evidence(
        category=case.known.category,
        knowledge=case.known.shown,
        references=references_of(case.subject),
        patches=tuple(patch for decision in decisions for patch in decision.patches),
        anomaly_map=None if case.difference is None else _map(case.difference),
        fusion=next((each.fusion for each in decisions if each.fusion is not None), None),
        closer=next((each.box for each in decisions if each.box is not None), None),
        change=next((each.change for each in decisions if each.change is not None), None),
        answers=tuple(answer for decision in decisions for answer in decision.looks),
        types_left_out=case.known.left_out,
    )


def _map(difference: AnomalyMap) -> MapEvidence:
    return MapEvidence(
        **as_heat(difference.values, digits=4).model_dump(),
        gate_passed=difference.gate_passed,
        calibrated_on=difference.calibrated_on,
    )


def references_of(subject: Subject) -> tuple[ReferenceEvidence, ...]:
    """The references as they were given, whether each was used, and how it was moved."""
    return tuple(_reference(subject, number) for number in range(len(subject.good.images)))


def _reference(subject: Subject, number: int) -> ReferenceEvidence:
    """A reference as it was given, whether it was used, and how it was moved."""
    reference, used = subject.good.images[number], number in subject.good.numbers
    _, motion = subject.moved.get(reference.sha256, (None, None)) if used else (None, None)
    return ReferenceEvidence(
        **reference.model_dump(),
        used=used,
        same=subject.good.same.get(number),
        motion=None if motion is None else MotionEvidence(**asdict(motion)),
    )
