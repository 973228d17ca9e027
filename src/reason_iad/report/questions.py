"""How each answer of the model came about: options before and after reasoning, steps, and what was looked at."""

from __future__ import annotations

import math
from dataclasses import dataclass

from reason_iad.images import LoadedImage
from reason_iad.report.facts import percent, sentence_case, share_of
from reason_iad.report.pictures import FULL, Detail, PatchBox, Picture, patch_boxes, picture
from reason_iad.report.plots import steps_plot
from reason_iad.schema import Answer, InjectedPatch, Inspection

_TITLES = {
    "detection": "Is there a defect?",
    "type": "Which defect is it?",
    "place": "Where is it?",
    "explanation": "What the model wrote",
    "question": "The question",
}
_STOPPED = {
    "steps": "All steps were used.",
    "threshold": "It ended because the reward reached its threshold.",
    "patience": "It ended because the reward no longer improved.",
    "budget": "It ended because its time was up.",
}
_CLOSER, _DESCRIBED = " Asked about the enlarged part alone", " Asked by what changed"
LEFT_OUT = "The program left out sentences that the result does not support. This is the model's full text:"


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
    note: str
    thought: str
    plot: str | None
    plot_alt: str
    summary: str
    patches: tuple[InjectedPatch, ...]
    boxes: tuple[PatchBox, ...]
    picture: Picture | None


def question_views(inspection: Inspection, image: LoadedImage, detail: Detail = FULL) -> tuple[QuestionView, ...]:
    """Every question that the model was asked, in order."""
    patches: dict[str, list[InjectedPatch]] = {}
    for patch in inspection.evidence.patches:
        patches.setdefault(patch.question, []).append(patch)
    said, views = inspection.explanation.casefold(), []
    for number, answer in enumerate(inspection.evidence.answers, 1):
        own = () if answer.closer or answer.described else tuple(patches.get(answer.key, ()))
        whole = not answer.text or answer.text.removeprefix("Defect: ").casefold() in said
        if answer.key == "explanation" and whole and not (answer.steps or own or answer.reasoning_text):
            continue  # nothing of its text was left out
        note = "" if whole or answer.key != "explanation" else LEFT_OUT
        views.append(_question(answer, own, image, f"plot-{number}" if detail.evidence else "", note, detail))
    return tuple(views)


def _question(
    answer: Answer, patches: tuple[InjectedPatch, ...], image: LoadedImage, plot: str, note: str, detail: Detail
) -> QuestionView:
    """One question; `plot` is the name of its plot, '' for none."""
    title = _TITLES.get(answer.key, sentence_case(answer.key))
    title += _CLOSER if answer.closer else _DESCRIBED if answer.described else ""
    alt = f"Image patches looked at again for the question '{title}'."
    boxes = patch_boxes(patches, image.width, image.height)
    return QuestionView(
        title=title,
        question=answer.question,
        options=_options(answer),
        text="" if answer.options else answer.text,
        note=note,
        thought=answer.reasoning_text or "",
        plot=steps_plot(answer.steps, plot) if plot and answer.steps else None,
        plot_alt=_plot_alt(answer),
        summary=_summary(answer, len(patches)),
        patches=patches,
        boxes=boxes,
        picture=picture(image.pixels, alt, detail.closer, detail.quality) if boxes and detail.evidence else None,
    )


def _options(answer: Answer) -> tuple[OptionView, ...]:
    views = []
    for letter, text in answer.options.items():
        after, before = share_of(answer.probabilities.get(letter)), answer.initial_probabilities.get(letter)
        views.append(
            OptionView(
                letter=letter,
                text=text,
                after=after,
                after_text=percent(answer.probabilities.get(letter, math.nan)),
                before=None if before is None else share_of(before),
                before_text="" if before is None else percent(before),
                chosen=letter == answer.choice,
            )
        )
    return tuple(views)


def _summary(answer: Answer, patches: int) -> str:
    if not answer.steps:
        return ""
    first, last = answer.steps[0], answer.steps[-1]
    said = [
        f"The model reasoned for {_count(last.step, 'step')}.",
        _STOPPED.get(answer.stopped or "", ""),
        f"The reward went from {first.best_reward:.3f} to {last.best_reward:.3f}.",
        f"{_count(patches, 'image patch', 'es')} {'was' if patches == 1 else 'were'} looked at again." if patches
        else "No image patch was looked at again.",
    ]  # fmt: skip
    return " ".join(filter(None, said))


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
