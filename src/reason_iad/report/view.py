"""What the page says: an inspection in plain words, in the order a reader needs it.

The first screen answers whether, what, where, how sure and why. The comparison with a good part comes next, then
what the verdict rests on, and technical details last. The template only lays out what is built here. Evidence that
an inspection lacks becomes None or an empty tuple, and the page leaves its place out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reason_iad.images import LoadedImage
from reason_iad.report.compared import Comparison, ReferenceView, compare, reference_views
from reason_iad.report.details import Timing, duration, timings_of, versions_of
from reason_iad.report.facts import facts_about, percent, sentence_case
from reason_iad.report.pictures import Picture, Rectangle, picture, place_cell, rectangle
from reason_iad.report.questions import QuestionView, question_views
from reason_iad.schema import Entry, Inspection, RetrievedEntry
from reason_iad.schema.verdict import SHOWN, Verdict, in_digits

CLOSE_CALL = 0.1
"""Within so much of the threshold the page asks for a second look, where no known parts set it."""
VERY_SURE, FAIRLY_SURE = 0.8, 0.4
"""How far a probability has to lie from the threshold, as a share of the way to certainty."""
_HEADLINES: dict[Verdict, str] = {"pass": "Pass", "review": "Needs a person", "defect": "Defect found"}
_FOUND_BY = {"bm25": "found by its words", "cosine": "found by its meaning", "category": "belongs to this part"}


@dataclass(frozen=True, slots=True)
class KnowledgeView:
    """One knowledge entry that was cited."""

    entry: Entry
    found_by: str
    matches: bool


@dataclass(frozen=True, slots=True)
class Answers:
    """The first screen: what is it, where, how sure, and why.

    Attributes:
        headline: the verdict.
        alone: that there was nothing to compare with; empty if there was.
        what, where: of a defect; empty for a pass.
        sure: how sure the verdict is, in a word or two.
        percent: the probability of a defect.
        limits: from which probability on a part counts as defective.
        rule: how known parts set that; empty if they did not.
        close_call: whether a person should look.
        why: sentences.
    """

    headline: str
    alone: str
    what: str
    where: str
    sure: str
    percent: str
    limits: str
    rule: str
    close_call: bool
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class View:
    """Everything the page shows."""

    title: str
    verdict: Verdict
    answers: Answers
    said_by: str
    picture: Picture
    box: Rectangle | None
    cell: Rectangle | None
    verified: bool
    comparison: Comparison
    references: tuple[ReferenceView, ...]
    unused: int
    facts: tuple[tuple[str, str], ...]
    advice: tuple[tuple[str, str], ...]
    knowledge: tuple[KnowledgeView, ...]
    questions: tuple[QuestionView, ...]
    timings: tuple[Timing, ...]
    total: str
    versions: tuple[tuple[str, str], ...]


def build_view(inspection: Inspection, image: LoadedImage, references: Sequence[LoadedImage]) -> View:
    """Turn an inspection and its pictures into what the page shows."""
    region, width, height = inspection.region, image.width, image.height
    evidence = inspection.evidence
    what = f"Inspected picture {inspection.image.name}"
    suspected = "suspected " if inspection.verdict == "review" else ""
    where = f"; the {suspected}defect is at the {region.place}" if region else ""
    box = rectangle(region.box, width, height) if region else None
    return View(
        title=f"{sentence_case(SHOWN[inspection.verdict])}: {inspection.image.name}",
        verdict=inspection.verdict,
        answers=answers_of(inspection),
        said_by="the model and the comparison with good parts" if evidence.fusion else "the model",
        picture=picture(image.pixels, f"{what}{where}."),
        box=box,
        cell=place_cell(region.place, width, height) if region and not box else None,
        verified=image.sha256 == inspection.image.sha256,
        comparison=compare(inspection, image, references),
        references=reference_views(inspection, references),
        unused=sum(not reference.used for reference in evidence.references),
        facts=facts_about(inspection),
        advice=_advice(inspection),
        knowledge=tuple(_knowledge(item, inspection) for item in evidence.knowledge),
        questions=question_views(inspection, image),
        timings=timings_of(inspection.timings_ms),
        total=duration(inspection.timings_ms.get("total", sum(inspection.timings_ms.values()))),
        versions=versions_of(inspection),
    )


def answers_of(inspection: Inspection) -> Answers:
    """What the first screen says."""
    point = inspection.operating_point
    alone = "There was no good part to compare with: this is the model's opinion alone."
    threshold = in_digits(inspection.threshold) if point else percent(inspection.threshold)
    limits = f"Counts as defective from {threshold}"
    if point and point.pass_below < point.threshold:
        limits += f", passes below {in_digits(point.pass_below)}"
    return Answers(
        headline=_HEADLINES[inspection.verdict],
        alone="" if inspection.good_parts_used else alone,
        what=_what(inspection),
        where=_where(inspection),
        sure=_sure(inspection),
        percent=percent(inspection.probability),
        limits=f"{limits}.",
        rule=point.in_words() if point else "",
        close_call=point is None and abs(inspection.probability - inspection.threshold) < CLOSE_CALL,
        why=_why(inspection),
    )


def _what(inspection: Inspection) -> str:
    if inspection.verdict == "pass":
        return "No defect was found"
    kind = inspection.in_words("type") or "defect of unknown type"
    what = f"Suspected: {kind}" if inspection.verdict == "review" else sentence_case(kind)
    severity = inspection.severity if inspection.is_clear("type") else None
    return f"{what}, severity: {severity}" if severity else what


def _where(inspection: Inspection) -> str:
    place, size = inspection.in_words("place"), inspection.in_words("size")
    if place is None:
        return ""
    return sentence_case(f"{place}; size: {size}" if size else place)


def _sure(inspection: Inspection) -> str:
    """How sure the verdict is, by how far the probability lies from the threshold."""
    if inspection.verdict == "review":
        return "Not sure"
    value, limit = inspection.probability, inspection.threshold
    if inspection.verdict == "pass":
        limit = inspection.operating_point.pass_below if inspection.operating_point else limit
        margin = (limit - value) / limit
    else:
        margin = (value - limit) / (1 - limit) if limit < 1 else 1.0
    return "Very sure" if margin >= VERY_SURE else "Fairly sure" if margin >= FAIRLY_SURE else "Not very sure"


def _why(inspection: Inspection) -> tuple[str, ...]:
    """The explanation, and what the comparison with good parts says."""
    evidence, said = inspection.evidence, []
    if inspection.explanation:
        said.append(inspection.explanation)
    if evidence.change and inspection.verdict != "pass":
        said.append(f"At the spot that differs most: {evidence.change[0].lower()}{evidence.change[1:]}")
    count = inspection.good_parts_used
    compared = f"Compared with {count} good part{'' if count == 1 else 's'}." if count else ""
    if evidence.fusion:
        said.append(f"{inspection.difference_in_words()} {compared}")
        if inspection.verdict != "pass" and not evidence.fusion.stands_out:
            said.append("The model suspects a defect because of how the part looks.")
    elif evidence.anomaly_map:
        more = "more" if evidence.anomaly_map.gate_passed else "no more"
        said.append(f"The part differs {more} than good parts do. {compared} The verdict is the model's own.")
    elif compared:
        said.append(f"The model was shown {count} good part{'' if count == 1 else 's'}.")
    return tuple(said) or ("No explanation was written.",)


def _matches(entry: Entry, inspection: Inspection) -> bool:
    return (
        entry.kind == "defect"
        and inspection.defect_type is not None
        and inspection.is_clear("type")
        and entry.name.casefold() == inspection.defect_type.casefold()
    )


def _advice(inspection: Inspection) -> tuple[tuple[str, str], ...]:
    """Likely cause and what to do, from the cited entry of the type of defect, if that is clear."""
    for item in inspection.evidence.knowledge:
        entry = item.entry
        if _matches(entry, inspection):
            advice = (("Likely cause", entry.cause), ("What to do", entry.action))
            return tuple((label, text) for label, text in advice if text)
    return ()


def _knowledge(item: RetrievedEntry, inspection: Inspection) -> KnowledgeView:
    score = "" if item.scorer == "category" else f" (score {item.score:.2f})"
    return KnowledgeView(item.entry, f"{_FOUND_BY[item.scorer]}{score}", _matches(item.entry, inspection))
