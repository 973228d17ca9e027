"""What a result rests on: knowledge, references, regions, answers, maps. Every type is immutable."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from reason_iad.schema.box import Box
from reason_iad.schema.product import ProductEvidence
from reason_iad.schema.record import Record
from reason_iad.schema.verdict import SAME

Usual = Literal["references", "median"]
EntryKind = Literal["normal", "tolerance", "defect"]
PLACES: tuple[str, ...] = (
    "top left", "top center", "top right",
    "middle left", "center", "middle right",
    "bottom left", "bottom center", "bottom right",
)  # fmt: skip
"""The nine parts of an image in reading order, as MMAD's localisation questions name them."""
SIZES: tuple[str, ...] = ("tiny", "small", "medium", "large")
SIZE_LIMITS = (0.004, 0.015, 0.05)
"""Shares of the image area between the sizes of a defect."""


def size_of(share: float) -> str:
    """The one of `SIZES` that a share of the image belongs to."""
    return SIZES[sum(share >= limit for limit in SIZE_LIMITS)]


class Entry(Record):
    """One piece of knowledge: what normal looks like, one tolerance, or one known defect type of a category."""

    id: str = Field(description="Stable id, unique in a store: 'category/kind/slug'.")
    category: str
    kind: EntryKind
    name: str = Field(description="Short name, e.g. the defect type; 'normal' for the normal appearance.")
    text: str = Field(description="The description, plain text.")
    severity: str | None = None
    cause: str | None = None
    action: str | None = None
    source: str = Field(description="Where it comes from: a file name (and heading), never an absolute path.")


class RetrievedEntry(Record):
    """An entry with the score that retrieval gave it (larger is better; BM25 or cosine, see `scorer`)."""

    entry: Entry
    score: float
    scorer: Literal["bm25", "cosine", "category"]


class CategoryEvidence(Record):
    """What the part is, and how that is known."""

    name: str | None = Field(description="None: it is not known what the part is.")
    origin: Literal["given", "gallery", "unknown"]
    score: float | None = Field(
        default=None, description="Cosine similarity to the nearest gallery entry, in [-1, 1]."
    )
    margin: float | None = Field(default=None, description="Score minus that of the best other category.")


class Region(Record):
    """Where the defect is."""

    box: Box | None = Field(description="Around what differs most from the references; None without references.")
    place: str = Field(description="One of the nine `PLACES`.")
    place_probability: float = Field(
        description="Probability of that place, in [0, 1]. The difference from the references has a say in it if "
        "`evidence.fusion` is there."
    )
    share: float | None = Field(
        default=None, ge=0.0, le=1.0,
        description="Estimated share of the image that differs there; None if it cannot be told.",
    )  # fmt: skip


Fact = Literal["type", "place", "size"]
"""What can be claimed of a defect."""


class Claim(Record):
    """What the explanation claims: that the defect is one of these."""

    fact: Fact
    names: tuple[str, ...] = Field(
        min_length=1,
        description="The most probable first: a type of the knowledge, one of `PLACES` or one of `SIZES`. Several "
        "where one alone would be a guess; a fact of which nothing can be said has no claim.",
    )
    probability: float | None = Field(
        ge=0.0, le=1.0, description="Of all of them together; null where nothing was weighed."
    )

    def in_words(self) -> str:
        """'a', 'a or b', 'a, b or c'."""
        return " or ".join(filter(None, (", ".join(self.names[:-1]), self.names[-1])))


class MotionEvidence(Record):
    """How a reference was moved to lie as the inspected part does."""

    dx: float = Field(description="Shift to the right, as a share of the image's width.")
    dy: float = Field(description="Shift down, as a share of the image's height.")
    degrees: float = Field(description="Turn, clockwise positive.")
    before: float = Field(ge=-1, le=1, description="Correlation of the grey values of both pictures as they were.")
    after: float = Field(ge=-1, le=1, description="The same with the reference moved.")


