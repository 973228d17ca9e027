"""Answerers without a model, to be sent to Ray workers: deterministic, and some of them fatal."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from reason_iad.bench.records import AnswerRecord, TimingRecord
from reason_iad.bench.work import Answered, BenchQuestion, Unit
from reason_iad.errors import MissingExtraError, PromptError
from reason_iad.schema import ModelVersion


def make_units(count: int) -> list[Unit]:
    """Units with one to three questions each; names and texts are not plain ASCII."""
    return [
        Unit(
            number=number,
            image=f"DS/Schraube ü/{number:03}.png",
            dataset="DS",
            category="Schraube ü",
            abnormal=bool(number % 2),
            mask=f"DS/mask/{number}.png" if number % 2 else None,
            templates=("DS/good/0.png", "DS/good/1.png"),
            questions=tuple(
                BenchQuestion(index, "Anomaly Detection", f"Is it “{number}”?\n", {"A": "Yes.", "B": "No."}, "A")
                for index in range(1 + number % 3)
            ),
        )
        for number in range(count)
    ]


@dataclass(frozen=True)
class Fake:
    """Answers from a hash of the question; the answerer is its own maker.

    Attributes:
        journal: folder in which a file per unit and attempt is left, named by unit and process.
        seconds: how long a unit takes.
        slow: folder; the first worker that makes it waits until others are ahead.
        fatal: units that kill the process.
        mortal: units that kill the process the first time.
        failing: units on which an error of ours is raised.
        broken: units on which any other error is raised.
        fails: whether loading the model fails.
        dies: whether loading the model kills the process.
        other: folder; the first worker that makes it holds another model.
    """

    journal: Path
    seconds: float = 0.0
    slow: Path | None = None
    fatal: tuple[int, ...] = ()
    mortal: tuple[int, ...] = ()
    failing: tuple[int, ...] = ()
    broken: tuple[int, ...] = ()
    fails: bool = False
    dies: bool = False
    other: Path | None = None

    def __call__(self) -> Running:
        """Load the model."""
        (self.journal / f"load-{os.getpid()}").touch()
        if self.dies:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fails:
            raise MissingExtraError("This model", "api")
        return Running(self, "other" if _first(self.other) else "fake", slow=_first(self.slow))


def _first(folder: Path | None) -> bool:
    """Whether this process is the first to make a folder."""
    if folder is None:
        return False
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    return True


AHEAD = 15
"""Units that others have begun before a slow worker ends its first one."""


class Running:
    """The loaded model."""

    def __init__(self, plan: Fake, name: str, *, slow: bool) -> None:
        self.plan, self.slow = plan, slow
        gpus = os.environ.get("CUDA_VISIBLE_DEVICES", "all")
        self.version = ModelVersion(name=name, family="fake", sha256="0" * 64, device=f"gpus:{gpus}", dtype="none")

    def answer(self, unit: Unit) -> list[Answered]:
        attempt = len(list(self.plan.journal.glob(f"unit-{unit.number}-*")))
        (self.plan.journal / f"unit-{unit.number}-{os.getpid()}-{attempt}").touch()
        time.sleep(self.plan.seconds)
        end = time.monotonic() + 60
        while self.slow and self._of_others() < AHEAD and time.monotonic() < end:
            time.sleep(0.05)
        if unit.number in self.plan.fatal or (unit.number in self.plan.mortal and not attempt):
            os.kill(os.getpid(), signal.SIGKILL)
        if unit.number in self.plan.failing:
            raise PromptError("The prompt of “ü” is too long.")
        if unit.number in self.plan.broken:
            raise ZeroDivisionError("no such thing")
        return [Answered(self._answer(unit, question), self._timing(unit, question)) for question in unit.questions]

    def _of_others(self) -> int:
        """How many units other processes have begun."""
        own = str(os.getpid())
        return sum(path.name.split("-")[2] != own for path in self.plan.journal.glob("unit-*"))

    def _answer(self, unit: Unit, question: BenchQuestion) -> AnswerRecord:
        digest = hashlib.sha256(repr((unit, question)).encode()).digest()  # any loss on the way changes it
        share = round(digest[0] / 255, 6)
        return AnswerRecord(
            question=f"{unit.image}#{question.index}",
            image=unit.image,
            index=question.index,
            dataset=unit.dataset,
            category=unit.category,
            kind=question.kind,
            abnormal=unit.abnormal,
            options=question.options,
            truth=question.truth,
            choice="A" if share > 0.5 else None,
            probabilities={"A": share, "B": round(1 - share, 6)},
            reply=f"“{digest.hex()}”",
            reward=digest[1] / 3,
        )

    def _timing(self, unit: Unit, question: BenchQuestion) -> TimingRecord:
        return TimingRecord(
            question=f"{unit.image}#{question.index}", ms=self.plan.seconds * 1000, peak_mb=os.getpid()
        )
