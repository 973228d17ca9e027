"""Files that list a set: which one can be read, and why one that looks like such a list cannot.

A list that is not understood must not be passed over: the folders would be read instead, with another split or
other labels than somebody wrote down.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from reason_iad.bench.detect.inventory import leads_outside
from reason_iad.bench.detect.readers.table import columns_of
from reason_iad.errors import DatasetError
from reason_iad.images import is_litter, printable

INDEX = "manifest.csv"
COLUMNS = ("split", "image", "label")
NEEDS = (
    f"Write a file {INDEX} into the folder, with the columns {', '.join(COLUMNS)} (train or test; the path of the "
    "image below the folder; 0 for good and 1 for defective), and optionally mask and category"
)

_TEXT = frozenset({".csv", ".tsv", ".txt"})
_OTHER = {
    ".json": "JSON",
    ".jsonl": "JSON",
    ".xlsx": "a spreadsheet",
    ".xls": "a spreadsheet",
    ".ods": "a spreadsheet",
    ".parquet": "a Parquet file",
}
_NAMED = re.compile(r"(manifest|splits?|labels?|metadata)(?![a-z])", re.IGNORECASE)
_IMAGE_WORDS = frozenset(
    {"image", "images", "img", "file", "filename", "path", "filepath", "imagepath", "imgpath", "imagefile"}
)
_LABEL_WORDS = frozenset(
    {"label", "labels", "class", "target", "split", "anomaly", "isanomaly", "defect", "defective", "labelindex"}
)
_MOST = 50
"""So many text files are looked into; a folder may hold one beside every image."""


def find_list(root: Path) -> Path | None:
    """The one file in a folder that can be read as the list of a set; `manifest` goes before others."""
    fits = [
        path for path in _candidates(root) if set(COLUMNS) <= set(_columns(path)) and not leads_outside(path, root)
    ]
    named = [path for path in fits if path.stem.lower() == Path(INDEX).stem]
    return named[0] if named else fits[0] if len(fits) == 1 else None


def require_none(root: Path) -> None:
    """Refuse a folder in which a file looks like the list of the set, and is not understood.

    Raises:
        DatasetError: there is one; the message says why it cannot be read.
    """
    for path in _candidates(root):
        if (reason := _reason(path)) is not None:
            raise DatasetError(
                f"'{printable(path)}' looks like the list of the set, but it cannot be read as one: it {reason}. "
                f"{NEEDS}. If the file is no list of the set, choose the layout with --layout."
            )


def _candidates(root: Path) -> Iterator[Path]:
    """Files in a folder that could be its list."""
    texts = 0
    for path in sorted(root.iterdir()):
        suffix, named = path.suffix.lower(), _NAMED.match(path.stem) is not None
        if is_litter(path.name) or not path.is_file():
            continue
        if suffix in _TEXT and not named:
            texts += 1
        if (suffix in _TEXT and (named or texts <= _MOST)) or (named and suffix in _OTHER):
            yield path


def _reason(path: Path) -> str | None:
    """Why a file that looks like a list cannot be read, to be read after 'it'; None if it looks like none."""
    named = _NAMED.match(path.stem) is not None
    if path.suffix.lower() in _OTHER:
        return f"is {_OTHER[path.suffix.lower()]}"
    try:
        columns = columns_of(path, COLUMNS)
    except DatasetError as error:
        return str(error) if named else None
    words = {re.sub(r"[^a-z]", "", column) for column in columns}
    if not named and not (len(columns) > 1 and words & _IMAGE_WORDS and words & _LABEL_WORDS):
        return None
    if len(columns) < 2:
        return "has no line of column names with commas, semicolons or tabs between them"
    missing = [column for column in COLUMNS if column not in columns]
    if leads_outside(path, path.parent):
        return "leads out of the folder; copy the file into it"
    if missing:
        shown = ", ".join(printable(column) for column in columns[:8])
        return f"lacks the column {', '.join(missing)}, and has {shown}"
    return "is one of several"


def _columns(path: Path) -> tuple[str, ...]:
    if path.suffix.lower() not in _TEXT:
        return ()
    try:
        return columns_of(path, COLUMNS)
    except DatasetError:
        return ()
