"""What the page says about the part in a table: label and value, most useful first."""

from __future__ import annotations

import math

from reason_iad.schema import Inspection

_ORIGINS = {"given": "given by the user", "gallery": "found from the image", "unknown": "not known"}


def facts_about(inspection: Inspection) -> tuple[tuple[str, str], ...]:
    """Label and value, most useful first."""
    category, region = inspection.evidence.category, inspection.region
    origin = _ORIGINS[category.origin]
    if category.origin == "gallery" and category.score is not None and category.margin is not None:
        origin += f", similarity {category.score:.2f}, lead {category.margin:.2f}"
    facts = [("Part", f"{category.name} ({origin})" if category.name else "unknown")]
    if kind := inspection.in_words("type"):
        facts.append(("Suspected" if inspection.verdict == "review" else "Defect type", kind))
    if change := inspection.evidence.change:
        facts.append(("What changed", change))
    if inspection.severity:
        facts.append(("Severity", inspection.severity))
    if fusion := inspection.evidence.fusion:
        near = fusion.closer_probability
        alone = f"The model alone gives {percent(fusion.model_probability)} for a defect"
        alone += "" if near is None else f", at a closer look {percent(near)}"
        facts.append(("Weighed", f"{alone}; {fusion.in_words()}."))
    if region:
        place, sure = inspection.in_words("place"), f"probability {percent(region.place_probability)}"
        facts.append(
            ("Place", f"{place} ({sure})" if place == region.place else f"{place} ({region.place}: {sure})")
        )
    if region and region.share is not None:
        facts.append(("Size", f"{inspection.in_words('size')}: {percent(region.share)} of the image differs there"))
    if region and region.box:
        box = region.box
        facts.append(("Marked box", f"{box.x2 - box.x1} x {box.y2 - box.y1} px at ({box.x1}, {box.y1})"))
    facts.append(("Image", f"{inspection.image.name}, {inspection.image.width} x {inspection.image.height} px"))
    facts.append(("Method", inspection.method))
    return tuple(facts)


def percent(value: float) -> str:
    """A probability as a person says it; never 0 % or 100 % for what is merely close."""
    if not math.isfinite(value):
        return "–"
    if 0 < value < 0.001:
        return "< 0.1 %"
    if 0.999 < value < 1:
        return "> 99.9 %"
    return f"{value * 100:.0f} %" if 0.1 <= value <= 0.9 or value in (0, 1) else f"{value * 100:.1f} %"
