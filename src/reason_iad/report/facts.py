"""What the page says about the part in a table: label and value, most useful first."""

from __future__ import annotations

import math
from collections.abc import Iterable

from reason_iad.schema import Inspection
from reason_iad.schema.verdict import in_percent

CLOSE, MOST_DIGITS = 0.005, 4
"""How near a limit a probability has to be to get more digits, and how many it gets at most."""
_ORIGINS = {"given": "as given", "gallery": "recognised in the picture", "unknown": "not known"}


def facts_about(inspection: Inspection) -> tuple[tuple[str, str], ...]:
    """Label and value, most useful first."""
    category, region = inspection.evidence.category, inspection.region
    origin = _ORIGINS[category.origin]
    if category.origin == "gallery" and category.score is not None and category.margin is not None:
        origin += f", similarity {category.score:.2f}, lead {category.margin:.2f}"
    product = inspection.evidence.product
    named = f"{category.name} ({origin})" if category.name else "not known"
    facts = [("Product", product.name if product and product.name else named)]
    if kind := inspection.in_words("type"):
        facts.append(("Suspected type" if inspection.verdict == "review" else "Type of defect", kind))
    if region:
        sure = f"{region.place} has a probability of {percent(region.place_probability)}"
        facts.append(("Place", f"{inspection.in_words('place')} ({sure})"))
    if region and region.share is not None:
        share = f"{percent(region.share)} of the picture differs there"
        facts.append(("Size", f"{inspection.in_words('size')} ({share})"))
    if region and region.box:
        box = region.box
        facts.append(("Marked region", f"{box.x2 - box.x1} x {box.y2 - box.y1} pixels at ({box.x1}, {box.y1})"))
    if fusion := inspection.evidence.fusion:
        facts.append(("Whole picture", f"the model alone gives {percent(fusion.model_probability)} for a defect"))
        if fusion.closer_probability is not None:
            near = f"the model alone gives {percent(fusion.closer_probability)} for a defect"
            facts.append(("Enlarged part", near))
        facts.append(("With the comparison", f"{percent(inspection.probability)} for a defect"))
    facts.append(
        ("Picture", f"{inspection.image.name}, {inspection.image.width} x {inspection.image.height} pixels")
    )
    return tuple(facts)


def percent(value: float, limits: Iterable[float] = ()) -> str:
    """A probability as a person says it; never 0 % or 100 % for what is merely close.

    Args:
        value: the probability, in [0, 1].
        limits: what it is compared with. Close to one, it has enough digits to show on which side it lies.
    """
    if not math.isfinite(value):
        return "–"
    digits = max((_digits(value, limit) for limit in limits if abs(value - limit) < CLOSE), default=None)
    if digits is not None:
        return f"{value * 100:.{digits}f} %"
    if 0 < value < 0.001:
        return "< 0.1 %"
    if 0.999 < value < 1:
        return "> 99.9 %"
    return f"{value * 100:.0f} %" if 0.1 <= value <= 0.9 or value in (0, 1) else f"{value * 100:.1f} %"


def limit_percent(limit: float, value: float) -> str:
    """A limit as a percentage, with as many digits as a probability close to it has."""
    return f"{limit * 100:.{_digits(value, limit)}f} %" if abs(value - limit) < CLOSE else in_percent(limit)


def _digits(value: float, limit: float) -> int:
    """How many decimals write a limit in full and tell a probability from it."""
    written = in_percent(limit).removesuffix(" %").partition(".")[2]
    for digits in range(max(1, len(written)), MOST_DIGITS):
        shown, beside = round(value * 100, digits), round(limit * 100, digits)
        if shown != beside or (value == limit and abs(beside - limit * 100) < 1e-9):
            return digits
    return MOST_DIGITS


def share_of(value: float | None) -> float:
    """A length in [0, 1], whatever comes."""
    return min(max(value, 0.0), 1.0) if value is not None and math.isfinite(value) else 0.0


def sentence_case(text: str) -> str:
    """The text with a capital letter first."""
    return text[:1].upper() + text[1:]
