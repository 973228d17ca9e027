"""What the page says: an inspection in plain words, in the order a reader needs it.

The template only lays out what is built here. Evidence that an inspection lacks becomes None or an empty tuple,
and the page leaves its place out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from reason_iad.images import LoadedImage
from reason_iad.report.facts import facts_about, percent
from reason_iad.report.pictures import (
    SMALL,
    PatchBox,
    Picture,
    Rectangle,
    heat_picture,
    patch_boxes,
    picture,
    place_cell,
    rectangle,
)
from reason_iad.report.plots import steps_plot
from reason_iad.schema import Answer, Entry, InjectedPatch, Inspection, MotionEvidence, RetrievedEntry
from reason_iad.schema.verdict import SHOWN, Verdict, in_digits

CLOSE_CALL = 0.1
"""Within so much of the threshold the page asks for a second look, where no known parts set it."""
_HEADLINES: dict[Verdict, str] = {"pass": "Pass", "review": "Needs a person", "defect": "Defect found"}

_QUESTIONS = {
    "detection": "Is there a defect?",
    "type": "Which defect is it?",
    "place": "Where is it?",
    "explanation": "Explanation",
    "question": "The question",
}
_STOPPED = {
    "steps": "all steps were used",
    "threshold": "the reward reached its threshold",
    "patience": "the reward no longer improved",
    "budget": "its time was up",
}
_SCORERS = {"bm25": "text match", "cosine": "similarity", "category": "whole category"}


@dataclass(frozen=True, slots=True)
class OptionView:
    """One option of a question, with its probability before and after reasoning (before: None without it)."""

    letter: str
    text: str
    after: float
    after_text: str
    before: float | None
    before_text: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class QuestionView:
    """One question, how its answer came about, and the patches that were looked at again for it."""

    title: str
    question: str
    options: tuple[OptionView, ...]
    text: str
    thought: str
    plot: str | None
    plot_alt: str
    summary: str
    patches: tuple[InjectedPatch, ...]
    boxes: tuple[PatchBox, ...]
    picture: Picture | None


@dataclass(frozen=True, slots=True)
class KnowledgeView:
    """One knowledge entry that was cited."""

    entry: Entry
    score: str
    matches: bool


@dataclass(frozen=True, slots=True)
class ReferenceView:
    """A reference that was used; its picture is None if the pixels were not given."""

    name: str
    detail: str
    picture: Picture | None


@dataclass(frozen=True, slots=True)
class Timing:
    """One phase of the inspection, with its share of the whole in [0, 1]."""

    name: str
    text: str
    share: float


@dataclass(frozen=True, slots=True)
class View:
    """Everything the page shows."""

    title: str
    verdict: Verdict
    headline: str
    subline: str
    percent: str
    said_by: str
    threshold: str
    close_call: bool
    picture: Picture
    box: Rectangle | None
    cell: Rectangle | None
    verified: bool
    heat: Picture | None
    closer: tuple[Picture, str] | None
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
    alt = "Heat map over the inspected image: where it differs from the references."
    weighed = evidence.fusion.heat if evidence.fusion else None
    maps = (weighed, evidence.anomaly_map) if evidence.anomaly_map else ()  # the first that is whole
    heat = next(filter(None, (heat_picture(image.pixels, one, alt) for one in maps if one)), None)
    what = f"Inspected image {inspection.image.name}"
    suspected = "suspected " if inspection.verdict == "review" else ""
    where = f"; the {suspected}defect is at the {region.place}" if region else ""
    return View(
        title=f"{_sentence_case(SHOWN[inspection.verdict])}: {inspection.image.name}",
        verdict=inspection.verdict,
        headline=_HEADLINES[inspection.verdict],
        subline=_subline(inspection),
        percent=percent(inspection.probability),
        said_by="model and map" if evidence.fusion else "the model",
        threshold=in_digits(inspection.threshold) if inspection.operating_point else percent(inspection.threshold),
        close_call=inspection.operating_point is None
        and abs(inspection.probability - inspection.threshold) < CLOSE_CALL,
        picture=picture(image.pixels, f"{what}{where}."),
        box=rectangle(region.box, width, height) if region else None,
        cell=place_cell(region.place, width, height) if region else None,
        verified=image.sha256 == inspection.image.sha256,
        heat=heat,
        closer=_closer(inspection, image),
        references=_references(inspection, references),
        unused=sum(not reference.used for reference in evidence.references),
        facts=facts_about(inspection),
        advice=_advice(inspection),
        knowledge=tuple(_knowledge(item, inspection) for item in evidence.knowledge),
        questions=_questions(inspection, image),
        timings=_timings(inspection.timings_ms),
        total=_duration(inspection.timings_ms.get("total", sum(inspection.timings_ms.values()))),
        versions=_versions(inspection),
    )


def _subline(inspection: Inspection) -> str:
    if inspection.verdict == "pass":
        return "No defect was found on this part."
    kind = inspection.in_words("type") or "type not known"
    parts = [f"Suspected: {kind}" if inspection.verdict == "review" else _sentence_case(kind)]
    if inspection.severity:
        parts.append(f"severity: {inspection.severity}")
    if place := inspection.in_words("place"):
        parts.append(place)
    return " · ".join(parts)


def _matches(entry: Entry, inspection: Inspection) -> bool:
    return (
        entry.kind == "defect"
        and inspection.defect_type is not None
        and entry.name.casefold() == inspection.defect_type.casefold()
    )


def _advice(inspection: Inspection) -> tuple[tuple[str, str], ...]:
    """Likely cause and what to do, from the cited entry of the defect type that was found."""
    for item in inspection.evidence.knowledge:
        entry = item.entry
        if _matches(entry, inspection):
            advice = (("Likely cause", entry.cause), ("What to do", entry.action))
            return tuple((label, text) for label, text in advice if text)
    return ()


def _knowledge(item: RetrievedEntry, inspection: Inspection) -> KnowledgeView:
    score = f"{_SCORERS[item.scorer]} {item.score:.2f}" if item.scorer != "category" else _SCORERS["category"]
    return KnowledgeView(item.entry, score, _matches(item.entry, inspection))


def _references(inspection: Inspection, given: Sequence[LoadedImage]) -> tuple[ReferenceView, ...]:
    """The used references of the evidence in order, then pictures given beyond them (nothing is hidden)."""
    views = []
    recorded = [reference for reference in inspection.evidence.references if reference.used]
    for index in range(max(len(recorded), len(given))):
        image = given[index] if index < len(given) else None
        name = recorded[index].name if index < len(recorded) else given[index].name
        if index >= len(recorded):
            detail = "Not among the recorded references."
        elif image is None:
            detail = f"Picture not included (sha256 {recorded[index].sha256[:12]})."
        elif image.sha256 != recorded[index].sha256:
            detail = "The hash of this picture differs from the recorded one."
        else:
            detail = ""
        motion = recorded[index].motion if index < len(recorded) else None
        if motion is not None:
            detail = f"{detail} {_moved(motion)}".strip()
        small = picture(image.pixels, f"Reference image {name}: a good part.") if image else None
        views.append(ReferenceView(name, detail, small))
    return tuple(views)


def _moved(motion: MotionEvidence) -> str:
    """How a reference was laid as the part lies, in one sentence."""
    across = f"{abs(motion.dx):.1%} to the {'right' if motion.dx > 0 else 'left'}"
    along = f"{abs(motion.dy):.1%} {'down' if motion.dy > 0 else 'up'}"
    turned = f"{abs(motion.degrees):.1f}° {'clockwise' if motion.degrees > 0 else 'anticlockwise'}"
    return f"Compared after moving it {across} and {along} and turning it {turned}."


def _closer(inspection: Inspection, image: LoadedImage) -> tuple[Picture, str] | None:
    """The part of the image that was looked at again, and what it told; None if none was, or of another image."""
    box = inspection.evidence.closer
    if box is None or not (0 <= box.x1 < box.x2 <= image.width and 0 <= box.y1 < box.y2 <= image.height):
        return None
    part = image.pixels.crop((box.x1, box.y1, box.x2, box.y2))
    share = fusion.closer_probability if (fusion := inspection.evidence.fusion) else None
    says = "" if share is None else f": seeing this alone, the model gives {percent(share)} for a defect"
    return picture(part, "The most suspicious part of the inspected image, enlarged."), f"{says}."


def _questions(inspection: Inspection, image: LoadedImage) -> tuple[QuestionView, ...]:
    patches: dict[str, list[InjectedPatch]] = {}
    for patch in inspection.evidence.patches:
        patches.setdefault(patch.question, []).append(patch)
    said, views = inspection.explanation.casefold(), []
    for number, answer in enumerate(inspection.evidence.answers, 1):
        own = () if answer.closer or answer.described else tuple(patches.get(answer.key, ()))
        whole = not answer.text or answer.text.removeprefix("Defect: ").casefold() in said
        if answer.key == "explanation" and whole and not (answer.steps or own or answer.reasoning_text):
            continue  # nothing of its text was left out
        views.append(_question(answer, own, image, f"plot-{number}"))
    return tuple(views)


def _question(answer: Answer, patches: tuple[InjectedPatch, ...], image: LoadedImage, name: str) -> QuestionView:
    title = _QUESTIONS.get(answer.key, _sentence_case(answer.key))
    title += " At a closer look" if answer.closer else " By what changed" if answer.described else ""
    boxes = patch_boxes(patches, image.width, image.height)
    return QuestionView(
        title=title,
        question=answer.question,
        options=_options(answer),
        text="" if answer.options else answer.text,
        thought=answer.reasoning_text or "",
        plot=steps_plot(answer.steps, name) if answer.steps else None,
        plot_alt=_plot_alt(answer),
        summary=_summary(answer, len(patches)),
        patches=patches,
        boxes=boxes,
        picture=picture(image.pixels, f"Image patches injected for '{title}'.", SMALL) if boxes else None,
    )


def _options(answer: Answer) -> tuple[OptionView, ...]:
    views = []
    for letter, text in answer.options.items():
        after, before = _share(answer.probabilities.get(letter)), answer.initial_probabilities.get(letter)
        views.append(
            OptionView(
                letter=letter,
                text=text,
                after=after,
                after_text=percent(answer.probabilities.get(letter, math.nan)),
                before=None if before is None else _share(before),
                before_text="" if before is None else percent(before),
                chosen=letter == answer.choice,
            )
        )
    return tuple(views)


def _share(value: float | None) -> float:
    """A length in [0, 1], whatever comes."""
    return min(max(value, 0.0), 1.0) if value is not None and math.isfinite(value) else 0.0


def _summary(answer: Answer, patches: int) -> str:
    if not answer.steps:
        return ""
    first, last = answer.steps[0], answer.steps[-1]
    parts = [f"{_count(last.step, 'step')} of latent reasoning"]
    if answer.stopped:
        parts.append(f"ended because {_STOPPED.get(answer.stopped, answer.stopped)}")
    gained = last.best_reward - first.best_reward
    parts.append(f"reward {first.best_reward:.3f} → {last.best_reward:.3f} ({gained:+.3f})")
    parts.append(f"{_count(patches, 'image patch', 'es')} injected" if patches else "no patch injected")
    return "; ".join(parts) + "."


def _count(number: int, noun: str, plural: str = "s") -> str:
    return f"{number} {noun}{'' if number == 1 else plural}"


def _plot_alt(answer: Answer) -> str:
    if not answer.steps:
        return ""
    first, last = answer.steps[0], answer.steps[-1]
    return (
        f"Plot over {_count(last.step, 'step')}: the best reward goes from {first.best_reward:.2f} "
        f"to {last.best_reward:.2f}, the entropy of the answer from {first.answer_entropy:.2f} "
        f"to {last.answer_entropy:.2f}."
    )


def _timings(timings: dict[str, float]) -> tuple[Timing, ...]:
    phases = {name: value for name, value in timings.items() if name != "total"}
    whole = max(timings.get("total", 0.0), sum(phases.values()), 1e-9)
    return tuple(
        Timing(_sentence_case(name.replace("_", " ")), _duration(value), _share(value / whole))
        for name, value in phases.items()
    )


def _duration(milliseconds: float) -> str:
    if not math.isfinite(milliseconds):
        return "–"
    if milliseconds < 10:
        return f"{milliseconds:.1f} ms"
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.2f} s"


def _versions(inspection: Inspection) -> tuple[tuple[str, str], ...]:
    versions = inspection.versions
    model = versions.model
    return (
        ("Image sha256", inspection.image.sha256),
        ("Model", f"{model.name} ({model.family}), {model.dtype} on {model.device}"),
        ("Model sha256", model.sha256),
        ("Knowledge sha256", versions.knowledge_sha256 or "not used"),
        ("Configuration sha256", versions.config_sha256),
        ("Seed", str(inspection.seed)),
        ("reason-iad", versions.package),
        ("torch", versions.torch),
        ("transformers", versions.transformers),
        ("Result schema", inspection.schema_version),
    )


def _sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:]
