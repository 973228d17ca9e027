"""Technical details: how long each phase took, and what is needed to run the inspection again."""

from __future__ import annotations

import math
from dataclasses import dataclass

from reason_iad.report.facts import sentence_case, share_of
from reason_iad.schema import Inspection

_PHASES = {
    "load": "Read the pictures",
    "align": "Shift and turn the good parts",
    "retrieve": "Find knowledge",
    "map": "Compare with good parts",
    "vision": "See the pictures",
    "prefix": "Read knowledge and pictures",
    "encode": "Encode the pictures",
    "closer": "Look closer",
    "change": "Tell what changed",
    "detection": "Is there a defect?",
    "type": "Which defect is it?",
    "place": "Where is it?",
    "explanation": "Explain",
    "question": "The further question",
}


@dataclass(frozen=True, slots=True)
class Timing:
    """One phase of the inspection, with its share of the whole in [0, 1]."""

    name: str
    text: str
    share: float


def timings_of(timings: dict[str, float]) -> tuple[Timing, ...]:
    """How long each phase took, of `Inspection.timings_ms`."""
    phases = {name: value for name, value in timings.items() if name != "total"}
    whole = max(timings.get("total", 0.0), sum(phases.values()), 1e-9)
    return tuple(
        Timing(_PHASES.get(name, sentence_case(name.replace("_", " "))), duration(value), share_of(value / whole))
        for name, value in phases.items()
    )


def duration(milliseconds: float) -> str:
    """'4.2 ms', '380 ms' or '1.73 s'."""
    if not math.isfinite(milliseconds):
        return "–"
    if milliseconds < 10:
        return f"{milliseconds:.1f} ms"
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.2f} s"


def versions_of(inspection: Inspection) -> tuple[tuple[str, str], ...]:
    """Label and value of everything that is needed to run the inspection again."""
    versions = inspection.versions
    entries = [found.entry.id for found in inspection.evidence.knowledge]
    model, notes = versions.model, inspection.picture_notes()
    return (
        ("Method", inspection.method),
        ("Image sha256", inspection.image.sha256),
        *((("Pictures", " ".join(notes)),) if notes else ()),
        ("Model", f"{model.name} ({model.family}), {model.dtype} on {model.device}"),
        ("Model sha256", model.sha256),
        ("Knowledge sha256", versions.knowledge_sha256 or "not used"),
        ("Configuration sha256", versions.config_sha256),
        ("Seed", str(inspection.seed)),
        ("reason-iad", versions.package),
        ("torch", versions.torch),
        ("transformers", versions.transformers),
        ("Result schema", inspection.schema_version),
        *((("Knowledge entries", ", ".join(entries)),) if entries else ()),
    )
