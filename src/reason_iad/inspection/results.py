"""Results of inspections as JSON lines: kept as soon as they are there, and gone on with after an interruption.

A line is on the disk before the next image begins, so whatever ends the process (Ctrl-C, kill -9, a power cut)
costs at most the images in flight. A log holds results that were made under the same conditions only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

from pydantic import ValidationError

from reason_iad.errors import OutputError
from reason_iad.files import Log, file_sha256
from reason_iad.images import printable
from reason_iad.inspection.conditions import Conditions
from reason_iad.inspection.many import Failure, Outcome
from reason_iad.schema import SCHEMA_VERSION, Inspection
from reason_iad.schema.verdict import Verdict


class ResultLog:
    """Outcomes as JSON lines in a file, one line per image; no other process can write it meanwhile.

    Use `create` or `resume`, and end with `close` or `release`.
    """

    def __init__(self, log: Log) -> None:
        self.path = log.path
        self._log = log
        self._done: dict[str, Verdict] = {}
        self._conditions: Conditions | None = None

    @classmethod
    def create(cls, path: Path, *, overwrite: bool = False) -> ResultLog:
        """Begin an empty log. What is to be overwritten stays until there is a first result, or all have failed.

        Raises:
            OutputError: the file has content and `overwrite` is off, another process writes it, or it cannot be
                written.
        """
        return cls(Log.create(path, overwrite=overwrite))

    @classmethod
    def resume(cls, path: Path, paths: Iterable[Path], conditions: Conditions) -> ResultLog:
        """Go on with a log; a missing or empty file begins one.

        What is left of a line that was cut off is removed, and so are the lines of those `paths` that have to
        be inspected again: they failed, or the file changed since.

        Args:
            path: the log.
            paths: the images that are to be inspected.
            conditions: what is known of the run to come before its model is loaded.

        Raises:
            OutputError: the file is not such a log, was made under other conditions, another process writes it, or
                it cannot be written; it is then unchanged.
        """
        with ExitStack() as opening:
            result = cls(Log.resume(path))
            opening.callback(result.release)
            hashes = {printable(image): file_sha256(image) for image in paths}
            kept: list[str] = []
            for number, line in enumerate(result._log.lines(), 1):
                outcome = parse_line(line, f"Line {number} of '{printable(path)}'")
                if isinstance(outcome, Failure):
                    if outcome.image not in hashes:
                        kept.append(line)
                    continue
                result._admit(outcome)
                if outcome.image.name not in hashes or hashes[outcome.image.name] == outcome.image.sha256:
                    kept.append(line)
                    result._done[outcome.image.name] = outcome.verdict
            result.require(conditions)
            result._log.replace(kept)
            opening.pop_all()
        return result

    def verdict(self, image: Path) -> Verdict | None:
        """The verdict in the log; None if the image has yet to be inspected (or again, as it changed)."""
        return self._done.get(printable(image))

    def results(self) -> Iterator[Inspection]:
        """The results in the log, one after another; failures are left out."""
        for number, line in enumerate(self._log.lines(), 1):
            outcome = parse_line(line, f"Line {number} of '{printable(self.path)}'")
            if isinstance(outcome, Inspection):
                yield outcome

    def require(self, conditions: Conditions) -> None:
        """Make sure that results made under these conditions may be added.

        Raises:
            OutputError: the log was made under others; the message names what differs.
        """
        if self._conditions is None:
            return
        if differences := self._conditions.differences(conditions):
            raise OutputError(
                f"'{printable(self.path)}' was made with {' and '.join(differences)}; "
                "resume with the same, or choose another file."
            )

    def append(self, outcome: Outcome) -> None:
        """Add one outcome and wait until it is on the disk.

        Failures that come before the first result wait if there is something to overwrite.

        Raises:
            OutputError: it was made under other conditions than the log, or cannot be written.
        """
        if isinstance(outcome, Inspection):
            self._admit(outcome)
        self._log.append(outcome.model_dump_json(), wait=isinstance(outcome, Failure))
        if isinstance(outcome, Inspection):
            self._done[outcome.image.name] = outcome.verdict

    @property
    def waits(self) -> bool:
        """Whether what is to be overwritten is still there."""
        return self._log.waits

    def close(self) -> None:
        """Write what waits, if anything does, and let others write; for the end of a run that came to its end.

        Raises:
            OutputError: it cannot be written.
        """
        self._log.close()

    def release(self) -> None:
        """Let others write, whatever is left to do; more than once does no harm."""
        self._log.release()

    def _admit(self, result: Inspection) -> None:
        conditions = Conditions.of(result)
        self.require(conditions)
        self._conditions = self._conditions or conditions


def parse_line(line: str, where: str) -> Outcome:
    """One line of a log.

    Raises:
        OutputError: it is none; the message begins with `where`.
    """
    try:
        return Failure.model_validate_json(line)
    except ValidationError:
        pass
    try:
        outcome = Inspection.model_validate_json(line)
    except ValidationError:
        outcome = None
    if outcome is None or outcome.schema_version.split(".")[0] != SCHEMA_VERSION.split(".")[0]:
        raise OutputError(
            f"{where} is not a result of this version of the program, as `inspect --json NAME.jsonl` writes them; "
            "choose another file."
        )
    return outcome
