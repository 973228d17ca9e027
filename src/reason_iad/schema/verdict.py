"""How a probability becomes a verdict: pass, defect, or a person has to decide (METHOD section 5)."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Verdict = Literal["pass", "review", "defect"]
"""'review': neither bound that was asked for allows to decide; it is shown as "needs a person"."""
SHOWN: dict[Verdict, str] = {"pass": "pass", "review": "needs a person", "defect": "defect"}


class OperatingPoint(BaseModel):
    """Thresholds that known parts of the same product set (`operating_point.py`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    false_alarms: float | None = Field(
        gt=0.0, lt=1.0, description="Share of good parts that may be called defective; null: not bounded."
    )
    good_parts: int = Field(ge=0, description="How many were inspected to find the threshold.")
    missed: float | None = Field(
        default=None, gt=0.0, lt=1.0, description="Share of defective parts that may pass; null: not bounded."
    )
    defective_parts: int = Field(default=0, ge=0, description="How many were inspected for that.")
    pass_below: float = Field(gt=0.0, le=1.0, description="Verdict is 'pass' below it.")
    threshold: float = Field(
        gt=0.0, le=1.0, description="Verdict is 'defect' at or above it, and 'review' between both."
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

    def in_words(self) -> str:
        """Which parts set it, and what it promises."""
        parts, bounds = [], []
        if self.false_alarms is not None:
            parts.append(f"{self.good_parts} good")
            bounds.append(f"on average at most {100 * self.false_alarms:g} % of good ones are called defective")
        if self.missed is not None:
            parts.append(f"{self.defective_parts} defective")
            bounds.append(f"on average at most {100 * self.missed:g} % of defective ones pass")
        said = f"set by {' and '.join(parts)} parts: {', '.join(bounds)}"
        if self.pass_below == self.threshold:
            return said
        return f"{said}; from {in_digits(self.pass_below)} to {in_digits(self.threshold)} a person decides"


def in_digits(probability: float) -> str:
    """A probability with as many digits as tell it from 0 and from 1: '0.35', '0.0012', '0.9985'."""
    if probability <= 0.9:
        return f"{probability:.2g}"
    return f"{1 - float(f'{1 - probability:.2g}'):.15g}"
