"""The compact form of an inspection: what a line, a table or a screen needs, without the evidence."""

from __future__ import annotations

from pydantic import Field

from reason_iad.schema.box import Box
from reason_iad.schema.record import Record
from reason_iad.schema.verdict import Verdict


class Summary(Record):
    """One inspected image in a few values (`Inspection.summary`), published as `docs/summary.schema.json`."""

    schema_version: str
    image: str = Field(description="Name of the image.")
    verdict: Verdict
    probability: float = Field(ge=0.0, le=1.0, description="Of a defect, in [0, 1].")
    threshold: float = Field(ge=0.0, le=1.0, description="The verdict is 'defect' at or above it.")
    caution: str | None = Field(
        default=None,
        description="That there was no good part to compare with, as a sentence; null where there was one.",
    )
    defect_type: str | None = Field(description="The best guess at the type of the defect; null for a pass.")
    place: str | None = Field(
        description="The best guess at which of nine parts of the image the defect is in; null for a pass."
    )
    box: Box | None = Field(description="What differs most from the references; null for a pass and without them.")
    explanation: str
    model: str = Field(description="Name of the model that answered.")

    def to_json(self) -> str:
        """Return the summary as one line of JSON that follows the published schema."""
        return self.model_dump_json()
