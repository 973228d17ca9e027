"""What comes out of the door: one inspection, or one answer.

`Inspection` is what `Inspector.inspect` returns and what `--json` writes. Its JSON schema is published in
`docs/inspection.schema.json` and versioned by `SCHEMA_VERSION` (semantic: a new field raises the minor number,
anything a reader could trip over raises the major one).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from reason_iad.schema.evidence import Answer, Claim, Evidence, Fact, Record, Region, size_of
from reason_iad.schema.verdict import OperatingPoint, Verdict

if TYPE_CHECKING:
    from PIL import Image

SCHEMA_VERSION = "2.1"


class ModelVersion(Record):
    """Which weights answered."""

    name: str
    family: str
    sha256: str = Field(
        description="Over weights, configuration, tokenizer and templates; 'unknown' behind an API."
    )
    encoder_sha256: str = Field(
        default="", description="Over what decides the features of a picture's patches; '' behind an API."
    )
    device: str
    dtype: str


class Versions(Record):
    """What is needed to run this inspection again."""

    package: str
    torch: str
    transformers: str
    model: ModelVersion
    fusion_sha256: str | None = Field(
        default=None, description="Over the numbers that weigh the model and the comparison; None without."
    )
    knowledge_sha256: str | None = Field(default=None, description="Over the entries of the store; None without.")
    config_sha256: str = Field(description="Over the configuration as used, with the seed; without the threshold.")


class InputImage(Record):
    """The image that was inspected."""

    name: str
    sha256: str = Field(description="Of the file, or of the pixel array if no file was given.")
    width: int
    height: int


class Inspection(Record):
    """One inspected image: verdict, reasons, evidence.

    `probability` is the probability that the part is defective, in [0, 1]: the model's own, from the distribution
    over the options of the detection question at the best latent state, or what late fusion makes of it and of the
    anomaly map (`evidence.fusion`). It is not calibrated on parts like yours.
    """

    schema_version: str = SCHEMA_VERSION
    image: InputImage
    verdict: Verdict
    probability: float = Field(ge=0.0, le=1.0)
    threshold: float = Field(ge=0.0, le=1.0, description="Verdict is 'defect' at or above it.")
    operating_point: OperatingPoint | None = Field(
        default=None, description="How known parts set the threshold; null if they did not."
    )
    method: str
    seed: int
    defect_type: str | None = Field(
        default=None,
        description="Name of the defect type, suspected where a person has to decide; None for a pass.",
    )
    severity: str | None = None
    region: Region | None = None
    claims: tuple[Claim, ...] | None = Field(
        default=None,
        description="What the explanation claims of a defect; a fact of which nothing can be said has none. Null "
        "for a pass, and in results of version 1.3 and before.",
    )
    explanation: str = ""
    evidence: Evidence
    timings_ms: dict[str, float] = Field(description="Wall-clock milliseconds per phase, and 'total'.")
    versions: Versions

    def in_words(self, fact: Fact) -> str | None:
        """The type, place or size: 'a or b' as claimed, else the best guess and that it is one; None if unknown."""
        region = self.region
        share = None if region is None else region.share
        guess = {
            "type": self.defect_type,
            "place": None if region is None else region.place,
            "size": None if share is None else size_of(share),
        }[fact]
        if guess is None or self.claims is None:
            return guess
        claimed = (claim.in_words() for claim in self.claims if claim.fact == fact)
        return next(claimed, f"{guess} (not clear)")

    def to_json(self, indent: int | None = None) -> str:
        """Return the inspection as JSON text that follows the published schema."""
        return self.model_dump_json(indent=indent)

    def save_report(
        self, path: str | Path, image: Image.Image | str | Path, references: tuple[Any, ...] = ()
    ) -> Path:
        """Write the self-contained HTML report of this inspection.

        Args:
            path: the HTML file to write (replaced atomically).
            image: the inspected image (path, PIL image or array): results carry hashes, not pixels.
            references: the references in the order of `evidence.references`.

        Raises:
            OutputError: the file cannot be written.
        """
        from reason_iad.report import save_report

        return save_report(self, path, image=image, references=references)


class Reply(Record):
    """The answer to a free question about an image (`Inspector.ask`)."""

    schema_version: str = SCHEMA_VERSION
    image: InputImage
    method: str
    seed: int
    answer: Answer
    weighed: bool = Field(default=False, description="Whether what differs has a say in `answer`.")
    evidence: Evidence
    timings_ms: dict[str, float]
    versions: Versions

    def to_json(self, indent: int | None = None) -> str:
        """Return the reply as JSON text."""
        return self.model_dump_json(indent=indent)
