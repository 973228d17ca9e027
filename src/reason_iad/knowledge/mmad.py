"""Knowledge in the layout of MMAD's `domain_knowledge.json`: data set → category → kind → text.

The kind 'good' describes the normal part, every other one a defect type. MMAD's texts open with a title in
angle brackets and the word "Description:"; both go, because the kind is the entry's name.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from reason_iad.errors import KnowledgeError
from reason_iad.knowledge.document import MAX_TEXT
from reason_iad.knowledge.text import sanitize, slug
from reason_iad.schema import Entry

MAX_BYTES = 16 << 20
_HEADER = re.compile(r"^\s*<(?P<title>[^<>]{1,120})>\s*(?:Description\s*:)?\s*", re.IGNORECASE)
_NORMAL = "good"


def import_mmad(path: str | Path) -> list[Entry]:
    """Read knowledge in MMAD's layout.

    Args:
        path: the JSON file.

    Returns: Entries in the order of the file; `category` is MMAD's category with spaces for underscores, with
        the data set's name in front where two data sets share it.

    Raises:
        KnowledgeError: the file is missing, too large, not JSON, or of another layout.
    """
    path = Path(path)
    data = _load(path)
    owners: dict[str, set[str]] = {}
    for dataset, categories in data.items():
        for category in _mapping(categories, path, dataset):
            owners.setdefault(slug(category), set()).add(dataset)
    entries: dict[str, Entry] = {}
    for dataset, categories in data.items():
        for category, kinds in categories.items():
            shared = len(owners[slug(category)]) > 1
            name = _words(f"{dataset} {category}" if shared else category)
            for kind, text in _mapping(kinds, path, f"{dataset}/{category}").items():
                entry = _entry(path, dataset, name, category, kind, text)
                if entry.id in entries:
                    raise KnowledgeError(f"'{path}': {dataset}/{category}/{kind} is there twice; keep one of them.")
                entries[entry.id] = entry
    if not entries:
        raise KnowledgeError(f"'{path}' holds no knowledge; check that it is MMAD's domain_knowledge.json.")
    return list(entries.values())


def _load(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise KnowledgeError(f"'{path}' is not a file; give the path of domain_knowledge.json.")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise KnowledgeError(f"'{path}' is larger than {MAX_BYTES >> 20} MiB; check that it is the right file.")
        data = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_unique)
    except OSError as error:
        raise KnowledgeError(f"Cannot read '{path}' ({error.strerror}); check its permissions.") from None
    except json.JSONDecodeError as error:
        raise KnowledgeError(f"'{path}', line {error.lineno}: not JSON ({error.msg}); download it again.") from None
    except (UnicodeDecodeError, RecursionError):
        raise KnowledgeError(f"'{path}' is not JSON in UTF-8; check that it is the right file.") from None
    except _DuplicateKeyError as error:
        raise KnowledgeError(f"'{path}': the key '{error}' is there twice in one object; keep one.") from None
    return _mapping(data, path, "the file")


class _DuplicateKeyError(Exception):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        keys = [key for key, _ in pairs]
        raise _DuplicateKeyError(next(key for key in keys if keys.count(key) > 1))
    return data


def _mapping(value: Any, path: Path, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise KnowledgeError(
            f"'{path}': {where} must be an object (data set → category → kind → text), not "
            f"{type(value).__name__}; check that it is MMAD's domain_knowledge.json."
        )
    return value


def _words(name: str) -> str:
    return sanitize(name.replace("_", " "))


def _entry(path: Path, dataset: str, name: str, category: str, kind: str, text: Any) -> Entry:
    where = f"{dataset}/{category}/{kind}"
    if not isinstance(text, str) or not (body := sanitize(_HEADER.sub("", text, count=1))):
        raise KnowledgeError(f"'{path}': {where} must be a text and not empty; write it or remove it.")
    if len(body) > MAX_TEXT:
        raise KnowledgeError(f"'{path}': {where} is longer than {MAX_TEXT} characters; shorten it.")
    if not slug(name) or not slug(kind):
        raise KnowledgeError(f"'{path}': {where} needs letters or digits in its names; rename it.")
    normal = kind.casefold() == _NORMAL
    return Entry(
        id=f"{slug(name)}/normal/normal" if normal else f"{slug(name)}/defect/{slug(kind)}",
        category=name,
        kind="normal" if normal else "defect",
        name="normal" if normal else _words(kind),
        text=body,
        source=f"{path.name}#{sanitize(where)}",
    )
