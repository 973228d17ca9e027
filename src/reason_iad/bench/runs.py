"""Where a run lies, and how it is read: one folder per method.

RUN_DIR/full/manifest.json   conditions (`records.Manifest`), replaced atomically
RUN_DIR/full/answers.jsonl   one `records.AnswerRecord` per line, append-only while running
RUN_DIR/full/timings.jsonl   one `records.TimingRecord` per line
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from reason_iad.bench.records import AnswerRecord, Manifest, TimingRecord
from reason_iad.errors import DatasetError
from reason_iad.files import read_lines_tolerant
from reason_iad.images import printable
from reason_iad.schema import Record

MANIFEST = "manifest.json"
ANSWERS = "answers.jsonl"
TIMINGS = "timings.jsonl"

R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class Run:
    """A run as read back.

    Attributes:
        name: the folder's name.
        manifest: its conditions.
        answers: one per question, in the order of the file.
        timings: one per question, in any order; may be empty.
    """

    name: str
    manifest: Manifest
    answers: tuple[AnswerRecord, ...]
    timings: tuple[TimingRecord, ...]


def read_run(folder: Path) -> Run:
    """Read one method's folder.

    Raises:
        DatasetError: it holds no run, a line cannot be read, or a question is answered twice.
    """
    path = folder / MANIFEST
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DatasetError(
            f"'{printable(folder)}' holds no run: '{MANIFEST}' cannot be read ({error.strerror}); check the folder."
        ) from error
    except ValidationError as error:
        raise DatasetError(
            f"'{printable(path)}' is not a run's manifest ({_first(error)}); check the folder, or run it anew."
        ) from error
    answers = tuple(read_records(folder / ANSWERS, AnswerRecord))
    seen: set[str] = set()
    for answer in answers:
        if answer.question in seen:
            raise DatasetError(f"'{printable(folder / ANSWERS)}' answers '{answer.question}' twice; run it anew.")
        seen.add(answer.question)
    return Run(folder.name, manifest, answers, tuple(read_records(folder / TIMINGS, TimingRecord)))


def find_runs(folder: Path) -> list[Path]:
    """The run folders in a folder: itself if it is one, else its sub-folders that are, by name.

    Raises:
        DatasetError: there is none.
    """
    if (folder / MANIFEST).is_file():
        return [folder]
    found = sorted(path.parent for path in folder.glob(f"*/{MANIFEST}"))
    if not found:
        raise DatasetError(f"'{printable(folder)}' holds no run; make one with 'reason-iad bench run --out DIR'.")
    return found


def read_records(path: Path, record: type[R]) -> Iterable[R]:
    """The lines of a file; a last line that was cut off is left out, and a file that is missing has none.

    Raises:
        DatasetError: a line is not such a record.
    """
    for number, line in enumerate(read_lines_tolerant(path), 1):
        try:
            yield record.model_validate_json(line)
        except ValidationError as error:
            raise DatasetError(
                f"Line {number} of '{printable(path)}' cannot be read ({_first(error)}); run it anew."
            ) from error


def _first(error: ValidationError) -> str:
    """The first problem of a validation, in words."""
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}: {problem['msg']}" if where else str(problem["msg"])
