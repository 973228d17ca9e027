"""A run on disk: whatever ends the process costs at most the unit in flight.

Answers of a unit are appended in one write and synced, its timings before them, so that answered units always have
theirs. A unit counts only when all its questions are answered; what is left of another is cut off on resume. The
finished files are put in the order of the plan, so how often a run was cut off cannot be told from its answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from reason_iad.bench.conditions import differences
from reason_iad.bench.fingerprints import Fingerprints
from reason_iad.bench.records import RETRIED, AnswerRecord, Manifest
from reason_iad.bench.runs import ANSWERS, MANIFEST, TIMINGS, read_run
from reason_iad.bench.work import Answered, Unit
from reason_iad.errors import DatasetError
from reason_iad.files import Log, made_folder, write_atomic
from reason_iad.images import printable
from reason_iad.schema import ModelVersion

ELSEWHERE = "another --out"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a run is written.

    Attributes:
        folder: made if it is missing.
        resume: go on with results that are there, if there are any.
        overwrite: replace results that are there. Without either, results that are there are an error.
    """

    folder: Path
    resume: bool = False
    overwrite: bool = False


class RunFolder:
    """The run of one method: what is answered already, and room for the rest.

    A context manager: until the end of its block no other process can write there. A folder in which nothing was
    written is removed again, if it was made here.

    Args:
        path: the folder.
        units: the plan.
        conditions: of the run, but for the model (`conditions.conditions`).
        resume: go on with what is there, if there is something.
        overwrite: begin anew even if there is something.

    Raises:
        DatasetError: there is something and neither was asked for, or it was made under other conditions.
        OutputError: another process writes there, or the folder cannot be made.
    """

    def __init__(
        self, path: Path, units: Sequence[Unit], conditions: Mapping[str, Any], *, resume: bool, overwrite: bool
    ) -> None:
        self.path = path
        self._units = {unit.image: unit for unit in units}
        self._conditions = conditions
        self._done: dict[str, list[Answered]] = {}
        self._made: Manifest | None = None
        self._running: Manifest | None = None
        with ExitStack() as opening:
            opening.enter_context(made_folder(path, ELSEWHERE))
            self._answers = opening.enter_context(Log.resume(path / ANSWERS, instead=ELSEWHERE))
            self._timings = opening.enter_context(Log.resume(path / TIMINGS, instead=ELSEWHERE))
            if not overwrite and _holds_results(path):
                if not resume:
                    raise in_the_way(path)
                self._take_up()
            self._opened = opening.pop_all()

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let others write."""
        self._opened.close()

    @property
    def answers(self) -> list[AnswerRecord]:
        """What is answered so far, in the order of the plan."""
        return [each.answer for unit in self._units.values() for each in self._done.get(unit.image, ())]

    @property
    def pending(self) -> list[Unit]:
        """What has yet to be answered, in the order of the plan."""
        return [unit for unit in self._units.values() if unit.image not in self._done]

    @property
    def model(self) -> ModelVersion | None:
        """The model that what is there was made with; None if there is nothing."""
        return None if self._made is None else self._made.model

    def require_files(self, now: Fingerprints) -> None:
        """Make sure that the images, templates and masks of what is answered are still the same.

        Raises:
            DatasetError: one of them is another, or gone.
        """
        for image, results in self._done.items():
            before = results[0].answer.files_sha256
            if before is not None and now.of(self._units[image]) != before:
                raise DatasetError(
                    f"'{printable(self.path)}' was made with other images: '{printable(image)}', or what is shown "
                    "with it, has changed; put the old files back, or choose another --out."
                )

    def begin(self, model: ModelVersion) -> None:
        """Write down under what conditions the run goes on, and cut off what is left of unfinished units.

        Raises:
            DatasetError: what is there was made with another model.
            OutputError: it cannot be written.
        """
        self._require({"model": model.model_dump(mode="json")})
        for left in self.path.glob(".*.tmp"):  # of a process that was killed while it wrote
            left.unlink(missing_ok=True)
        self._write()
        self._running = Manifest.model_validate({**self._conditions, "model": model, "status": "running"})
        self._write_manifest(self._running)

    def append(self, results: Sequence[Answered]) -> bool:
        """Add the answers to one unit, and wait until they are on the disk. False: they were there already.

        Raises:
            OutputError: they cannot be written; the files are then as before.
        """
        image = results[0].answer.image
        if image in self._done:
            return False
        if not _whole(self._units[image], results):
            raise ValueError(f"not the answers to the questions of {image}")
        self._timings.append(*(result.timing.model_dump_json() for result in results))
        self._answers.append(*(result.answer.model_dump_json() for result in results))
        self._done[image] = list(results)
        return True

    def finish(self) -> None:
        """Put everything in the order of the plan and mark the run as complete.

        Raises:
            OutputError: it cannot be written.
        """
        if self._running is None or self.pending:
            raise ValueError("the run is not at its end")
        self._write()
        self._write_manifest(self._running.model_copy(update={"status": "complete"}))

    def _take_up(self) -> None:
        """Read what is there, without changing it."""
        run = read_run(self.path)
        self._made = run.manifest
        self._require(self._conditions)
        timings = {timing.question: timing for timing in run.timings}
        found: dict[str, list[Answered]] = {}
        for answer in run.answers:
            if (timing := timings.get(answer.question)) is not None and answer.failure not in RETRIED:
                found.setdefault(answer.image, []).append(Answered(answer, timing))
        for image, results in found.items():
            if image in self._units and _whole(self._units[image], results):
                self._done[image] = results

    def _require(self, wanted: Mapping[str, Any]) -> None:
        if self._made is not None and (changed := differences(self._made, wanted)):
            raise DatasetError(
                f"'{printable(self.path)}' was made with {', '.join(changed)}; resume with the same, "
                "or choose another --out."
            )

    def _write(self) -> None:
        results = [each for unit in self._units.values() for each in self._done.get(unit.image, ())]
        self._answers.replace(each.answer.model_dump_json() for each in results)
        self._timings.replace(each.timing.model_dump_json() for each in results)

    def _write_manifest(self, manifest: Manifest) -> None:
        write_atomic(self.path / MANIFEST, manifest.model_dump_json(indent=2) + "\n")


def in_the_way(path: Path) -> DatasetError:
    """What is said of a folder with results, if nobody said what to do with them."""
    return DatasetError(
        f"'{printable(path)}' already holds results; continue them with --resume, replace them with "
        f"--overwrite, or choose {ELSEWHERE}."
    )


def _holds_results(path: Path) -> bool:
    answers = path / ANSWERS
    return (path / MANIFEST).exists() or (answers.exists() and answers.stat().st_size > 0)


def _whole(unit: Unit, results: Sequence[Answered]) -> bool:
    """Whether these are the answers to all questions of a unit, in order."""
    return [each.answer.index for each in results] == [question.index for question in unit.questions]