class ReferenceEvidence(Record):
    """A normal reference image that was given."""

    name: str
    sha256: str
    width: int
    height: int
    white: float | None = Field(
        default=None, description="The value that was taken for white; null for a picture with 8 bits."
    )
    notes: tuple[str, ...] = Field(
        default=(), description="What was done when the picture was loaded, one sentence each."
    )
    used: bool = Field(
        default=True,
        description="False if other references look more like the part, or if it is a copy or the inspected part.",
    )
    same: Literal["file", "pixels"] | None = Field(
        default=None,
        description="Whether it is the inspected picture itself: the same file, which is never compared with, or "
        "another file with the same pixels. Null if it is neither, or was not looked at.",
    )
    motion: MotionEvidence | None = Field(
        default=None, description="How it was moved before it was compared; null if it was not moved."
    )


class InjectedPatch(Record):
    """An image patch that was injected into the latent reasoning and kept."""

    question: str = Field(description="Key of the answer it belongs to: 'detection', 'type', 'place', ...")
    latent: int = Field(description="Index of the think token it follows, from 0.")
    step: int = Field(description="Optimisation step at which it was kept, from 1.")
    row: int
    column: int
    box: Box
    attention: float = Field(description="Selection weight at that step (attention, corrected as configured).")


class StepRecord(Record):
    """One optimisation step of the think tokens (METHOD section 2). Step 0 is the initial, unperturbed state."""

    step: int
    reward: float = Field(description="Best reward among the candidates of this step.")
    best_reward: float = Field(description="Best reward so far.")
    mean_reward: float
    confidence: float = Field(description="R_conf of the step's best candidate.")
    stability: float = Field(description="Jensen-Shannon divergence to the running mean, in [0, 1] (base 2).")
    entropy: tuple[float, ...] = Field(description="Truncated entropy H_k at each latent position, in [0, 1].")
    answer_entropy: float = Field(
        description="Entropy of the answer in [0, 1]: over the options, or truncated over the vocabulary."
    )
    patches: int = Field(description="Patches injected in the best state so far, over all latents.")
    sigma: float = Field(description="Noise scale of the step, relative to the embedding RMS.")


class Answer(Record):
    """The distribution over the options of one question, and how it came about."""

    key: str = Field(description="'detection', 'type', 'place', 'explanation' or 'question'.")
    question: str
    options: dict[str, str] = Field(default_factory=dict, description="Letter to option text; empty if open.")
    choice: str | None = Field(default=None, description="The most probable letter; None for an open question.")
    probabilities: dict[str, float] = Field(default_factory=dict, description="Over the letters; sums to 1.")
    text: str = Field(default="", description="The option chosen, or the generated text of an open question.")
    reasoning_text: str | None = Field(default=None, description="Generated chain of thought (method 'cot' only).")
    steps: tuple[StepRecord, ...] = ()
    stopped: str | None = Field(
        default=None, description="Why the loop ended: 'steps', 'threshold', 'patience' or 'budget'."
    )
    initial_probabilities: dict[str, float] = Field(
        default_factory=dict, description="Of the initial latent state, before any optimisation."
    )
    closer: bool = Field(
        default=False, description="Whether the question was about the enlarged part of the image alone."
    )
    described: bool = Field(
        default=False, description="Whether the question was which type fits what changed (`evidence.change`)."
    )


class Heat(Record):
    """Where something speaks for a defect, over the whole image."""

    rows: int
    columns: int
    values: tuple[float, ...] = Field(description="Row by row, each in [0, 1]: 0 is normal, 1 clearly not.")


class MapEvidence(Heat):
    """The calibrated anomaly map against the references (METHOD section 4), on the grid of patch features."""

    gate_passed: bool = Field(
        description="Whether the part differs more than good parts do. If not, the map may say where a defect is, "
        "but not whether there is one (unless `fusion` uses it)."
    )
    calibrated_on: int = Field(description="Number of references that the map was calibrated with.")


DIFFERS_MORE, DIFFERS_FAR_MORE = 1.5, 4.0
"""How many times what is usual a spot has to differ until people are told that it differs more, and far more."""


