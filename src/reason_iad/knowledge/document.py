"""What a knowledge file says, checked: from plain data to `Entry` objects, with every problem named.

Both file formats (`yaml_format.py`, `markdown_format.py`) end in the same plain data and a map from places
in it to line numbers; everything after that is here, so a rule holds for both.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from reason_iad.errors import KnowledgeError
from reason_iad.knowledge.text import sanitize, slug
from reason_iad.schema import Entry, EntryKind
from reason_iad.schema.names import name_key

MAX_ENTRIES = 500
MAX_TEXT = 4000
MAX_NAME = 80
MAX_DETAIL = 1000
MAX_ALIASES = 50

Place = tuple[str | int, ...]
"""Where in the data: ('defects', 2, 'description')."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to correct in one knowledge file."""

    file: str
    line: int | None
    message: str

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}, line {self.line}"
        return f"{where}: {self.message}"


class KnowledgeFileError(KnowledgeError):
    """A knowledge file has problems; the message is the first, `problems` holds them all."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        first = str(self.problems[0])
        more = len(self.problems) - 1
        suffix = f" ({more} more; 'reason-iad knowledge check' lists them all.)" if more else ""
        super().__init__(first + suffix)


@dataclass(frozen=True, slots=True)
class Document:
    """One knowledge file: a category, its other names, and its entries in the order of the file.

    Attributes:
        category: name as the author wrote it.
        aliases: other names of the category.
        entries: normal appearance, tolerances, defect types.
        entry_aliases: entry id to other names of that defect type.
        file: file name without folders.
    """

    category: str
    aliases: tuple[str, ...]
    entries: tuple[Entry, ...]
    entry_aliases: Mapping[str, tuple[str, ...]]
    file: str


@dataclass(slots=True)
class RawDocument:
    """What a format's parser found, unchecked."""

    data: dict[str, Any]
    lines: dict[Place, int] = field(default_factory=dict)

    def line(self, place: Place) -> int | None:
        """Line of the nearest enclosing place that is known, counted from 1."""
        for length in range(len(place), -1, -1):
            if (found := self.lines.get(place[:length])) is not None:
                return found
        return None


def _clean(value: object) -> object:
    return sanitize(value) if isinstance(value, str) else value


