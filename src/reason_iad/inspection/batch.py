"""Many images, one after another: a failed one never stops the others, and a run that was killed can go on.

Two independent pieces: `inspect_many` turns paths into outcomes, `ResultLog` keeps outcomes as JSON lines. A
line is on the disk before the next image begins, so whatever ends the process (Ctrl-C, kill -9, a power cut)
costs at most the image in flight.

A log holds results of one kind only. `Conditions` says what that means: same model, configuration, knowledge,
references, category and question; a log is never continued under other conditions.
"""

from __future__ import annotations

import hashlib
import logging
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from reason_iad.errors import OutputError, ReasonIADError
from reason_iad.files import append_line, read_lines_tolerant, write_atomic
from reason_iad.images import printable
from reason_iad.schema import SCHEMA_VERSION, Inspection, Record
from reason_iad.schema.verdict import Verdict

log = logging.getLogger(__name__)


_OTHER = {
    "config": "other reasoning options",
    "bounds": "other bounds",
    "dtype": "another number format",
    "references": "other references",
    "question": "another question",
    "weights": "other weights",
    "knowledge": "other knowledge",
    "category": "another category",
}
"""How a difference is named whose values say nothing to a reader, or are long."""


class Failure(Record):
    """An image that could not be inspected. Its line in a log is replaced when the run is resumed."""

    schema_version: str = SCHEMA_VERSION
    image: str
    error: str


Outcome = Inspection | Failure


class Inspecting(Protocol):
    """The part of `Inspector` that a batch needs."""

    def inspect(
        self,
        image: Path,
        *,
        references: Sequence[Path] = (),
        category: str | None = None,
        question: str | None = None,
    ) -> Inspection:
        """Inspect one image."""
        ...


def inspect_many(
    inspector: Inspecting,
    paths: Iterable[Path],
    *,
    references: Sequence[Path] = (),
    category: str | None = None,
    question: str | None = None,
) -> Iterator[Outcome]:
    """Inspect images lazily, in order; yields one outcome per path.

    The image of an outcome is named by its path as given, so that images of the same file name stay apart.
    """
    for path in paths:
        name = printable(path)
        try:
            result = inspector.inspect(path, references=references, category=category, question=question)
        except ReasonIADError as error:
            yield Failure(image=name, error=str(error))
        except Exception as error:  # a bug met on one image must not cost the results of the others
            log.debug("inspecting '%s'", name, exc_info=True)
            yield Failure(image=name, error=f"Internal error: {type(error).__name__}: {error}")
        else:
            yield named(result, path)


def named(result: Inspection, path: Path) -> Inspection:
    """The same result, its image named by the path as given instead of by the file's name."""
    image = result.image.model_copy(update={"name": printable(path)})
    return result.model_copy(update={"image": image})


@dataclass(frozen=True, slots=True)
class Conditions:
    """What all results of one log have in common. None: not known (yet), and then not compared.

    Attributes:
        method, threshold, seed: as in the result.
        bounds: the whole operating point, as JSON; '' without one.
        config: hash of the whole configuration in force.
        references: hashes of the reference images, in order.
        question: the free question; '' without one.
        model: name of the model.
        weights: hash of its weights.
        dtype: number format that it computed in.
        knowledge: hash of the knowledge entries; '' without knowledge.
        category: name of the category if it was given; '' if it was left to the gallery.
    """

    method: str | None = None
    threshold: float | None = None
    bounds: str | None = None
    seed: int | None = None
    config: str | None = None
    references: tuple[str, ...] | None = None
    question: str | None = None
    model: str | None = None
    weights: str | None = None
    dtype: str | None = None
    knowledge: str | None = None
    category: str | None = None

    @classmethod
    def of(cls, result: Inspection) -> Conditions:
        """The conditions under which a result was made."""
        category = result.evidence.category
        questions = (answer.question for answer in result.evidence.answers if answer.key == "question")
        return cls(
            method=result.method,
            threshold=result.threshold,
            bounds="" if result.operating_point is None else result.operating_point.model_dump_json(),
            seed=result.seed,
            config=result.versions.config_sha256,
            references=tuple(reference.sha256 for reference in result.evidence.references),
            question=next(questions, ""),
            model=result.versions.model.name,
            weights=result.versions.model.sha256 + (result.versions.fusion_sha256 or ""),
            dtype=result.versions.model.dtype,
            knowledge=result.versions.knowledge_sha256 or "",
            category=(category.name or "") if category.origin == "given" else "",
        )

    def differences(self, other: Conditions) -> list[str]:
        """What differs, as a user would say it: 'seed 0 instead of 1', 'other references'."""
        pairs = {f.name: (getattr(self, f.name), getattr(other, f.name)) for f in fields(self)}
        differing = {name: pair for name, pair in pairs.items() if None not in pair and pair[0] != pair[1]}
        if differing.keys() & {"method", "seed"}:
            differing.pop("config", None)  # it differs because of them
        if "bounds" in differing:
            differing.pop("threshold", None)
        return [
            _OTHER.get(name, f"{name} {mine} instead of {theirs}") for name, (mine, theirs) in differing.items()
        ]


