"""What the page says where the comparison with the good images of a product decided."""

from __future__ import annotations

from reason_iad.schema import Inspection
from reason_iad.schema.product import ProductEvidence
from reason_iad.schema.verdict import in_percent

_SIDES = {
    "pass": "Below the limit", "review": "Between the limits", "defect": "Above the limit",
    "unjudged": "No verdict",
}  # fmt: skip


def nothing_is_known(inspection: Inspection) -> bool:
    """Whether there is neither a probability nor a score to show."""
    return inspection.nothing_is_known


def side_of(inspection: Inspection) -> str:
    """On which side of the limits the part lies."""
    product = inspection.evidence.product
    if inspection.verdict == "review" and product is not None and product.defect_from is None:
        return "Above the limit: a person decides"
    return _SIDES[inspection.verdict]


def limits_of(product: ProductEvidence) -> str:
    """The limits on the score, in short sentences."""
    low, high = product.pass_below, product.defect_from
    said = [] if high is None else [f"Parts count as defective from {high:.1f} on."]
    if low is not None and low != high:
        said.append(f"{'They' if said else 'Parts'} pass below {low:.1f}.")
    if low != high:
        alone = product.fit_sha256 is not None and product.decided_by == "comparison"
        others = "Between them, a person decides." if high is not None else "A person decides about the others."
        said.append("Between them, the model is asked, too." if alone else others)
    return " ".join([*said, *(["Good parts score about 0."] if product.template is None else [])])


def rule_of(product: ProductEvidence) -> str:
    """What is promised, and what a score is."""
    if product.template is not None:
        return (
            "The score is the largest difference between the part and its template, in grey levels. "
            f"The limit follows from good parts and their templates. {product.promise}"
        )
    few = ""
    if product.stood_in:
        few = (
            " There are too few good images to leave one out, so slightly changed copies stood in for them. The "
            "limit says little."
        )
    return (
        "The score says how far the part stands out from the good images. Good parts score about 0, and 1 is as "
        f"far as they usually differ from each other. {product.promise}{few}"
    )


def why_of(inspection: Inspection, product: ProductEvidence) -> list[str]:
    """How the verdict came about."""
    count = product.good_images
    images = f"{count} good image{'' if count == 1 else 's'}"
    of = f" of '{product.name}'" if product.name else ""
    if product.template is not None:
        compared = product.template.in_words()
        if inspection.verdict == "unjudged":
            return [f"{compared} This is no verdict about the part."]
        asked = " The model was asked for the type and the explanation." if product.model_asked else ""
        return [f"{compared} The comparison decided.{asked}", *_notes(product)]
    if inspection.verdict == "unjudged":
        return [f"Compared with the {images}{of}. This is no verdict about the part."]
    if product.decided_by == "comparison and model":
        return [
            f"Compared with the {images}{of}. The comparison was not certain, so comparison and model decided "
            "together.",
            _what_each_said(product),
            *_notes(product),
        ]
    said = f"Compared with the {images}{of}: the comparison decided."
    if product.model_asked:
        said += " The model was asked for the type and the explanation."
    return [said, *_notes(product)]


def _what_each_said(product: ProductEvidence) -> str:
    """The sides of a joint score."""
    closer = product.closer_probability
    near = "" if closer is None else f", {in_percent(closer)} at a closer look"
    return (
        f"The comparison alone: score {product.comparison or 0:.1f}. Probability of a defect by the model: "
        f"{in_percent(product.model_probability or 0.0)}{near}."
    )


def _notes(product: ProductEvidence) -> list[str]:
    return [said for said in (product.same_in_words(), product.advice, product.drift) if said]
