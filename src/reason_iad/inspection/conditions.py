"""The conditions under which a result was made: only results of the same conditions belong together."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from reason_iad.schema import Inspection

_OTHER = {
    "config": "other reasoning options",
    "bounds": "other bounds",
    "dtype": "another number format",
    "references": "other references",
    "question": "another question",
    "weights": "other weights",
    "encoder": "another encoder",
    "knowledge": "other knowledge",
    "category": "another category",
    "product": "another product, or other good images or limits of it",
}
"""How a difference is named whose values say nothing to a reader, or are long."""


def judged_by(learnt: str, pass_below: float | None, defect_from: float | None, fit: str | None = None) -> str:
    """What was learnt of good images, and the limits. Where a model is fitted, its hash stands for all limits."""
    if fit is not None:
        return f"{learnt} {fit}"
    ends = (None if limit is None or math.isinf(limit) else limit for limit in (pass_below, defect_from))
    return " ".join([learnt, *map(str, ends)])


@dataclass(frozen=True, slots=True)
class Conditions:
    """What all results of one log have in common. None: not known (yet), and then not compared.

    Attributes:
        method, threshold, seed: as in the result.
        bounds: the whole operating point, as JSON; '' without one.
        config: hash of the whole configuration in force.
        references: hashes of the reference images, in order.
        question: the free question; '' without one.
        model: name of the model.
        weights: hash of its weights.
        encoder: hash of the encoder that compared.
        dtype: number format that it computed in.
        knowledge: hash of the knowledge entries; '' without knowledge.
        category: name of the category if it was given; '' if it was left to the gallery.
        product: hash of what was learnt of the good images of a product, with the limits; '' without one.
    """

    method: str | None = None
    threshold: float | None = None
    bounds: str | None = None
    seed: int | None = None
    config: str | None = None
    references: tuple[str, ...] | None = None
    question: str | None = None
    model: str | None = None
    weights: str | None = None
    encoder: str | None = None
    dtype: str | None = None
    knowledge: str | None = None
    category: str | None = None
    product: str | None = None

    @classmethod
    def of(cls, result: Inspection) -> Conditions:
        """The conditions under which a result was made."""
        category, product = result.evidence.category, result.evidence.product
        asked = product is None or product.model_asked  # a model that was not asked is not known
        questions = (answer.question for answer in result.evidence.answers if answer.key == "question")
        return cls(
            method=result.method,
            threshold=result.threshold,
            bounds="" if result.operating_point is None else result.operating_point.model_dump_json(),
            seed=result.seed,
            config=result.versions.config_sha256,
            references=None if product else tuple(each.sha256 for each in result.evidence.references),
            question=next(questions, "") if asked and result.evidence.answers else None,
            model=result.versions.model.name if asked else None,
            weights=result.versions.model.sha256 + (result.versions.model.fusion_sha256 or "") if asked else None,
            encoder=result.versions.model.encoder_sha256 or None,
            dtype=result.versions.model.dtype if asked else None,
            knowledge=(result.versions.knowledge_sha256 or "") if asked else None,
            category=((category.name or "") if category.origin == "given" else "") if product is None else None,
            product=""
            if product is None
            else judged_by(product.sha256, product.pass_below, product.defect_from, product.fit_sha256),
        )

    def differences(self, other: Conditions) -> list[str]:
        """What differs, as a user would say it: 'seed 0 instead of 1', 'other references'."""
        pairs = {f.name: (getattr(self, f.name), getattr(other, f.name)) for f in fields(self)}
        differing = {name: pair for name, pair in pairs.items() if None not in pair and pair[0] != pair[1]}
        if differing.keys() & {"method", "seed"}:
            differing.pop("config", None)  # it differs because of them
        if "bounds" in differing:
            differing.pop("threshold", None)
        return [
            _OTHER.get(name, f"{name} {mine} instead of {theirs}") for name, (mine, theirs) in differing.items()
        ]
