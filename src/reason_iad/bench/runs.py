"""Where a run lies, and how it is read: one folder per method.

RUN_DIR/full/manifest.json   conditions (`records.Manifest`), replaced atomically
RUN_DIR/full/answers.jsonl   one `records.AnswerRecord` per line, append-only while running
RUN_DIR/full/timings.jsonl   one `records.TimingRecord` per line
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from reason_iad.bench.detect.records import METRICS, DetectManifest
from reason_iad.bench.records import RUN_VERSION, AnswerRecord, Manifest, TimingRecord
from reason_iad.errors import DatasetError
from reason_iad.files import read_lines
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
        DatasetError: it holds no run or one of another kind, a line is damaged, or a question is answered twice.
    """
    path = folder / MANIFEST
    try:
        content = path.read_bytes()
        _require_version(content, path)
        manifest = Manifest.model_validate_json(content)
    except OSError as error:
        raise DatasetError(
            f"'{printable(folder)}' holds no run: '{MANIFEST}' cannot be read ({error.strerror}); check the folder."
        ) from error
    except ValidationError as error:
        if _of_detection(content):
            raise DatasetError(
                f"'{printable(folder)}' is a run of `bench detect`, whose figures are in its '{METRICS}'. This "
                "command takes runs of `bench run`."
            ) from None
        raise DatasetError(
            f"'{printable(path)}' is not a run's manifest ({_first(error)}); check the folder, or run anew with "
            "--overwrite."
        ) from error
    answers = tuple(read_records(folder / ANSWERS, AnswerRecord))
    seen: set[str] = set()
    for answer in answers:
        if answer.question in seen:
            raise DatasetError(
                f"'{printable(folder / ANSWERS)}' answers '{printable(answer.question)}' twice; "
                "restore it, or run anew with --overwrite."
            )
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
    if not path.exists():
        return
    for number, line in enumerate(read_lines(path), 1):
        try:
            yield record.model_validate_json(line)
        except ValidationError as error:
            raise DatasetError(
                f"Line {number} of '{printable(path)}' is damaged ({_first(error)}); restore it, or run anew with "
                "--overwrite."
            ) from error


def _require_version(content: bytes, path: Path) -> None:
    """Refuse a manifest of another major version, before its fields are looked at: they may be others.

    Raises:
        DatasetError: it is of another; what is no manifest at all is not told here.
    """
    try:
        version = json.loads(content)["run_version"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return
    if isinstance(version, str) and version.partition(".")[0] != RUN_VERSION.partition(".")[0]:
        raise DatasetError(
            f"'{printable(path)}' is of version {version!r}, and this program reads version '{RUN_VERSION}'; "
            "use the program that made it, or run anew with --overwrite."
        )


def is_detection(folder: Path) -> bool:
    """Whether a folder holds a run on a detection set; False if its conditions cannot be read."""
    try:
        return _of_detection((folder / MANIFEST).read_bytes())
    except OSError:
        return False


def _of_detection(content: bytes) -> bool:
    """Whether this is the manifest of a run on a detection set."""
    try:
        DetectManifest.model_validate_json(content)
    except ValidationError:
        return False
    return True


_SAID = {"json_invalid": "is no JSON", "missing": "is missing", "extra_forbidden": "is unknown"}


def _first(error: ValidationError) -> str:
    """The first problem of a validation, in words: "'index' is missing"."""
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"])
    said = _SAID.get(problem["type"], "has a value that it cannot have")
    return f"'{printable(where)}' {said}" if where else f"it {said}"
