"""What comes out of the door: one inspection, or one answer.

`Inspection` is what `Inspector.inspect` returns and what `--json` writes. Its JSON schema is published in
`docs/inspection.schema.json` and versioned by `SCHEMA_VERSION` (semantic: a new field or a new
verdict raises the minor number, anything else a reader could trip over raises the major one). A program that meets
a verdict it does not know should hand the part to a person.
"""

from __future__ import annotations

from pydantic import Field

from reason_iad.schema.evidence import Answer, Claim, Evidence, Fact, Region, size_of
from reason_iad.schema.findings import Finding
from reason_iad.schema.record import Record
from reason_iad.schema.summary import Summary
from reason_iad.schema.verdict import ALONE, SAME, OperatingPoint, Verdict, in_digits

SCHEMA_VERSION = "2.3"


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
    fusion_sha256: str | None = Field(
        default=None,
        description="Over the numbers that combine the model's answers with the comparison; null if none are used.",
    )
    device: str
    dtype: str


class Versions(Record):
    """What is needed to run this inspection again."""

    package: str
    torch: str
    transformers: str
    model: ModelVersion
    knowledge_sha256: str | None = Field(default=None, description="Over the entries of the store; None without.")
    config_sha256: str = Field(description="Over the configuration as used, with the seed; without the threshold.")


class InputImage(Record):
    """The image that was inspected."""

    name: str
    sha256: str = Field(description="Of the file, or of the pixel array if no file was given.")
    width: int
    height: int
    white: float | None = Field(
        default=None, description="The value that was taken for white; null for a picture with 8 bits."
    )
    notes: tuple[str, ...] = Field(
        default=(), description="What was done when the picture was loaded, one sentence each."
    )


