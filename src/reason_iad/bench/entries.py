"""What a questions file holds, strictly read; what is wrong with an entry is said in the words of the file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reason_iad.images import printable
from reason_iad.inspection.questions import LETTERS

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

MAX_QUESTIONS_BYTES = 512 * 2**20
"""A questions file beyond it is refused; MMAD's own has about 60 MB."""
Letter = Annotated[str, Field(pattern=r"^[A-Z]$")]


class Conversation(BaseModel):
    """One question, as the file has it; other fields say nothing that is needed here."""

    model_config = ConfigDict(strict=True, extra="ignore")

    text: str = Field(alias="Question", pattern=r"\S")
    answer: Letter = Field(alias="Answer")
    options: dict[Letter, str] = Field(alias="Options", min_length=2, max_length=len(LETTERS))
    kind: str = Field(alias="type")


class Entry(BaseModel):
    """One image, as the file has it."""

    model_config = ConfigDict(strict=True, extra="ignore")

    mask_path: str | None = None
    conversation: list[Conversation]
    similar_templates: list[str] = []
    random_templates: list[str] = []


def read_entry(raw: Any) -> Entry | list[str]:
    """An entry, or everything that is wrong with it, as sentences that go on after its key."""
    try:
        return Entry.model_validate(raw)
    except ValidationError as error:
        return list(dict.fromkeys(f"{_complaint(each)}." for each in error.errors()))


def _complaint(error: ErrorDetails) -> str:
    """A problem that the validation found, in words that need no knowledge of it."""
    match error["loc"]:
        case ("conversation", int(index)):
            return f"question {index} is not an object with Question, Options, Answer and type"
        case ("conversation", int(index), str(field), *inner):
            return f"question {index} {_fault(field, inner, error['type'])}"
        case () | ("conversation",):
            return "is not an entry with a 'conversation', a list of questions"
        case ("mask_path",):
            return "has a mask_path that is not text"
        case (field, *_):
            return f"has {field} that are not a list of paths"
    return "is not an entry"


def _fault(field: str, inner: list[Any], kind: str) -> str:
    """What is wrong with one field of a question."""
    if field == "Options" and inner:
        letter = printable(str(inner[0]))
        return f"has the option '{letter}', which is not a letter from A to Z with a text"
    if field == "Options":
        if kind == "too_long":
            return f"has more than {len(LETTERS)} options"
        return (
            "has fewer than two options" if kind in ("missing", "too_short") else "has Options that are no object"
        )
    if field == "Answer":
        return "has no answer" if kind == "missing" else "has an answer that is not a letter from A to Z"
    name = "type" if field == "type" else "text"
    return f"has no {name}" if kind in ("missing", "string_pattern_mismatch") else f"has a {field} that is not text"


def load_entries(file: Path, problems: list[str]) -> Iterator[tuple[str, Any]]:
    """The entries of a file, with those whose key is not the first of its name."""
    name = printable(file)
    try:
        if file.stat().st_size > MAX_QUESTIONS_BYTES:
            problems.append(f"{name}: is larger than {MAX_QUESTIONS_BYTES // 2**20} MiB; split it.")
            return
        value = json.loads(file.read_bytes(), object_pairs_hook=_Pairs)
    except OSError as error:
        problems.append(f"{name}: cannot be read ({error.strerror}).")
        return
    except (ValueError, RecursionError) as error:
        problems.append(f"{name}: is not JSON ({error}).")
        return
    if not isinstance(value, _Pairs):
        problems.append(f"{name}: is not a JSON object from image to questions.")
        return
    for key, entry in value.pairs:
        if isinstance(entry, _Pairs) and (twice := entry.repeated()):
            problems.append(f"{printable(key)}: has '{printable(twice)}' twice.")
        yield key, entry


class _Pairs(dict[str, Any]):
    """A JSON object that remembers names that come twice, which a plain one silently merges."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs

    def repeated(self) -> str | None:
        """A name that comes twice, here or further inside; None without one."""
        if len(self) < len(self.pairs):
            names = Counter(name for name, _ in self.pairs)
            return next(name for name, count in names.items() if count > 1)
        inner = (each for value in self.values() for each in (value if isinstance(value, list) else [value]))
        return next((twice for each in inner if isinstance(each, _Pairs) and (twice := each.repeated())), None)
