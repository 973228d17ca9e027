"""What the defect is: its type, its place, and what an explanation may claim of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reason_iad.expert.extent import covered, region_box
from reason_iad.expert.marked import Typed, findings_of
from reason_iad.inspection.claims import claims_of
from reason_iad.inspection.deciding import decide
from reason_iad.inspection.questions import place_question, type_question
from reason_iad.schema import PLACES, Region

if TYPE_CHECKING:
    from reason_iad.inspection.by_example import Reading
    from reason_iad.inspection.deciding import Case, Decision
    from reason_iad.schema import Claim, Entry, Finding


@dataclass(frozen=True, slots=True)
class Defect:
    """A defect.

    Attributes:
        kind: its type; None if no type is known.
        region: where it is.
        findings: the region, and other places that differ as clearly; none where nothing was compared.
        claims: what an explanation may claim.
        decisions: the questions that were asked to find it.
        read: the type as the model reads the knowledge, where labelled defects have a say, too.
    """

    kind: Entry | None
    region: Region
    findings: tuple[Finding, ...]
    claims: tuple[Claim, ...]
    decisions: tuple[Decision, ...]
    read: Reading | None = None


def find_defect(case: Case) -> Defect:
    """Ask which of the known types it is and where it is, and say what of that is sure enough to be claimed."""
    kinds = case.known.asked
    typed = None if len(kinds) < 2 else decide(case, type_question([entry.name for entry in kinds]))
    kind = kinds[0] if kinds else None
    if typed is not None:
        kind = next(entry for entry in kinds if entry.name == typed.answer.text)
    placed = decide(case, place_question())
    region = _region(case, placed)
    asked = typed.answer if typed is not None else None if kind is None else kind.name
    weighed = None if case.difference is None else case.setup.fusion
    claims = claims_of(asked, placed.answer, region.share, weighed)
    findings = _findings(case, region, kind, typed)
    return Defect(kind, region, findings, claims, (placed,) if typed is None else (typed, placed))


def _region(case: Case, placed: Decision) -> Region:
    """The place that was decided, and there the box of what differs."""
    answer, image = placed.answer, case.subject.image
    box, share, place = None, None, PLACES.index(answer.text)
    if case.difference is not None:
        box = region_box(case.difference, image.width, image.height, place)
        share = covered(case.difference, place)
    probability = answer.probabilities[answer.choice] if answer.choice else 0.0
    return Region(box=box, place=answer.text, place_probability=probability, share=share)


def _findings(case: Case, region: Region, kind: Entry | None, typed: Decision | None) -> tuple[Finding, ...]:
    """The region that was decided on, with its type, and the other places that differ."""
    if case.difference is None:
        return ()
    probability = None if typed is None else typed.answer.probabilities[str(typed.answer.choice)]
    of_type = None if kind is None else Typed(kind.name, probability)
    image = case.subject.image
    return findings_of(case.difference, region, of_type, (image.width, image.height))
