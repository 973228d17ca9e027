"""How a probability becomes a verdict: pass, defect, or a person decides (METHOD section 5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Verdict = Literal["pass", "review", "defect", "unjudged"]
"""'review': the probability lies between the two limits, so a person decides; it is shown as "needs a person".
'unjudged': the picture does not show the part well enough; it is shown as "cannot be judged" and never a pass."""
SHOWN: dict[Verdict, str] = {
    "pass": "pass", "review": "needs a person", "defect": "defect", "unjudged": "cannot be judged",
}  # fmt: skip

ALONE = "No good part to compare with: this is the model's opinion alone."
"""What people are told first of a result for which there was nothing to compare with."""
SAME = "The reference is the same picture as the part: nothing was compared."
"""What they are told first where the only good part that was given is the inspected picture itself."""

LOOK_AGAIN = "Take another picture, or look at the part yourself."
"""What people are told to do where a picture cannot be judged."""


class OperatingPoint(BaseModel):
    """Thresholds that known parts of the same product set (`operating_point.py`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    false_alarms: float | None = Field(
        gt=0.0,
        lt=1.0,
        description="At most this share of good parts is called defective; null: not asked for.",
    )
    good_parts: int = Field(ge=0, description="How many good parts set the limit.")
    missed: float | None = Field(
        default=None,
        gt=0.0,
        lt=1.0,
        description="At most this share of defective parts passes; null: not asked for.",
    )
    defective_parts: int = Field(default=0, ge=0, description="How many defective parts set the limit.")
    pass_below: float = Field(gt=0.0, le=1.0, description="The verdict is 'pass' below this limit.")
    threshold: float = Field(
        gt=0.0, le=1.0, description="The verdict is 'defect' at or above this limit, and 'review' between the two."
    )

    @model_validator(mode="after")
    def _in_order(self) -> OperatingPoint:
        if self.pass_below > self.threshold:
            raise ValueError("pass_below lies above the threshold")
        return self

    def verdict(self, probability: float) -> Verdict:
        """What becomes of a probability of a defect, in [0, 1]."""
        if probability >= self.threshold:
            return "defect"
        return "pass" if probability < self.pass_below else "review"

    def in_words(self, number: Callable[[float], str] | None = None) -> str:
        """Which parts set the limits, and what is promised, in short sentences.

        Args:
            number: how a limit is written; None: `in_digits`.
        """
        write = number or in_digits
        parts, bounds = [], []
        if self.false_alarms is not None:
            parts.append(f"{self.good_parts} good")
            bounds.append(f"at most {100 * self.false_alarms:g} % of good parts are called defective")
        if self.missed is not None:
            parts.append(f"{self.defective_parts} defective")
            bounds.append(f"at most {100 * self.missed:g} % of defective parts pass")
        one = self.pass_below == self.threshold
        said = f"The {'limit was' if one else 'limits were'} set with {' and '.join(parts)} parts."
        said += f" On average, {' and '.join(bounds)}."
        if one:
            return said
        low, high = write(self.pass_below), write(self.threshold)
        return f"{said} Parts between the two limits, {low} and {high}, are handed to a person."


def in_digits(probability: float) -> str:
    """A probability with as many digits as tell it from 0 and from 1: '0.35', '0.0012', '0.9985'."""
    if probability <= 0.9:
        return f"{probability:.2g}"
    return f"{1 - float(f'{1 - probability:.2g}'):.15g}"


def in_percent(probability: float) -> str:
    """The same as a percentage: '35 %', '0.12 %', '99.85 %'."""
    return f"{float(in_digits(probability)) * 100:.12g} %"
