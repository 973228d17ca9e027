"""What the page says: an inspection in plain words, in the order a reader needs it.

The first screen answers whether, what, where, how sure and why. The comparison with a good part comes next, then
what the verdict rests on, and technical details last. The template only lays out what is built here. Evidence that
an inspection lacks becomes None or an empty tuple, and the page leaves its place out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from reason_iad.images import LoadedImage
from reason_iad.report.compared import (
    Comparison,
    ReferenceView,
    compare,
    plural,
    reference_views,
    what_is_special,
)
from reason_iad.report.details import Timing, duration, timings_of, versions_of
from reason_iad.report.facts import facts_about, limit_percent, percent, sentence_case
from reason_iad.report.known import KnownPlace, known_places
from reason_iad.report.pictures import FULL, Detail, Picture, Rectangle, picture, place_cell, rectangle
from reason_iad.report.product import limits_of, nothing_is_known, rule_of, side_of, why_of
from reason_iad.report.questions import QuestionView, question_views
from reason_iad.schema import Box, Entry, Inspection, RetrievedEntry
from reason_iad.schema.names import name_key
from reason_iad.schema.verdict import LOOK_AGAIN, SAME, SHOWN, Verdict

CLOSE_CALL = 0.1
"""Within so much of the threshold the page asks for a second look, where no known parts set it."""
VERY_SURE, FAIRLY_SURE = 0.95, 0.75
"""How probable the verdict has to be, in [0, 1], for these words."""
_OPENINGS = (
    "No defect found.",
    "Not certain: a person has to decide. Suspected: ",
    "Defect: ",
    "Defect at ",
    "Defect.",
)
"""How the explanation of a verdict begins (`inspection/prompts.py`)."""
_HEADLINES: dict[Verdict, str] = {
    "pass": "Pass", "review": "Needs a person", "defect": "Defect found", "unjudged": "Cannot be judged",
}  # fmt: skip
_FOUND_BY = {"bm25": ", found by its words", "cosine": ", found by its meaning", "category": ""}


@dataclass(frozen=True, slots=True)
class KnowledgeView:
    """One knowledge entry that was cited.

    Attributes:
        entry: the entry.
        name: its name; empty if that only repeats its kind.
        origin: which knowledge it is from, and how it was found there.
        matches: whether it describes the type of defect that the result names.
    """

    entry: Entry
    name: str
    origin: str
    matches: bool


@dataclass(frozen=True, slots=True)
class Answers:
    """The first screen: what is it, where, how sure, and why.

    Attributes:
        headline: the verdict.
        alone: that there was nothing to compare with; empty if there was.
        what: the type of defect, or that there is none.
        where: the place of the defect; empty for a pass.
        size: how large the defect is; empty if that cannot be told.
        question, reply: the question that was asked beside the inspection, and its answer; empty without one.
        sure: how sure the verdict is, in a word or two; where known parts set the limits, where it lies.
            Empty where nothing is known of the part.
        measure: what says how sure: "Probability of a defect", or "Score".
        percent: its value.
        limits: from which probability on a part counts as defective.
        rule: how known parts set that; empty if they did not.
        close_call: whether a person should look.
        why: sentences.
    """

    headline: str
    alone: str
    what: str
    where: str
    size: str
    question: str
    reply: str
    sure: str
    measure: str
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
    picture: Picture
    box: Rectangle | None
    box_means: str
    others: tuple[Rectangle, ...]
    cell: Rectangle | None
    verified: bool
    comparison: Comparison
    known: tuple[KnownPlace, ...]
    references: tuple[ReferenceView, ...]
    unused: int
    plural: str
    by_template: bool
    facts: tuple[tuple[str, str], ...]
    advice: tuple[tuple[str, str], ...]
    knowledge: tuple[KnowledgeView, ...]
    questions: tuple[QuestionView, ...]
    timings: tuple[Timing, ...]
    total: str
    versions: tuple[tuple[str, str], ...]


def build_view(
    inspection: Inspection,
    image: LoadedImage,
    references: Sequence[LoadedImage],
    detail: Detail = FULL,
    known: Sequence[LoadedImage] = (),
) -> View:
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
        picture=picture(image.pixels, f"{what}{where}.", detail.main, detail.quality),
        box=box,
        box_means=_box_means(inspection),
        others=_others(inspection),
        cell=place_cell(region.place, width, height) if region and not box else None,
        verified=image.sha256 == inspection.image.sha256,
        comparison=compare(inspection, image, references, detail),
        known=known_places(inspection, image, known, detail),
        references=reference_views(inspection, references, detail),
        unused=sum(not reference.used for reference in evidence.references),
        plural=plural(inspection),
        by_template=evidence.product is not None and evidence.product.template is not None,
        facts=facts_about(inspection),
        advice=_advice(inspection),
        knowledge=tuple(_knowledge(item, inspection) for item in evidence.knowledge),
        questions=question_views(inspection, image, detail),
        timings=timings_of(inspection.timings_ms),
        total=duration(inspection.timings_ms.get("total", sum(inspection.timings_ms.values()))),
        versions=versions_of(inspection),
    )


def answers_of(inspection: Inspection) -> Answers:
    """What the first screen says."""
    point, product = inspection.operating_point, inspection.evidence.product
    limit = partial(limit_percent, value=inspection.probability)
    limits = [f"Parts count as defective from {limit(inspection.threshold)} on."]
    if point and point.pass_below < point.threshold:
        limits += [f"They pass below {limit(point.pass_below)}.", "Between them, a person decides."]
    asked = inspection.evidence.answer("question")
    beside = (inspection.threshold,) if point is None else (point.threshold, point.pass_below)
    shown = percent(inspection.probability, beside)
    rule = point.in_words(limit) if point else ""
    if product is not None:
        shown, rule, limits = f"{product.score:.1f}", rule_of(product), [limits_of(product)]
    close = abs(inspection.probability - inspection.threshold) < CLOSE_CALL
    return Answers(
        headline=_HEADLINES[inspection.verdict],
        alone=inspection.alone_in_words() or "",
        what=_what(inspection),
        where=_where(inspection),
        size=_size(inspection),
        question=asked.question if asked else "",
        reply=asked.text if asked else "",
        sure="" if nothing_is_known(inspection) or inspection.unjudged else _sure(inspection),
        measure="Estimated probability of a defect" if product is None else "Score",
        percent=shown,
        limits=" ".join(limits),
        rule=rule,
        close_call=point is None and product is None and close and not nothing_is_known(inspection),
        why=_why(inspection),
    )


def _what(inspection: Inspection) -> str:
    if inspection.verdict == "pass":
        return "No defect was found"
    if inspection.verdict == "unjudged":
        return inspection.unjudged or "The picture cannot be judged"
    kind = inspection.in_words("type") or "defect of unknown type"
    what = f"Suspected: {kind}" if inspection.verdict == "review" else sentence_case(kind)
    severity = inspection.severity if inspection.is_clear("type") else None
    return f"{what}, severity: {severity}" if severity else what


def _where(inspection: Inspection) -> str:
    """The place that is marked, and others that the model named."""
    region, claims = inspection.region, inspection.claims or ()
    names = [name for claim in claims if claim.fact == "place" for name in claim.names]
    if region is None or region.box is None or region.place not in names or len(names) < 2:
        return sentence_case(inspection.in_words("place") or "")
    others = " and ".join(name for name in names if name != region.place)
    return f"{sentence_case(region.place)}, as marked. The model was not certain, and also named {others}."


def _size(inspection: Inspection) -> str:
    """How large the defect is, in a word and in numbers."""
    size, region = inspection.in_words("size"), inspection.region
    if size is None or region is None or region.share is None:
        return ""
    if region.box is not None and inspection.marks_the_clearest_spot:
        return f"{_box_measures(region.box, inspection)} It marks the clearest spot. The defect may be larger."
    if region.box is None:
        return sentence_case(f"{size}: about {percent(region.share)} of the picture.")
    return sentence_case(f"{size}. {_box_measures(region.box, inspection)}")


def _box_measures(box: Box, inspection: Inspection) -> str:
    """How large a box is, in pixels and as a share of the picture."""
    wide, high = box.x2 - box.x1, box.y2 - box.y1
    share = percent(wide * high / (inspection.image.width * inspection.image.height))
    return f"The box measures {wide} x {high} pixels, which is {share} of the picture."


def _sure(inspection: Inspection) -> str:
    """How sure the verdict is, by its probability; with limits from known parts, on which side of them it lies."""
    if inspection.operating_point or inspection.evidence.product:
        return side_of(inspection)
    value = inspection.probability
    sure = 1 - value if inspection.verdict == "pass" else value
    return f"The program is {'very' if sure >= VERY_SURE else 'fairly' if sure >= FAIRLY_SURE else 'not very'} sure"


def _box_means(inspection: Inspection) -> str:
    """What the box on the picture marks."""
    if inspection.verdict == "review":
        return "suspected defect"
    return "where the model suspects the defect" if inspection.rests_on_the_model else "defect"


def _others(inspection: Inspection) -> tuple[Rectangle, ...]:
    """The places beside the marked one that differ as clearly."""
    image = inspection.image
    every = (rectangle(finding.box, image.width, image.height) for finding in inspection.findings[1:])
    return tuple(each for each in every if each is not None)


def _why(inspection: Inspection) -> tuple[str, ...]:
    """What the comparison with good parts says, and what the model adds."""
    evidence, said = inspection.evidence, list[str]()
    if inspection.caution == SAME:
        return (inspection.explanation,)
    if evidence.product is not None:
        said = why_of(inspection, evidence.product)
        if inspection.verdict != "unjudged":
            said.append(_after_the_opening(inspection))
        return tuple(filter(None, said))
    count = inspection.good_parts_used
    if nothing_is_known(inspection):
        seen = f"Compared with {count} good part{plural(inspection)}. This is no verdict about the part."
        return (seen, LOOK_AGAIN)
    compared = f"Compared with {count} good part{plural(inspection)}." if count else ""
    if evidence.fusion:
        said.append(f"{inspection.difference_in_words()} {compared}")
    elif evidence.anomaly_map:
        more = "more" if evidence.anomaly_map.gate_passed else "no more"
        said.append(f"The part differs {more} than good parts do. {compared} The verdict is the model's own.")
    elif compared:
        said.append(f"The model was shown {count} good part{plural(inspection)}.")
    if evidence.change and inspection.verdict != "pass":
        spot = f"At the spot that {what_is_special(inspection)}"
        said.append(f"{spot}: {evidence.change[0].lower()}{evidence.change[1:]}")
    said += [evidence.same_in_words() or "", _after_the_opening(inspection)]
    return tuple(filter(None, said)) or ("The model gave no further reasons.",)


def _after_the_opening(inspection: Inspection) -> str:
    """The explanation without its first sentence where that only repeats the verdict, the type and the place."""
    text = inspection.explanation
    opening = next(filter(text.startswith, _OPENINGS), None)
    if opening is None:
        return text
    end = len(opening.removesuffix("."))
    for claim in inspection.claims or ():  # a name may have a full stop in it
        found = text.find(claim.in_words(), end)
        end = end if found < 0 else found + len(claim.in_words())
    return text[end:].partition(".")[2].strip()


def _matches(entry: Entry, inspection: Inspection) -> bool:
    return (
        entry.kind == "defect"
        and inspection.defect_type is not None
        and inspection.is_clear("type")
        and name_key(entry.name) == name_key(inspection.defect_type)
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
    entry = item.entry
    name = "" if entry.name.casefold() == entry.kind else entry.name
    origin = f"from the knowledge about {entry.category}{_FOUND_BY[item.scorer]}{score}"
    return KnowledgeView(entry, name, origin, _matches(entry, inspection))