_CLEAN = BeforeValidator(_clean)
Name = Annotated[str, _CLEAN, StringConstraints(min_length=1, max_length=MAX_NAME)]
Detail = Annotated[str, _CLEAN, StringConstraints(min_length=1, max_length=MAX_DETAIL)]
Text = Annotated[str, _CLEAN, StringConstraints(min_length=1, max_length=MAX_TEXT)]
Aliases = Annotated[list[Name], Field(max_length=MAX_ALIASES)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class _Defect(_Strict):
    name: Name
    aliases: Aliases = []
    description: Text
    severity: Detail | None = None
    cause: Detail | None = None
    action: Detail | None = None


class _Category(_Strict):
    category: Name
    aliases: Aliases = []
    normal: Text | None = None
    tolerances: list[Text] = []
    defects: list[_Defect] = []


def build_document(raw: RawDocument, file: str, shown: str) -> Document:
    """Check plain data and turn it into a document.

    Args:
        raw: what the file's parser found.
        file: file name without folders; becomes the entries' source.
        shown: the file as the user named it, for messages.

    Raises:
        KnowledgeFileError: with every problem of the file.
    """
    try:
        parsed = _Category.model_validate(raw.data)
    except ValidationError as error:
        problems = [_problem(details, raw, shown) for details in error.errors(include_url=False)]
        raise KnowledgeFileError(problems) from None
    problems = list(_rules(parsed, raw, shown))
    if problems:
        raise KnowledgeFileError(problems)
    return _document(parsed, file)


def _rules(parsed: _Category, raw: RawDocument, shown: str) -> Iterable[Problem]:
    """Rules that need more than one field."""
    count = (parsed.normal is not None) + len(parsed.tolerances) + len(parsed.defects)
    if count == 0:
        yield Problem(shown, None, "there is nothing in it; describe the normal part or at least one defect.")
    if count > MAX_ENTRIES:
        yield Problem(shown, None, f"it has {count} entries; a file may have {MAX_ENTRIES}, so split the category.")
    if not slug(parsed.category):
        yield Problem(shown, raw.line(("category",)), "the category needs a letter or a digit in its name.")
    seen: dict[str, str] = {}
    for index, defect in enumerate(parsed.defects):
        line = raw.line(("defects", index))
        if not slug(defect.name):
            yield Problem(shown, line, f"defect '{defect.name}' needs a letter or a digit in its name.")
        for name in (defect.name, *defect.aliases):
            owner = seen.setdefault(name_key(name), defect.name)
            if owner is not defect.name:
                message = f"'{name}' already names the defect '{owner}'; merge the two or rename one."
                yield Problem(shown, line, message)


def _document(parsed: _Category, file: str) -> Document:
    category = slug(parsed.category)
    entries: list[Entry] = []
    aliases: dict[str, tuple[str, ...]] = {}

    def add(kind: EntryKind, name: str, text: str, key: str, **details: str | None) -> Entry:
        source = file if kind == "normal" else f"{file}#{name if kind == 'defect' else 'tolerances'}"
        entry = Entry(
            id=f"{category}/{kind}/{key}", category=parsed.category, kind=kind, name=name, text=text,
            source=source, **details,
        )  # fmt: skip
        entries.append(entry)
        return entry

    if parsed.normal is not None:
        add("normal", "normal", parsed.normal, "normal")
    used: dict[str, int] = {}
    for tolerance in parsed.tolerances:
        # The first words make an id that survives reordering; a number only where they repeat.
        key = "-".join(slug(tolerance).split("-")[:6]) or "tolerance"
        used[key] = used.get(key, 0) + 1
        add("tolerance", "tolerance", tolerance, key if used[key] == 1 else f"{key}-{used[key]}")
    for defect in parsed.defects:
        entry = add(
            "defect", defect.name, defect.description, slug(defect.name),
            severity=defect.severity, cause=defect.cause, action=defect.action,
        )  # fmt: skip
        if defect.aliases:
            aliases[entry.id] = tuple(defect.aliases)
    return Document(parsed.category, tuple(parsed.aliases), tuple(entries), aliases, file)


_FIELDS = {
    "category": tuple(_Category.model_fields),
    "defect": tuple(_Defect.model_fields),
}


def _problem(details: Mapping[str, Any], raw: RawDocument, shown: str) -> Problem:
    """One pydantic error as a sentence a quality engineer can act on."""
    place: Place = tuple(details["loc"])
    context = details.get("ctx", {})
    where = _describe(place, raw)
    kind = details["type"]
    if kind == "missing":
        message = f"{where} is missing; add it."
    elif kind == "extra_forbidden":
        known = _FIELDS["defect" if place[0] == "defects" else "category"]
        close = difflib.get_close_matches(str(place[-1]), known, n=1)
        mend = f"did you mean '{close[0]}'?" if close else f"use {', '.join(known)}."
        message = f"{where} is not a known field; {mend}"
    elif kind == "too_short":
        message = f"{where} is empty; write it or remove it."
    elif kind == "too_long" and isinstance(details["input"], str):
        message = f"{where} is longer than {context['max_length']} characters; shorten it."
    elif kind == "too_long":
        message = f"{where} has more than {context['max_length']} items; keep the important ones."
    elif kind == "string_type":
        message = f"{where} must be plain text, not a list or a mapping."
    elif kind == "list_type":
        message = f"{where} must be a list; begin each item with '- '."
    elif kind == "model_type":
        message = f"{where} must have fields such as 'name' and 'description'."
    else:
        message = f"{where}: {details['msg']}."
    return Problem(shown, raw.line(place), message)


def _describe(place: Place, raw: RawDocument) -> str:
    """('defects', 2, 'cause') as "'cause' of defect 'open circuit'"."""
    names = [str(part) for part in place if isinstance(part, str)]
    if place[0] != "defects" or len(place) < 2 or not isinstance(place[1], int):
        number = f" {place[1] + 1}" if len(place) > 1 and isinstance(place[1], int) else ""
        return f"'{names[0]}'{number}"
    defect = raw.data["defects"][place[1]]
    name = defect.get("name") if isinstance(defect, dict) else None
    label = f"defect '{sanitize(name)[:MAX_NAME]}'" if isinstance(name, str) else f"defect {place[1] + 1}"
    return f"'{names[-1]}' of {label}" if len(names) > 1 else label
