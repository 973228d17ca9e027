"""A run on disk: whatever ends the process costs at most the unit in flight.

Answers of a unit are appended in one write and synced, its timings before them, so that answered units always have
theirs. A unit counts only when all its questions are answered; what is left of another is cut off on resume. The
finished files are put in the order of the plan, so how often a run was cut off cannot be told from its answers.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from reason_iad.bench.conditions import differences
from reason_iad.bench.fingerprints import Fingerprints
from reason_iad.bench.records import RETRIED, AnswerRecord, Manifest
from reason_iad.bench.runs import ANSWERS, MANIFEST, TIMINGS, read_run
from reason_iad.bench.work import Answered, Unit
from reason_iad.errors import DatasetError, OutputError
from reason_iad.files import write_atomic
from reason_iad.images import printable
from reason_iad.schema import ModelVersion

LOCK = ".lock"


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Make a run's folder and keep every other process out of it, until the end of the block or of this process.

    A folder in which nothing was written is removed again, if it was made here.

    Raises:
        OutputError: it cannot be made.
        DatasetError: another process has it.
    """
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path / LOCK)
        lock.acquire(timeout=0)  # by the kernel: gone with the process, however it ends
    except Timeout:
        raise DatasetError(
            f"Another process is working on '{printable(path)}'; wait for it, or choose another --out."
        ) from None
    except OSError as error:
        raise OutputError(
            f"The folder '{printable(path)}' cannot be used ({error.strerror}); choose another --out."
        ) from None
    try:
        yield
    finally:
        _unlock(path, lock)
        for folder in made:
            with contextlib.suppress(OSError):  # there is something in it
                folder.rmdir()


class RunFolder:
    """The run of one method: what is answered already, and room for the rest. Use within `held`.

    Args:
        path: the folder.
        units: the plan.
        conditions: of the run, but for the model (`conditions.conditions`).
        resume: go on with what is there, if there is something.
        overwrite: begin anew even if there is something.

    Raises:
        DatasetError: there is something and neither was asked for, or it was made under other conditions.
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
        if overwrite or not _holds_results(path):
            return
        if not resume:
            raise DatasetError(
                f"'{printable(path)}' already holds results; continue them with --resume, replace them with "
                "--overwrite, or choose another --out."
            )
        self._take_up()

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
        _append(self.path / TIMINGS, [result.timing.model_dump_json() for result in results])
        _append(self.path / ANSWERS, [result.answer.model_dump_json() for result in results])
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
        write_atomic(self.path / ANSWERS, "".join(f"{each.answer.model_dump_json()}\n" for each in results))
        write_atomic(self.path / TIMINGS, "".join(f"{each.timing.model_dump_json()}\n" for each in results))

    def _write_manifest(self, manifest: Manifest) -> None:
        write_atomic(self.path / MANIFEST, manifest.model_dump_json(indent=2) + "\n")


def _unlock(path: Path, lock: FileLock) -> None:
    """Release a lock, and remove its file if that is all there is."""
    with contextlib.suppress(OSError):  # Windows: removed by the release
        if [each.name for each in path.iterdir()] == [LOCK]:
            (path / LOCK).unlink()  # before the release, as afterwards it may be another's
    lock.release()


def _holds_results(path: Path) -> bool:
    answers = path / ANSWERS
    return (path / MANIFEST).exists() or (answers.exists() and answers.stat().st_size > 0)


def _whole(unit: Unit, results: Sequence[Answered]) -> bool:
    """Whether these are the answers to all questions of a unit, in order."""
    return [each.answer.index for each in results] == [question.index for question in unit.questions]


def _append(path: Path, lines: Sequence[str]) -> None:
    """Append lines in one write and wait until they are on the disk; the file is as before if that fails."""
    content = memoryview("".join(f"{line}\n" for line in lines).encode())
    try:
        with path.open("ab", buffering=0) as file:
            end = file.seek(0, os.SEEK_END)
            try:
                while content:  # a write is short when the disk fills up; the next one then says so
                    content = content[file.write(content) :]
                os.fsync(file.fileno())
            except BaseException:  # also when interrupted
                with contextlib.suppress(OSError):
                    file.truncate(end)
                raise
    except OSError as error:
        raise OutputError(
            f"Cannot write '{printable(path)}': {error.strerror}; make room, then go on with --resume."
        ) from None
