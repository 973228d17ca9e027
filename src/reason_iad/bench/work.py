"""The unit of work of a run, and who does it: the seam between what is asked and where it is computed.

One unit is one image with all its questions, so that the questions share vision and prefix, and nothing else is
shared between units: any worker may answer any unit, in any order, any number of times, with the same result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from reason_iad.bench.records import AnswerRecord, TimingRecord
from reason_iad.schema import ModelVersion


@dataclass(frozen=True, slots=True)
class BenchQuestion:
    """A question as its file states it.

    Attributes:
        index: which one of its image, from 0.
        kind: question type, unfolded.
        text: the question.
        options: letter to text, in the order of the file.
        truth: the right letter.
    """

    index: int
    kind: str
    text: str
    options: dict[str, str]
    truth: str


@dataclass(frozen=True, slots=True)
class Unit:
    """One image and what is asked about it. Plain data: it travels between processes and machines.

    Attributes:
        number: place in the run, from 0.
        image: key of the entry; the path under the images' folder.
        dataset, category: as the key says.
        abnormal: whether the image shows a defect.
        mask: path of the defect's mask under the images' folder, or None.
        templates: keys of the normal images to show, best first.
        questions: in the order of the file.
    """

    number: int
    image: str
    dataset: str
    category: str
    abnormal: bool
    mask: str | None
    templates: tuple[str, ...]
    questions: tuple[BenchQuestion, ...]


class Answered(NamedTuple):
    """An answer and what it took."""

    answer: AnswerRecord
    timing: TimingRecord


class Answerer(Protocol):
    """Holds a model; answers units."""

    @property
    def version(self) -> ModelVersion:
        """The model."""
        ...

    def answer(self, unit: Unit) -> list[Answered]:
        """One result per question of the unit, in order. A failed image gives failed answers, not an exception."""
        ...


MakeAnswerer = Callable[[], Answerer]
"""Loads the model where it is called: in this process, or in an actor. Must be picklable by cloudpickle."""