class ResultLog:
    """Outcomes as JSON lines in a file, one line per image.

    Use `create` or `resume`. Not meant for several writers at a time.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._done: dict[str, Verdict] = {}
        self._conditions: Conditions | None = None
        self._held: list[str] | None = None  # failures, as long as what is to be overwritten stays

    @classmethod
    def create(cls, path: Path, *, overwrite: bool = False) -> ResultLog:
        """Begin an empty log. What is to be overwritten stays until there is a first result, or all have failed.

        Raises:
            OutputError: the file has content and `overwrite` is off, or it cannot be written.
        """
        result = cls(path)
        if overwrite and path.exists():
            result._held = []
            return result
        if read_lines_tolerant(path):
            raise OutputError(
                f"'{printable(path)}' already holds results; continue it with --resume, replace it with "
                "--overwrite, or choose another file."
            )
        write_atomic(path, "")
        return result

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
            OutputError: the file is not such a log, was made under other conditions, or cannot be written; it
                is then unchanged.
        """
        result = cls(path)
        lines = read_lines_tolerant(path)
        hashes = {printable(image): file_sha256(image) for image in paths}
        kept: list[str] = []
        for number, line in enumerate(lines, 1):
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
        content = "".join(f"{line}\n" for line in kept)
        if not path.exists() or path.read_bytes() != content.encode():
            write_atomic(path, content)
        return result

    def verdict(self, image: Path) -> Verdict | None:
        """The verdict in the log; None if the image has yet to be inspected (or again, as it changed)."""
        return self._done.get(printable(image))

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
        line = outcome.model_dump_json()
        if isinstance(outcome, Inspection):
            self._admit(outcome)
            self._done[outcome.image.name] = outcome.verdict
            self._replace()
        if self._held is None:
            append_line(self.path, line)
        else:
            self._held.append(line)

    @property
    def waits(self) -> bool:
        """Whether what is to be overwritten is still there."""
        return self._held is not None

    def close(self) -> None:
        """Write what waits, if anything does; for the end of a run that was neither refused nor interrupted.

        Raises:
            OutputError: it cannot be written.
        """
        if self._held:
            self._replace()

    def _replace(self) -> None:
        """Put what waits in place of what was to be overwritten."""
        if self._held is not None:
            write_atomic(self.path, "".join(f"{line}\n" for line in self._held))
            self._held = None

    def _admit(self, result: Inspection) -> None:
        conditions = Conditions.of(result)
        self.require(conditions)
        self._conditions = self._conditions or conditions


def file_sha256(path: Path) -> str:
    """Hash of a file's content, as `InputImage.sha256` has it; '' for anything but a readable file."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return ""  # opening a pipe would wait for ever
        with path.open("rb") as file:
            digest = hashlib.sha256()
            while block := file.read(2**20):
                digest.update(block)
    except (OSError, ValueError):
        return ""
    return digest.hexdigest()


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