class FusionEvidence(Record):
    """What was combined into the probability of a defect (late fusion, docs/method.md section 5)."""

    model_probability: float = Field(
        ge=0.0, le=1.0, description="Probability of a defect that the model gives by itself, in [0, 1]."
    )
    closer_probability: float | None = Field(
        default=None, ge=0.0, le=1.0,
        description="The same for the enlarged part of the image in `closer`, seen alone.",
    )  # fmt: skip
    standing_out: float = Field(
        ge=-20.0, le=20.0, description="How far the most suspicious place stands out: the sum of the next two."
    )
    patches: float = Field(ge=-10.0, le=10.0, description="There, ln of the patches' distance over what is usual.")
    pixels: float | None = Field(
        default=None, ge=-10.0, le=10.0,
        description="There, ln of one plus the pixels' difference in grey levels over one plus what is usual.",
    )  # fmt: skip
    usual: Usual = Field(
        description="What is usual for patches: the mean largest distance between the references; with one, the "
        "map's median. For pixels likewise, with the upper quartile of this picture's differences at least."
    )

    heat: Heat | None = Field(
        default=None,
        description="What the comparison says for a defect at each place: 0 where no more differs than is usual, 1 "
        "where that makes a defect certain; the largest in each cell. The closer look is where it is largest.",
    )

    @property
    def stands_out(self) -> bool:
        """Whether some spot differs clearly more than is usual."""
        return self._ratio() >= DIFFERS_MORE

    def _ratio(self) -> float:
        """How many times what is usual the most suspicious spot differs, over patches and pixels."""
        sides = (self.patches, self.pixels if self.pixels is not None else self.patches)
        return math.exp(sum(sides) / len(sides))

    def in_words(self, spot: str = "One spot", *, one_good_part: bool = False) -> str:
        """How much it differs there, as a sentence.

        Args:
            spot: what the place is called, at the beginning of the sentence.
            one_good_part: whether there was only one good part, which cannot differ from others.
        """
        alone = one_good_part or self.usual == "median"
        good = "the good part" if alone else "the good parts"
        usual = "the rest of the picture does" if alone else "they differ from one another"
        if not self.stands_out:
            return f"No spot differs clearly more from {good} than {usual}."
        much = "far more" if self._ratio() >= DIFFERS_FAR_MORE else "more"
        return f"{spot} differs {much} from {good} than {usual}."


class Evidence(Record):
    """Everything the verdict rests on."""

    category: CategoryEvidence
    knowledge: tuple[RetrievedEntry, ...] = ()
    references: tuple[ReferenceEvidence, ...] = ()
    patches: tuple[InjectedPatch, ...] = ()
    anomaly_map: MapEvidence | None = None
    fusion: FusionEvidence | None = Field(
        default=None,
        description="None if the model answered alone: there was no map, the model has no weights for it, or it "
        "was switched off. Also None for questions that do not ask whether there is a defect.",
    )
    closer: Box | None = Field(
        default=None,
        description="The part of the image that the model looked at again, enlarged; null if there was none.",
    )
    change: str | None = Field(
        default=None,
        description="What changed there compared with the good parts, as a sentence, on a part of two tones; null "
        "if nothing could be told.",
    )
    answers: tuple[Answer, ...] = Field(
        default=(),
        description="The model's own answers, before they are combined with anything. The explanation is whole "
        "here; in the result, sentences that contradict it are left out.",
    )
    product: ProductEvidence | None = Field(
        default=None,
        description="Score and limits, where what was learnt from the good images of a product decided; else null.",
    )
    types_left_out: tuple[str, ...] = Field(
        default=(),
        description="Names of defect types of the category that the model could not choose, because there are more "
        "types than letters.",
    )

    def same_in_words(self) -> str | None:
        """That good parts are the inspected picture itself, and what followed, as a sentence; None if none is."""
        same = [each for each in self.references if each.same is not None]
        if not same:
            return None if self.product is None else self.product.same_in_words()
        if any(each.used for each in same):
            return f"'{same[0].name}' has the same pixels as the part, in another file."
        if not any(each.used for each in self.references):
            return SAME
        names = ", ".join(dict.fromkeys(f"'{each.name}'" for each in same))
        return f"{names} is the same picture as the part. It was left out of the comparison."

    def answer(self, key: str, *, closer: bool = False, described: bool = False) -> Answer | None:
        """The model's own answer to one question.

        Args:
            key: 'detection', 'type', 'place', 'explanation', or 'question' for the one that was asked beside them.
            closer: the answer about the enlarged part of the image alone.
            described: the answer to which type fits what changed.

        Returns:
            The answer; None if the question was not asked so.
        """
        wanted = (key, closer, described)
        return next((each for each in self.answers if (each.key, each.closer, each.described) == wanted), None)