class Inspection(Record):
    """One inspected image: verdict, reasons, evidence.

    `probability` is the probability that the part is defective, in [0, 1]: the model's own, from the distribution
    over the options of the detection question at the best latent state, or what late fusion makes of it and of the
    anomaly map (`evidence.fusion`). It is not calibrated on parts like yours. Where a picture cannot be judged,
    nothing is known of the part: the probability is then that of the threshold or, with a product, what its score
    gives.
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
    unjudged: str | None = Field(
        default=None, description="Why the picture cannot be judged, as a sentence; null for every other verdict."
    )
    caution: str | None = Field(
        default=None,
        description="What to know before anything else, as a sentence: that there was no good part to compare "
        "with, so that the result is the model's opinion alone, or that the only one is the inspected picture "
        "itself. Null where there was one, and in results of version 2.2 and before.",
    )
    defect_type: str | None = Field(
        default=None,
        description="Name of the defect type, suspected where a person has to decide; None for a pass.",
    )
    severity: str | None = Field(
        default=None, description="Of `defect_type`, as the knowledge has it, however sure that type is."
    )
    region: Region | None = None
    findings: tuple[Finding, ...] = Field(
        default=(),
        description="The places that differ from good parts. The first is the one that `region` and `defect_type` "
        "are about, and the others follow from what differs most. Empty for a pass, without references, and in "
        "results of version 2.1 and before.",
    )
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
        """The type, place or size for people; None if nothing is known of it.

        'scratch or crack' if that is claimed, and 'not clear, perhaps scratch' if nothing is.
        """
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
        return next(claimed, f"not clear, perhaps {guess}")

    def is_clear(self, fact: Fact) -> bool:
        """Whether exactly one type, place or size is claimed.

        Severity, cause and action belong to one type of defect: they are shown only if the type is clear.
        """
        if self.in_words(fact) is None:
            return False
        return self.claims is None or any(each.fact == fact and len(each.names) == 1 for each in self.claims)

    @property
    def marks_the_clearest_spot(self) -> bool:
        """Whether the box holds only what is clearest of a defect, as it does where good images are compared.

        A map of patches is coarse, so the box ends where the difference falls to 0.85 of its highest value. It says
        where a defect is, and not how large. The comparison with a template says both.
        """
        product = self.evidence.product
        return product is not None and product.template is None and bool(self.region and self.region.box)

    @property
    def marks_what_differs_most(self) -> bool:
        """Whether the marked region is the spot that differs most, which was looked at again."""
        box, near = None if self.region is None else self.region.box, self.evidence.closer
        if box is None or near is None:
            return False
        x, y = (box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2
        return near.x1 <= x < near.x2 and near.y1 <= y < near.y2

    def difference_in_words(self) -> str | None:
        """How much the part differs from the good parts, in a sentence or two; None if that was not weighed."""
        fusion, one = self.evidence.fusion, self.good_parts_used == 1
        if fusion is None:
            return None
        if self.rests_on_the_model:
            said = "suspicion" if self.verdict == "review" else "verdict"
            return (
                f"The comparison with the good part{'' if one else 's'} shows nothing clear. "
                f"The {said} comes from the model alone, which can be wrong."
            )
        spot = "The marked spot" if self.marks_what_differs_most else "One spot"
        said = fusion.in_words(spot, one_good_part=one)
        if self.verdict == "pass" and fusion.stands_out:
            return f"{said.removesuffix('.')}, but not enough for a defect."
        return said

    @property
    def rests_on_the_model(self) -> bool:
        """Whether a defect is found or suspected although the comparison with good parts shows nothing clear."""
        fusion = self.evidence.fusion
        return self.verdict != "pass" and fusion is not None and not fusion.stands_out

    @property
    def nothing_is_known(self) -> bool:
        """Whether there is neither a probability nor a score, since no model was asked and nothing was compared."""
        return self.caution == SAME or (self.verdict == "unjudged" and self.evidence.product is None)

    @property
    def good_parts_used(self) -> int:
        """How many good images the part was compared with."""
        if self.evidence.product is not None:
            return self.evidence.product.good_images
        return sum(reference.used for reference in self.evidence.references)

    def picture_notes(self) -> tuple[str, ...]:
        """What was done when the pictures were loaded: each sentence once, first those about the part."""
        return picture_notes(self.image, self.evidence)

    def alone_in_words(self) -> str | None:
        """That nothing was compared, and why, as a sentence; None if something was."""
        return self.caution or (None if self.good_parts_used else ALONE)

    def summary(self) -> Summary:
        """The compact form: verdict, type, place and explanation, without the evidence."""
        return Summary(
            schema_version=self.schema_version,
            image=self.image.name,
            verdict=self.verdict,
            probability=self.probability,
            threshold=self.threshold,
            caution=self.alone_in_words(),
            defect_type=self.defect_type,
            place=None if self.region is None else self.region.place,
            box=None if self.region is None else self.region.box,
            explanation=self.explanation,
            model=self.versions.model.name,
        )

    def to_json(self, indent: int | None = None) -> str:
        """Return the inspection as JSON text that follows the published schema. `summary` has a short form."""
        return self.model_dump_json(indent=indent)

    def __repr__(self) -> str:
        """One line: image, verdict, probability, and what is known of the defect."""
        said = [repr(self.image.name), self.verdict, f"probability={in_digits(self.probability)}"]
        if self.defect_type is not None:
            said.append(f"type={self.defect_type!r}")
        if self.region is not None:
            said.append(f"place={self.region.place!r}")
        return f"Inspection({', '.join(said)})"

    __str__ = __repr__


def picture_notes(image: InputImage, evidence: Evidence) -> tuple[str, ...]:
    """What was done when pictures were loaded: each sentence once, first those about the part.

    Args:
        image: the part.
        evidence: with the good parts that were used.
    """
    said = dict.fromkeys(image.notes)
    about: dict[str, list[str]] = {}
    for good in evidence.references:
        for note in good.notes if good.used else ():
            if note not in said:
                about.setdefault(note, []).append(good.name)
    others = {note: f" and {len(names) - 1} more" if names[1:] else "" for note, names in about.items()}
    return (*said, *(f"{names[0]}{others[note]}: {note}" for note, names in about.items()))


class Reply(Record):
    """The answer to a free question about an image (`Inspector.ask`)."""

    schema_version: str = SCHEMA_VERSION
    image: InputImage
    method: str
    seed: int
    answer: Answer
    weighed: bool = Field(default=False, description="Whether what differs has a say in `answer`.")
    advice: str | None = Field(
        default=None,
        description="What to ask instead, where references were given but the question was not recognised.",
    )
    evidence: Evidence
    timings_ms: dict[str, float]
    versions: Versions

    def to_json(self, indent: int | None = None) -> str:
        """Return the reply as JSON text that follows the published schema."""
        return self.model_dump_json(indent=indent)

    def __repr__(self) -> str:
        """One line: image, question, answer, and the probability of the option that was chosen."""
        said = [repr(self.image.name), repr(self.answer.question), repr(self.answer.text)]
        if self.answer.choice is not None:
            said.append(f"probability={in_digits(self.answer.probabilities[self.answer.choice])}")
        return f"Reply({', '.join(said)})"

    __str__ = __repr__
