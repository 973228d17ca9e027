"""What a run writes: its conditions once, and one line per answer.

Answers hold nothing that differs between two runs of the same thing; times and memory are in a file of their own.
So an answers file that was cut off and continued twice is, byte for byte, that of an unbroken run.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from reason_iad.schema import ModelVersion, Record

RUN_VERSION = "1.0"
"""Version of the files of a run; a new field raises the minor number."""

Failure = Literal["unparsable", "image", "error"]

RETRIED: frozenset[Failure | None] = frozenset({"image", "error"})
"""Failures that may be gone the next time; what a model wrote will not be."""


class AnswerRecord(Record):
    """One answer: a line of `answers.jsonl`."""

    question: str = Field(description="'IMAGE#INDEX', unique in a run.")
    image: str = Field(description="Key of the entry in the questions file.")
    index: int = Field(description="Which question of that image, from 0.")
    dataset: str
    category: str
    kind: str = Field(description="Question type as the file states it; `subtask_of` folds it.")
    abnormal: bool = Field(description="Whether the image shows a defect, by the questions file.")
    options: dict[str, str] = Field(description="Letter to text.")
    truth: str = Field(description="The right letter.")
    choice: str | None = Field(description="The letter answered; None if there is none (see `failure`).")
    probabilities: dict[str, float] = Field(
        default_factory=dict, description="Over the letters, rounded to 6 digits; empty for generated answers."
    )
    reply: str | None = Field(default=None, description="Generated text that the letter was parsed from.")
    failure: Failure | None = Field(default=None, description="Why there is no choice. Counts as wrong.")
    error: str | None = Field(default=None, description="The failure in a sentence.")
    knowledge: tuple[str, ...] = Field(default=(), description="Ids of the knowledge entries in the prompt.")
    reward: float | None = Field(default=None, description="Best reward of latent reasoning.")
    initial: str | None = Field(default=None, description="Choice of the initial latent state.")
    steps: int = Field(default=0, description="Optimisation steps done.")
    inside: float | None = Field(
        default=None, description="Share of injected patches that touch the defect's mask; None without either."
    )
    chance: float | None = Field(default=None, description="Share of all patches that touch the mask.")
    files_sha256: str | None = Field(
        default=None, description="Of the bytes of the image, its templates and its mask; None if they failed."
    )

    @property
    def right(self) -> bool:
        """Whether the answer is right; no answer is not."""
        return self.choice == self.truth


class TimingRecord(Record):
    """What one answer took: a line of `timings.jsonl`."""

    question: str
    ms: float = Field(description="Wall time, the image's share of vision and prefix included.")
    peak_mb: float = Field(description="Peak memory of the process (RSS) or of the GPU so far, in MB.")


class Manifest(Record):
    """Under what conditions a run is made: `manifest.json`. Resuming under others is refused."""

    run_version: str = RUN_VERSION
    status: Literal["running", "complete"]
    method: str
    model: ModelVersion
    config: dict[str, Any] = Field(description="The whole configuration in force, reasoning included.")
    answers: Literal["likelihood", "text"]
    shots: int = Field(description="Normal templates shown per image.")
    templates: Literal["random", "similar"]
    seed: int
    limit: int | None = Field(description="Images asked about; None: all.")
    questions: int = Field(description="Answers the complete run has.")
    questions_sha256: str = Field(description="Of the questions asked, in order, with images' and templates' keys.")
    knowledge_sha256: str | None
    packages: dict[str, str] = Field(description="Versions of this one and of those that compute.")
    options: dict[str, Any] = Field(default_factory=dict, description="Whatever else decides the answers.")
