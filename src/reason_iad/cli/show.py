"""Results as text for people: a few plain lines, coloured on a terminal."""

from __future__ import annotations

import re

import click

from reason_iad.schema import Evidence, Inspection, Reply, Versions
from reason_iad.schema.inspection import picture_notes
from reason_iad.schema.verdict import SAME, SHOWN, Verdict, in_digits

_COLOURS: dict[Verdict, str] = {"pass": "green", "review": "yellow", "defect": "red", "unjudged": "magenta"}

Rows = list[tuple[str, str]]


def show_inspection(result: Inspection, *, err: bool = False) -> None:
    """Print a verdict and its reasons."""
    verdict = click.style(SHOWN[result.verdict].upper(), fg=_COLOURS[result.verdict], bold=True)
    click.echo("  ".join(filter(None, (verdict, result.image.name, _beside(result)))), err=err)
    rows = (
        _what_and_where(result),
        _why(result),
        _asked(result),
        _compared(result.evidence),
        [("picture", note) for note in result.picture_notes()],
        _how(result),
    )
    _print([row for some in rows for row in some], err)


def _beside(result: Inspection) -> str:
    """What stands beside the verdict: that nothing was compared, if so, and how sure it is."""
    sure = measured(result, full=True)
    return " ".join(filter(None, (result.alone_in_words(), f"({sure})" if sure else "")))


def measured(result: Inspection, *, full: bool = False) -> str:
    """How sure a verdict is: the probability of a defect, or the score of a product. Empty where nothing is known.

    Args:
        result: of an inspection.
        full: with the limit.
    """
    if result.nothing_is_known:
        return ""
    product = result.evidence.product
    if product is None:
        limit = f", threshold {in_digits(result.threshold)}" if full else ""
        return f"probability of a defect {result.probability:.3f}{limit}"
    high = product.defect_from if product.defect_from is not None else product.pass_below
    limit = "" if high is None or not full else f", limit {high:.1f}"
    return f"score {product.score:.1f}{limit}"


def show_reply(result: Reply, *, err: bool = False) -> None:
    """Print an answer and the probabilities of all options."""
    answer = result.answer
    prefix = f"{answer.choice}) " if answer.choice else ""
    click.echo(click.style(f"{prefix}{answer.text}", bold=True), err=err)
    rows = [
        (f"{probability:.3f}", f"{letter}) {answer.options.get(letter, '')}")
        for letter, probability in answer.probabilities.items()
    ]
    unused = result.evidence.anomaly_map is not None and not result.weighed
    compared = _compared(result.evidence, references=not unused)
    notes = [("picture", note) for note in picture_notes(result.image, result.evidence)]
    _print([*rows, *_used(result), *compared, *notes, *_how(result)], err)


def _what_and_where(result: Inspection) -> Rows:
    """What the defect is, where it lies and how large it is."""
    rows = []
    if kind := result.in_words("type"):
        severity = f", severity {result.severity}" if result.severity and result.is_clear("type") else ""
        rows.append(("what", f"{kind}{severity}"))
    if place := result.in_words("place"):
        box = result.region.box if result.region else None
        across = f"x {box.x1} to {box.x2}, y {box.y1} to {box.y2} (pixels from the top left corner)" if box else ""
        pixels = f": {across}" if across else ""
        rows.append(("where", f"{place}{pixels}"))
    size = None if result.marks_the_clearest_spot else result.in_words("size")
    if size:
        rows.append(("size", size))
    return rows


def _why(result: Inspection) -> Rows:
    """The explanation, what differs from the good parts, and where the thresholds come from."""
    rows = [("why", " ".join(result.explanation.split()))] if result.explanation else []
    if difference := result.difference_in_words():
        rows.append(("" if rows else "why", difference))
    product = result.evidence.product
    promise = product.promise if product else result.operating_point.in_words() if result.operating_point else ""
    if promise and result.verdict != "unjudged" and not result.nothing_is_known:
        sentences = re.split(r"(?<=\.) (?=[A-Z])", promise)
        rows += [("" if place else "limits", sentence) for place, sentence in enumerate(sentences)]
    return rows


def _asked(result: Inspection) -> Rows:
    """The question that was asked beside the inspection, and its answer."""
    answer = result.evidence.answer("question")
    return [("question", answer.question), ("answer", answer.text)] if answer else []


def _compared(evidence: Evidence, *, references: bool = True) -> Rows:
    """What the part was compared with: good parts, where they were used, and knowledge."""
    rows = []
    same = evidence.same_in_words()
    used = sum(reference.used for reference in evidence.references)
    given = sum(reference.used or reference.same is None for reference in evidence.references)
    product = evidence.product
    if product and not product.nothing_compared:
        images = f"{product.good_images} good image{'' if product.good_images == 1 else 's'}"
        asked = "; the model was asked, too" if product.model_asked else ""
        if product.decided_by == "comparison and model":
            asked = "; comparison and model decided together"
        what = f"with {images}{f' of {product.name}' if product.name else ''}"
        if product.template is not None:
            what = f"with its template '{product.template.name}'"
        rows.append(("compared", f"{what}{asked}"))
        rows += [("note", said) for said in (product.advice, product.drift) if said]
    if same is not None and same != SAME:  # said first of all already
        rows.append(("note", same))
    if product:
        references = False
    if used == given and used and references:
        rows.append(("compared", f"with {used} good part{'' if used == 1 else 's'}"))
    elif used and references:
        alike = ": those that look most like this part" if evidence.anomaly_map else ""
        rows.append(("compared", f"with {used} of {given} good parts{alike}"))
    if evidence.knowledge:
        about = sorted({found.entry.category for found in evidence.knowledge})
        count = len(evidence.knowledge)
        rows.append(("knowledge", f"{count} entr{'y' if count == 1 else 'ies'} about {', '.join(about)}"))
    if evidence.types_left_out:
        names = ", ".join(evidence.types_left_out)
        rows.append(
            ("left out", f"The knowledge has more defect types than can be chosen from. Left out: {names}.")
        )
    return rows


def _used(result: Reply) -> Rows:
    """Whether the measured difference from the good parts has a say in the answer."""
    if result.weighed:
        answer = result.evidence.answer(result.answer.key) or result.answer
        if answer.choice is None or answer.choice == result.answer.choice:
            return [("why", "The good parts agree with the model.")]
        own = f"{answer.text} ({answer.probabilities[answer.choice]:.3f})"
        return [("why", f"The good parts decided: {result.answer.text}. Without them the model says: {own}.")]
    if result.evidence.anomaly_map is None:
        return [("why", result.advice)] if result.advice else []
    return [("why", result.advice or "The good parts were not used: this is the model's own answer.")]


def _how(result: Inspection | Reply) -> Rows:
    versions: Versions = result.versions
    seconds = result.timings_ms.get("total", 0.0) / 1000
    product = result.evidence.product
    if product is not None and not product.model_asked and result.method != "detect":
        return [("model", f"was not asked: the comparison is certain, {seconds:.1f} s")]
    return [("model", f"{versions.model.name} (method {result.method}, seed {result.seed}), {seconds:.1f} s")]


def _print(rows: Rows, err: bool) -> None:
    for label, text in rows:
        click.echo(f"  {click.style(f'{label:<10}', dim=True)} {text}", err=err)
