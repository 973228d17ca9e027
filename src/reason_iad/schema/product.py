"""What the expert of a product says of a part, and by which limits it is judged."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from reason_iad.schema.record import Record

Judge = Literal["comparison", "comparison and model"]
"""Who decided the verdict."""


class ProductEvidence(Record):
    """How a part compares with the good images of its product."""

    name: str = Field(description="Name of the product; '' for good images that were given without one.")
    sha256: str = Field(description="Of everything that was learnt from: images, encoder, areas.")
    good_images: int = Field(ge=1, description="How many good images were learnt from.")
    score: float = Field(
        description="How far the part stands out from good parts, in deviations of good parts that were each left "
        "out: about 0 for a good part."
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
    advice: str | None = Field(
        default=None, description="Why the model has no say in the verdict, and what to do; null if it has one."
    )
    drift: str | None = Field(
        default=None, description="What there is to say if the last parts differ from those before; else null."
    )
    stood_in: bool = Field(
        default=False,
        description="Whether slightly changed copies stood in for good images, because there were too few: the "
        "limits then say little.",
    )
