"""What comes out when two parts are compared: where they differ, and how.

`PartComparison` is what `compare_parts` returns and what `reason-iad compare --json` writes. Its JSON schema is
published in `docs/comparison.schema.json`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from reason_iad.schema.evidence import Heat, MotionEvidence
from reason_iad.schema.findings import Finding
from reason_iad.schema.inspection import SCHEMA_VERSION, InputImage, Versions
from reason_iad.schema.record import Record

Outcome = Literal["same", "different", "unjudged"]
"""'unjudged': the two pictures do not show the same kind of part, so nothing was compared."""
Side = Literal["a", "b", "both"]


class Difference(Finding):
    """One place at which two parts differ, in pixels of the first picture."""

    shown_by: Side = Field(
        description="Which picture shows something there that the other lacks; 'both' where each shows something."
    )
    words: str = Field(description="What differs, as a sentence.")


class PartComparison(Record):
    """Two parts, A and B, compared."""

    schema_version: str = SCHEMA_VERSION
    a: InputImage
    b: InputImage
    outcome: Outcome
    unjudged: str | None = Field(
        default=None, description="Why the two cannot be compared, as a sentence; null for every other outcome."
    )
    differences: tuple[Difference, ...] = Field(
        default=(), description="The places that differ, the clearest first; positions are those of A."
    )
    score: float = Field(
        ge=0.0, description="Of the clearest place, as in `Finding.score`, whether it counts or not."
    )
    level: float = Field(gt=0.0, description="The score from which a place counts as a difference.")
    motion: MotionEvidence | None = Field(
        default=None, description="How B was moved to lie as A does; null if it was not moved."
    )
    heat: Heat | None = Field(
        default=None, description="Where the two differ: 0 where no more than usual, 1 from twice the level on."
    )
    explanation: str = Field(description="What differs, in sentences that follow from the comparison alone.")
    model_says: str | None = Field(
        default=None,
        description="What a model says of A, with B as the good part; null where none was asked.",
    )
    timings_ms: dict[str, float] = Field(description="Wall-clock milliseconds per phase, and 'total'.")
    versions: Versions

    def to_json(self, indent: int | None = None) -> str:
        """Return the comparison as JSON text that follows the published schema."""
        return self.model_dump_json(indent=indent)

    def __repr__(self) -> str:
        """One line: both pictures, the outcome, and how many places differ."""
        return f"PartComparison({self.a.name!r}, {self.b.name!r}, {self.outcome}, {len(self.differences)} places)"

    __str__ = __repr__
