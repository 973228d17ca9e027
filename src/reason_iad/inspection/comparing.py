"""Two parts compared with each other: what differs, where, and in which of them (docs/comparing.md).

    comparison = compare_parts("a.png", "b.png")

No model is needed: the words follow from the comparison alone. A model may say what it thinks beside them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from reason_iad.errors import ConfigError
from reason_iad.expert.good_parts import described
from reason_iad.expert.pair import LEVEL, brightness_of, change_of, compare_pair, encoder, shown_by
from reason_iad.expert.regions import regions
from reason_iad.images import Picture, load_image, same_white
from reason_iad.inspection.clock import Clock
from reason_iad.schema import (
    Box,
    CategoryEvidence,
    Evidence,
    Heat,
    Inspection,
    ModelVersion,
    MotionEvidence,
    ReferenceEvidence,
    Verdict,
    Versions,
    place_of,
)
from reason_iad.schema.comparison import Difference, Outcome, PartComparison

if TYPE_CHECKING:
    from reason_iad.expert.pair import Pair, Values
    from reason_iad.expert.regions import Marked
    from reason_iad.images import LoadedImage
    from reason_iad.inspection.inspector import Inspector

METHOD = "compare"
"""What results say of the method."""
SHAPE = 1.3
"""Factor beyond which two pictures have different shapes."""
HEAT_SIDE = 112
"""Cells of the longer side of the map in a result."""
UNLIKE: Mapping[str, str] = {
    "dark": "One of the pictures is much darker than the other.",
    "bright": "One of the pictures is much brighter than the other.",
    "blurred": "One of the pictures is blurred, compared with the other.",
    "shape": "The pictures have different shapes.",
    "other": "The pictures do not seem to show the same kind of part.",
}
"""Why two pictures cannot be compared."""
_CHANGES: Mapping[tuple[bool, int], str] = {
    (True, 0): "{one} has an isolated dark spot that {other} does not have.",
    (True, 1): "In {one}, something dark sticks out of the edge of a dark area. In {other} it does not.",
    (True, 2): "In {one}, a dark bridge joins two areas that are apart in {other}.",
    (False, 0): "In {one}, there is a small hole in a dark area. In {other} it is closed.",
    (False, 1): "In {one}, a bite is missing from the edge of a dark area. In {other} the edge is whole.",
    (False, 2): "In {one}, a gap interrupts a dark line. In {other} the line is whole.",
}
"""On parts of two tones, by whether one part adds dark, and how many areas that touches (`change.py`)."""
_SHOWN = {
    "a": "A shows something that B does not show.",
    "b": "B shows something that A does not show.",
    "both": "A and B look different.",
}
_LIGHT = {-1: " A is darker there.", 0: "", 1: " A is brighter there."}


def compare_parts(
    a: Picture,
    b: Picture,
    *,
    level: float = LEVEL,
    align: bool = True,
    check_picture: bool = True,
    mm_per_px: float | None = None,
    inspector: Inspector | None = None,
    white: float | None = None,
) -> PartComparison:
    """Compare two parts.

    Args:
        a, b: pictures (`images.load_image`). Places are given in pixels of `a`.
        level: score from which a place counts as a difference; above 0.
        align: whether `b` is moved to lie as `a` does.
        check_picture: whether two pictures that do not show the same kind of part are refused ('unjudged').
        mm_per_px: scale of `a`; None if it is not known.
        inspector: a model that says what it thinks of `a`, with `b` as the good part; None: no model is asked.
        white: the value that is white where there are more than 8 bits; None: what the files say, or what both look
            like together.

    Raises:
        ImageError: a picture cannot be used.
        ConfigError: the level, the scale or white is not above 0.
        ModelError: the weights of the encoder are not installed.
    """
    for name, value in (("level", level), ("mm_per_px", mm_per_px), ("white", white)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise ConfigError(f"{name} is {value}; it must be a number above 0.")
    clock = Clock()
    with clock.phase("load"):
        one, other = same_white([load_image(a, white=white), load_image(b, white=white)])
    with clock.phase("check"):
        reason = _unlike(one, other) if check_picture else None
    if reason is not None:
        said = UNLIKE[reason]
        return _result(one, other, "unjudged", level, clock, said, unjudged=said)
    with clock.phase("compare"):
        pair = compare_pair(one.pixels, other.pixels, align=align)
        found = regions(pair.standing, one.width, one.height, level=level)
        differences = tuple(_difference(pair, each, (one.width, one.height), mm_per_px) for each in found)
    says = None
    if inspector is not None:
        with clock.phase("model"):
            says = inspector.inspect(one.pixels, references=[other.pixels]).explanation
    outcome: Outcome = "different" if differences else "same"
    result = _result(one, other, outcome, level, clock, _explained(differences))
    return result.model_copy(
        update={
            "differences": differences,
            "score": round(float(pair.standing.max()), 4),
            "motion": None if pair.motion is None else MotionEvidence(**asdict(pair.motion)),
            "heat": _heat(pair.standing, level),
            "model_says": says,
            "versions": result.versions if inspector is None else inspector.versions(),
        }
    )


def as_inspection(comparison: PartComparison) -> Inspection:
    """The comparison as an inspection of A with B as its good part, for what takes inspections: exports, sinks."""
    verdicts: dict[Outcome, Verdict] = {"same": "pass", "different": "defect", "unjudged": "unjudged"}
    b = comparison.b.model_dump()
    return Inspection(
        image=comparison.a,
        verdict=verdicts[comparison.outcome],
        probability={"same": 0.0, "different": 1.0, "unjudged": 0.5}[comparison.outcome],
        threshold=0.5,
        unjudged=comparison.unjudged,
        method=METHOD,
        seed=0,
        findings=comparison.differences,
        explanation=comparison.explanation,
        evidence=Evidence(
            category=CategoryEvidence(name=None, origin="unknown"),
            references=(ReferenceEvidence(**b, motion=comparison.motion),),
        ),
        timings_ms=comparison.timings_ms,
        versions=comparison.versions,
    )


def _unlike(one: LoadedImage, other: LoadedImage) -> str | None:
    """Why two pictures cannot be compared, as a key of `UNLIKE`; None if they can."""
    from reason_iad.expert.normality.plausible import glance, implausible

    if abs(math.log(one.width * other.height / (one.height * other.width))) > math.log(SHAPE):
        return "shape"
    seen, good = glance(one.whole), glance(other.whole)
    reasons = (implausible(seen, [good]), implausible(good, [seen]))
    return "other" if "other" in reasons else reasons[0] or reasons[1]


def _difference(pair: Pair, marked: Marked, size: tuple[int, int], mm_per_px: float | None) -> Difference:
    """A place that differs, in numbers and words."""
    x1, y1, x2, y2 = marked.box
    shown = shown_by(pair, marked, size)
    change = change_of(pair, marked, size, shown)
    words = _SHOWN[shown] + _LIGHT[brightness_of(pair, marked, size)]
    if change is not None:
        one, other = ("B", "A") if shown == "b" else ("A", "B")
        words = _CHANGES[change.darker, change.touches].format(one=one, other=other)
    return Difference(
        box=Box(x1=x1, y1=y1, x2=x2, y2=y2),
        polygon=marked.polygon,
        place=place_of(*marked.centre, *size),
        area_px=round(marked.area, 1),
        share=min(1.0, marked.area / (size[0] * size[1])),
        length_px=round(marked.length, 1),
        area_mm2=None if mm_per_px is None else marked.area * mm_per_px**2,
        length_mm=None if mm_per_px is None else marked.length * mm_per_px,
        score=round(marked.peak, 4),
        shown_by=shown,
        words=words,
    )


def _explained(differences: tuple[Difference, ...]) -> str:
    if not differences:
        return "No place differs clearly."
    first = differences[0]
    if len(differences) == 1:
        return f"The parts differ at one place, at the {first.place}. {first.words}"
    return f"The parts differ at {len(differences)} places, most clearly at the {first.place}. {first.words}"


def _heat(standing: Values, level: float) -> Heat:
    """The map of a result: the largest value in each cell, over twice the level."""
    import torch

    from reason_iad.expert.heat import as_heat

    high, wide = standing.shape
    scale = min(1.0, HEAT_SIDE / max(high, wide))
    cells = (max(1, round(high * scale)), max(1, round(wide * scale)))
    pooled = torch.nn.functional.adaptive_max_pool2d(torch.from_numpy(np.ascontiguousarray(standing))[None], cells)
    return as_heat((pooled[0] / (2 * level)).clamp(0, 1), digits=3)


def _result(
    one: LoadedImage,
    other: LoadedImage,
    outcome: Outcome,
    level: float,
    clock: Clock,
    explanation: str,
    *,
    unjudged: str | None = None,
) -> PartComparison:
    from reason_iad import __version__

    model = ModelVersion(
        name="no language model", family="none", sha256="", encoder_sha256=encoder().sha256, device="cpu",
        dtype="float32",
    )  # fmt: skip
    return PartComparison(
        a=described(one),
        b=described(other),
        outcome=outcome,
        unjudged=unjudged,
        score=0.0,
        level=level,
        explanation=explanation,
        timings_ms=clock.read(),
        versions=Versions(
            package=__version__,
            torch=version("torch"),
            transformers=version("transformers"),
            model=model,
            config_sha256="",
        ),
    )
