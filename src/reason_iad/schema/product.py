"""What the expert of a product says of a part, and by which limits it is judged."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from reason_iad.schema.box import Box
from reason_iad.schema.record import Record
from reason_iad.schema.verdict import SAME

Judge = Literal["comparison", "comparison and model"]
"""Who decided the verdict."""


class ExampleEvidence(Record):
    """The labelled defect of the product that the clearest place looks like most."""

    type: str = Field(description="What people called that defect.")
    name: str = Field(description="File of its picture.")
    sha256: str = Field(description="Of its picture.")
    added: datetime = Field(description="When it came into the product, UTC.")
    box: Box = Field(description="Where the defect is, in pixels of its picture.")
    similarity: float = Field(ge=-1.0, le=1.0, description="Cosine of the features of both places.")
    unlike: bool = Field(description="Whether the place is unlike any known type of defect.")
    types: tuple[str, ...] = Field(
        description="Types that can be stated by comparison with labelled defects, the nearest first; empty if "
        "none can."
    )

    def in_words(self) -> str:
        """What can be said of the type, in one sentence."""
        if self.unlike:
            return "Unlike any known type of defect."
        day = f"{self.added.day} {self.added:%B %Y}"
        if not self.types:
            return f"Most like '{self.type}', seen on {day}, but several types are about as similar."
        *others, last = (f"'{name}'" for name in self.types)
        named = f"{', '.join(others)} or {last}" if others else last
        return f"Looks like {named}, seen on {day}."


class GoodPlaceEvidence(Record):
    """The place of a good image that looks most like the clearest place of the part."""

    name: str = Field(description="File of the good image.")
    sha256: str = Field(description="Of the good image.")
    x: float = Field(ge=0.0, le=1.0, description="Middle of the place, as a share of the width.")
    y: float = Field(ge=0.0, le=1.0, description="The same of the height.")


class TemplateEvidence(Record):
    """The template that a part was compared with."""

    name: str = Field(description="File of the template.")
    sha256: str = Field(description="Of the template.")
    x: float | None = Field(
        default=None,
        ge=0.0,
        le=1.0,
        description="Where the middle of the clearest place lies in the template, as a share of its width; null "
        "without a place.",
    )
    y: float | None = Field(default=None, ge=0.0, le=1.0, description="The same of its height.")

    def in_words(self) -> str:
        """What the part was compared with, as a sentence."""
        return f"Compared with its template '{self.name}'."


class ProductEvidence(Record):
    """How a part compares with the good images of its product."""

    name: str = Field(description="Name of the product; '' for good images that were given without one.")
    sha256: str = Field(description="Of everything that was learnt from: images, encoder, areas.")
    good_images: int = Field(ge=1, description="How many good images were learnt from.")
    score: float = Field(
        description="How far the part stands out from good parts, in deviations of good parts that were each left "
        "out: about 0 for a good part. Resemblance to labelled defects is part of it. Of a part with a template: "
        "the largest difference from it, in grey levels."
    )
    resemblance: float = Field(
        default=0.0,
        ge=0.0,
        description="By how much resemblance to labelled defects raised the score; 0 without labelled defects.",
    )
    example: ExampleEvidence | None = Field(
        default=None,
        description="The labelled defect that the clearest place looks like most; null for a pass, and without "
        "labelled defects.",
    )
    good_place: GoodPlaceEvidence | None = Field(
        default=None,
        description="The most similar place of a good image; null for a pass, and for a part with a template.",
    )
    template: TemplateEvidence | None = Field(
        default=None,
        description="The template that the part was compared with, which then decided; null for parts without one.",
    )
    pass_below: float | None = Field(
        description="A score below it is a pass; null: no score is a pass by the limit alone. Parts between the "
        "limits need a person, or the model where `fit_sha256` is there and the comparison decided."
    )
    defect_from: float | None = Field(
        description="A score from it on is a defect; null: no score is a defect by the limit alone."
    )
    promise: str = Field(description="What is promised of these limits, in words.")
    likeness: float = Field(
        ge=0.0,
        description="Distance of the whole picture from the good images most like it, over the largest distance "
        "among good images: about 1 or less for a good part.",
    )
    comparison: float | None = Field(
        default=None,
        description="The score of the comparison alone, where comparison and model decided together: `score` is "
        "then that of both.",
    )
    model_probability: float | None = Field(
        default=None, ge=0.0, le=1.0, description="How probable the model finds a defect; null if it had no say."
    )
    closer_probability: float | None = Field(
        default=None, ge=0.0, le=1.0, description="The same at a closer look at where most differs."
    )
    fit_sha256: str | None = Field(
        default=None,
        description="Over the numbers that weigh comparison and model; null if the comparison decides every part.",
    )
    strongest: dict[str, float] = Field(
        default_factory=dict, description="The numbers that stand out most, each in deviations."
    )
    decided_by: Judge = "comparison"
    model_asked: bool = Field(
        default=False, description="Whether the language model was asked about this part at all."
    )
    left_out: str | None = Field(
        default=None,
        description="Name of the good image, or of the template, that is the inspected picture itself. The part "
        "was compared with the other good images; if there is no other, it was not compared. Null if there is "
        "none.",
    )
    nothing_compared: bool = Field(
        default=False, description="Whether the only good image, or the template, is the inspected picture itself."
    )
    advice: str | None = Field(
        default=None, description="Why the model has no say in the verdict, and what to do; null if it has one."
    )
    drift: str | None = Field(
        default=None, description="What there is to say if the last parts differ from those before; else null."
    )
    angles: int = Field(
        default=1,
        ge=1,
        description="At how many angles the good parts were compared, because parts lie at any; 1: as they lie.",
    )
    stood_in: bool = Field(
        default=False,
        description="Whether slightly changed copies stood in for good images, because there were too few: the "
        "limits then say little.",
    )

    def same_in_words(self) -> str | None:
        """That a good image is the inspected picture itself, and what followed, as a sentence; None if none is."""
        if self.left_out is None or self.nothing_compared:
            return None if self.left_out is None else SAME
        return (
            f"The good image '{self.left_out}' is the same picture as the part. It was left out of the comparison."
        )
