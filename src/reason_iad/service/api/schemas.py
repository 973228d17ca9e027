"""What is sent and answered."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from reason_iad.service.configuration import Outcome, When
from reason_iad.service.database.tables import Inspection, Review, Trial
from reason_iad.service.people import Role
from reason_iad.service.reviews.corrections import Pending


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Part(_Model):
    """An accepted part, and what became of it."""

    id: int = Field(examples=[1017])
    product: str = Field(examples=["bracket"])
    name: str = Field(description="What the sender calls it.", examples=["line2-000815.png"])
    picture: str = Field(description="SHA-256 of the file.")
    template: str | None = Field(default=None, description="SHA-256 of the template that came with it.")
    source: str = Field(description="Where it came from.", examples=["http"])
    received: float = Field(description="Seconds since 1970, UTC.", examples=[1796000000.25])
    state: Literal["waiting", "working", "done", "failed"]
    finished: float | None = None
    outcome: Outcome | None = Field(
        default=None,
        description="'review': a person has to look. 'unjudged': the picture cannot be judged. 'failed': the part "
        "could not be inspected, as `error` says.",
    )
    probability: float | None = Field(default=None, description="Of a defect, in [0, 1].")
    score: float | None = Field(default=None, description="How far the part stands out from good ones.")
    defect_type: str | None = None
    place: str | None = None
    explanation: str | None = None
    error: str | None = Field(default=None, description="Why it could not be inspected.")
    review: str | None = Field(default=None, description="What a person said last: 'good' or 'defect'.")

    @classmethod
    def of(cls, row: Inspection) -> Part:
        """A row of the database."""
        return cls.model_validate({name: getattr(row, name) for name in cls.model_fields})


class PartFilter(_Model):
    """Which parts are asked for; what is not given does not matter."""

    product: str | None = Field(default=None, max_length=100)
    outcome: Outcome | None = None
    state: Literal["waiting", "working", "done", "failed"] | None = None
    reviewed: bool | None = Field(default=None, description="Whether a person said what it really is.")
    since: float | None = Field(default=None, allow_inf_nan=False, description="Seconds since 1970, UTC.")
    until: float | None = Field(default=None, allow_inf_nan=False, description="Not included.")
    text: str | None = Field(default=None, max_length=200, description="Words that all have to be there.")


class Asked(PartFilter):
    """Which parts a page of a list shows."""

    before: int | None = Field(default=None, ge=1, le=2**62, description="`next` of the page before.")
    limit: int = Field(default=50, ge=1, le=200)


class Parts(_Model):
    """A page of a list, the newest part first."""

    parts: list[Part]
    next: int | None = Field(description="Send it as `before` for the next page; null on the last one.")


class Box(_Model):
    """A rectangle in pixels; x2 and y2 are exclusive."""

    x1: int = Field(ge=0)
    y1: int = Field(ge=0)
    x2: int = Field(ge=1)
    y2: int = Field(ge=1)


class NewReview(_Model):
    """What a person says of an inspected part."""

    says: Literal["good", "defect", "skip", "undo"] = Field(
        description="'skip' leaves it to somebody else. 'undo' takes back what was said last."
    )
    defect_type: str | None = Field(default=None, max_length=200, examples=["scratch"])
    box: Box | None = Field(default=None, description="Where the defect is.")
    note: str | None = Field(default=None, max_length=2000)


class GivenReview(_Model):
    """What a person said."""

    person: str
    at: float
    says: str
    defect_type: str | None
    box: Box | None
    note: str | None

    @classmethod
    def of(cls, row: Review) -> GivenReview:
        """A row of the database."""
        return cls.model_validate({name: getattr(row, name) for name in cls.model_fields})


class WaitingCorrection(_Model):
    """What a person said of a part, and its product does not know yet."""

    id: int
    inspection: int
    name: str = Field(description="What the sender of the part calls it.")
    outcome: str | None = Field(description="What the verdict was.")
    says: str
    defect_type: str | None
    box: Box | None
    person: str
    at: float

    @classmethod
    def of(cls, each: Pending) -> WaitingCorrection:
        """A row of the database."""
        said, part = each.review, each.part
        return cls(
            id=each.correction.id, inspection=part.id, name=part.name, outcome=part.outcome, says=said.says,
            defect_type=said.defect_type, box=None if said.box is None else Box(**said.box), person=said.person,
            at=said.at,
        )  # fmt: skip


class WaitingCorrections(_Model):
    """Corrections of a product that wait."""

    learn: When = Field(description="When a product learns what people say of its parts.")
    corrections: list[WaitingCorrection]


class Chosen(_Model):
    """Some of them."""

    corrections: list[Annotated[int, Field(ge=1, le=2**62)]] = Field(
        min_length=1, max_length=500, examples=[[3, 4]]
    )


class AlteredPart(_Model):
    """A part that would be judged in another way."""

    id: int
    before: str = Field(description="Verdict of the product as it is.")
    after: str = Field(description="Verdict of the changed product.")
    review: str | None = Field(description="What a person said of it.")
    against: bool = Field(description="Whether the new verdict is not what the person said.")


class Shown(_Model):
    """What a change would do."""

    words: str
    limits: str = Field(description="Of the changed product, in words.")
    compared: int = Field(description="On how many of the last parts.")
    altered: list[AlteredPart]


class TrialFacts(_Model):
    """A change of which somebody wants to see the effect."""

    id: int
    state: Literal["waiting", "working", "done", "failed"]
    step: str | None = Field(description="What is being done.")
    done: int
    total: int
    found: Shown | None
    error: str | None
    stale: bool = Field(description="Whether the product was changed since, so that the effect may be another one.")

    @classmethod
    def of(cls, row: Trial, state_sha256: str) -> TrialFacts:
        """A row of the database.

        Args:
            row: it.
            state_sha256: of the product now.
        """
        values = {name: getattr(row, name) for name in cls.model_fields if name != "stale"}
        return cls.model_validate({**values, "stale": row.state_sha256 not in (None, state_sha256)})


class Said(_Model):
    """What came of it."""

    words: str


class Details(_Model):
    """A part with everything that is known of it."""

    part: Part
    result: dict[str, Any] | None = Field(
        description="The full result as docs/inspection.schema.json describes it."
    )
    reviews: list[GivenReview]


class Login(_Model):
    """Name and password."""

    name: str = Field(max_length=100)
    password: str = Field(max_length=1000)


class Me(_Model):
    """Who is asking."""

    name: str
    role: Role
    csrf: str | None = Field(description="Browsers send it back as the header X-CSRF-Token.")


class NewPerson(_Model):
    """A person to add, or one with a new password."""

    name: str = Field(min_length=1, max_length=100)
    role: Role
    password: str = Field(max_length=1000)


class NewKey(_Model):
    """A key to make."""

    name: str = Field(min_length=1, max_length=100)
    scope: Role


class MadeKey(_Model):
    """A key, shown once."""

    name: str
    key: str


class ProductFacts(_Model):
    """What is known of one kind of part."""

    name: str
    revision: int
    good: int = Field(description="Number of pictures of good parts.")
    good_for_limits: int = Field(
        description="How many of them set the limits: not those that were doubtful parts before a person called "
        "them good."
    )
    defects: dict[str, int] = Field(description="Number of labelled defects by type.")
    templates: Literal["none", "one", "each"] = Field(
        description="'one': that of all parts. 'each': a part cannot be inspected without its own."
    )
    settings: dict[str, Any]
    limits: dict[str, Any] | None = Field(
        description="Those that were learnt last; null if nothing was ever learnt."
    )
    limits_are_current: bool = Field(
        description="False until the last change is learnt, which the next part begins. The limits are older then."
    )


class DetectionFacts(_Model):
    """How small a defect may be and still be found. Sizes are in pixels."""

    change: int | None = Field(description="Number of the last change of the product then; null: never tested.")
    current: bool = Field(description="Whether the product is still the same.")
    scale: float | None = Field(description="Millimetres per pixel.")
    untested: str | None = Field(description="Why there was no test.")
    kinds: list[dict[str, Any]] = Field(
        description="By kind of defect: `kind`, `words`, `a90_95` (the size from which on 9 of 10 are found, with "
        "95 % confidence, or null), and `curve` with `size`, `pod`, `low` and `high`."
    )


class Health(_Model):
    """Whether the service works."""

    status: Literal["ok"]


class Counts(_Model):
    """How many parts had each outcome."""

    since: float
    counts: dict[str, int]


class SeriesAsked(_Model):
    """Which parts are counted, and in what steps."""

    since: float | None = Field(
        default=None, ge=0, le=1e11, description="Seconds since 1970, UTC. Default: one day before `until`."
    )
    until: float | None = Field(default=None, ge=0, le=1e11, description="Not included. Default: now.")
    step: float = Field(default=3600.0, ge=60, le=1e8, description="Seconds that are counted together.")
    product: str | None = Field(default=None, max_length=100)


class SeriesCount(_Model):
    """How many parts of one step had an outcome and a type."""

    begin: float = Field(description="When the step begins, in seconds since 1970, UTC.")
    outcome: str
    defect_type: str | None
    parts: int


class Series(_Model):
    """Outcomes over time. Steps without parts are left out."""

    since: float
    until: float
    step: float
    counts: list[SeriesCount]
    mean_seconds: float | None = Field(description="From the arrival of a part to its result, on average.")
    most_seconds: float | None = Field(description="The longest.")


class Scored(_Model):
    """How far a part stood out, and what people said of it."""

    id: int
    received: float
    score: float
    outcome: str
    review: str | None

    @classmethod
    def of(cls, row: Inspection) -> Scored:
        """A row of the database."""
        return cls.model_validate({name: getattr(row, name) for name in cls.model_fields})


class SourceFacts(_Model):
    """How a source is."""

    name: str = Field(examples=["line-2"])
    kind: str = Field(examples=["folder"])
    product: str
    works: bool = Field(description="Whether it brings parts.")
    words: str = Field(description="Why not, otherwise.")


class SinkFacts(_Model):
    """How a sink is."""

    name: str
    kind: str
    waiting: int = Field(description="Number of outcomes that it has not taken yet.")
