"""Results as text for people: plain lines, coloured on a terminal."""

from __future__ import annotations

import click

from reason_iad.schema import FusionEvidence, Inspection, Reply, RetrievedEntry, Versions
from reason_iad.schema.verdict import SHOWN, Verdict, in_digits

_KNOWLEDGE_SHOWN = 4
_COLOURS: dict[Verdict, str] = {"pass": "green", "review": "yellow", "defect": "red"}


def show_inspection(result: Inspection, *, err: bool = False) -> None:
    """Print a verdict with its reasons."""
    verdict = click.style(SHOWN[result.verdict].upper(), fg=_COLOURS[result.verdict], bold=True)
    click.echo(
        f"{verdict}  {result.image.name}  (defect probability {result.probability:.3f}, "
        f"threshold {in_digits(result.threshold)})",
        err=err,
    )
    rows = []
    if result.operating_point:
        rows.append(("threshold", result.operating_point.in_words()))
    if result.defect_type:
        severity = f", severity {result.severity}" if result.severity else ""
        rows.append(("type", f"{result.in_words('type')}{severity}"))
    if result.region:
        box = result.region.box
        pixels = f", pixels {box.x1},{box.y1} to {box.x2},{box.y2}" if box else ""
        rows.append(("where", f"{result.region.place} ({result.region.place_probability:.2f}){pixels}"))
    if result.explanation:
        rows.append(("why", " ".join(result.explanation.split())))
    category = result.evidence.category
    rows.append(("category", f"{category.name or 'unknown'} ({category.origin})" if category.name else "unknown"))
    rows += _knowledge(result.evidence.knowledge)
    given = result.evidence.references
    if left := sum(not reference.used for reference in given):
        why = ": those that look most like it" if result.evidence.anomaly_map else ""
        rows.append(("compared", f"with {len(given) - left} of {len(given)} good parts{why}"))
    fusion = result.evidence.fusion
    if fusion is not None:
        rows.append(_weighed(fusion))
    elif anomaly_map := result.evidence.anomaly_map:
        says = "beyond what good parts show" if anomaly_map.gate_passed else "not beyond what good parts show"
        count = anomaly_map.calibrated_on
        rows.append(("map", f"{says}, against {count} reference{'' if count == 1 else 's'}"))
    rows += _how(result.method, result.seed, result.versions, result.timings_ms)
    _print(rows, err)


def show_reply(result: Reply, *, err: bool = False) -> None:
    """Print an answer with its probabilities."""
    answer = result.answer
    prefix = f"{answer.choice}) " if answer.choice else ""
    click.echo(click.style(f"{prefix}{answer.text}", bold=True), err=err)
    rows = [
        (f"{probability:.3f}", f"{letter}) {answer.options.get(letter, '')}")
        for letter, probability in answer.probabilities.items()
    ]
    if result.evidence.fusion is not None:
        rows.append(_weighed(result.evidence.fusion))
    elif result.weighed:
        own = ", ".join(f"{letter} {p:.3f}" for letter, p in result.evidence.answers[0].probabilities.items())
        rows.append(("weighed", f"with what differs from good parts; the model alone {own}"))
    elif result.evidence.anomaly_map is not None:
        rows.append(("weighed", "no: the model alone"))
    rows += _knowledge(result.evidence.knowledge)
    rows += _how(result.method, result.seed, result.versions, result.timings_ms)
    _print(rows, err)


def _weighed(fusion: FusionEvidence) -> tuple[str, str]:
    closer = fusion.closer_probability
    near = "" if closer is None else f", at a closer look {closer:.3f}"
    return "weighed", f"the model alone {fusion.model_probability:.3f}{near}; {fusion.in_words()}"


def _knowledge(entries: tuple[RetrievedEntry, ...]) -> list[tuple[str, str]]:
    lines = [f"{e.entry.id} ({_found_by(e)})" for e in entries[:_KNOWLEDGE_SHOWN]]
    if len(entries) > _KNOWLEDGE_SHOWN:
        lines.append(f"and {len(entries) - _KNOWLEDGE_SHOWN} more")
    return [("" if i else "knowledge", line) for i, line in enumerate(lines)]


def _found_by(found: RetrievedEntry) -> str:
    return "whole category" if found.scorer == "category" else f"{found.scorer} {found.score:.2f}"


def _how(method: str, seed: int, versions: Versions, timings_ms: dict[str, float]) -> list[tuple[str, str]]:
    seconds = timings_ms.get("total", 0.0) / 1000
    return [("made by", f"{versions.model.name}, method {method}, seed {seed}, {seconds:.1f} s")]


def _print(rows: list[tuple[str, str]], err: bool) -> None:
    for label, text in rows:
        click.echo(f"  {click.style(f'{label:<10}', dim=True)} {text}", err=err)
