"""Tables that list images: CSV in any separator and encoding that is beyond doubt, with the line in each complaint.

Values may be separated by commas, semicolons or tabs; that one counts which gives the columns that are needed. The
text may be UTF-8, or UTF-16 that begins with its mark. Names of columns count in any case.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from reason_iad.bench.detect.inventory import content_of, leads_outside
from reason_iad.errors import DatasetError
from reason_iad.images import printable
from reason_iad.images.kinds import ABNORMAL_NAMES, NORMAL_NAMES

T = TypeVar("T")

LABELS: dict[str, int] = {"0": 0, "1": 1} | dict.fromkeys(sorted(NORMAL_NAMES), 0) | dict.fromkeys(
    sorted(ABNORMAL_NAMES), 1
)  # fmt: skip
"""What a table may call an image, in any case, and its label."""
SEPARATORS = ",;\t"
MAX_LIST_BYTES = 128 * 2**20
"""A list beyond it is refused; those of the largest published sets have less than a tenth of it."""
_HEAD_BYTES = 2**16
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Row(NamedTuple):
    """A row by column, and where it is, for messages."""

    values: dict[str, str]
    where: str

    def choice(self, column: str, meanings: Mapping[str, T]) -> T:
        """What a value means that must be one of a few words, in any case.

        Raises:
            DatasetError: it is none of them.
        """
        value = self.values[column]
        if value.lower() not in meanings:
            raise DatasetError(f"{self.where} has {column} '{value}'; it must be one of: {', '.join(meanings)}.")
        return meanings[value.lower()]


def list_content(path: Path, root: Path) -> bytes:
    """The bytes of a file that lists images.

    Args:
        path: the file.
        root: the folder that it must lie in, links followed.

    Raises:
        DatasetError: it cannot be read, is too large, or leads elsewhere; the message is the reason alone.
    """
    if leads_outside(path, root):
        raise DatasetError("leads out of the folder; copy the file into it")
    return content_of(path, MAX_LIST_BYTES)


def rows(path: Path, columns: Sequence[str], root: Path | None = None) -> Iterator[Row]:
    """Rows of a table, values without surrounding blanks.

    Args:
        path: the file.
        columns: those that it must have.
        root: the folder that it must lie in, links followed; None: that which it is in.

    Raises:
        DatasetError: it cannot be read, a column is missing, or a row has not as many values as there are columns.
    """
    shown = f"'{printable(path)}'"
    if not path.exists() and not path.is_symlink():
        raise DatasetError(
            f"The list of images {shown} does not exist; put it there, or choose another --layout. It needs the "
            f"columns {', '.join(columns)}."
        )
    try:
        text = _decoded(list_content(path, root or path.parent))
    except DatasetError as error:
        raise DatasetError(f"{shown} {error}.") from error
    table = csv.DictReader(_stream(text), delimiter=_separator(text, columns))
    try:
        table.fieldnames = [name.strip().lower() for name in table.fieldnames or ()]
        missing = [column for column in columns if column not in table.fieldnames]
        if missing:
            raise DatasetError(f"{shown} lacks the column {', '.join(missing)}; it needs {', '.join(columns)}.")
        for values in table:
            where = f"Line {table.line_num} of {shown}"
            if None in values or None in values.values():
                raise DatasetError(
                    f"{where} has not as many values as there are columns; check its separators and quotes."
                )
            yield Row({name: value.strip() for name, value in values.items()}, where)
    except csv.Error as error:
        where = f"Line {table.reader.line_num} of {shown}"
        raise DatasetError(f"{where} cannot be read ({error}); check its quotes.") from error


def columns_of(path: Path, needed: Sequence[str] = ()) -> tuple[str, ...]:
    """Names of the columns in lower case; only the beginning of the file is read.

    Args:
        path: the file.
        needed: columns by which the separator is found.

    Raises:
        DatasetError: it is no text that can be read; the message is the reason alone.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise DatasetError(f"cannot be read ({error.strerror})") from None
    whole, _, rest = head.rpartition(b"\n")
    text = _decoded(whole + b"\n" if rest and not head.startswith(_WIDE) else head)
    try:
        return tuple(
            name.strip().lower() for name in next(csv.reader(_stream(text), delimiter=_separator(text, needed)), [])
        )
    except csv.Error:
        return ()


def _decoded(content: bytes) -> str:
    """Text in UTF-8 or marked UTF-16.

    Raises:
        DatasetError: it is neither; the message is the reason alone.
    """
    try:
        if content.startswith(_WIDE):
            return content[: len(content) // 2 * 2].decode("utf-16")
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DatasetError(f"is not UTF-8 text (see line {line}); save it as 'CSV UTF-8'") from None
    if "\0" in text.partition("\n")[0]:
        raise DatasetError("is not UTF-8 text, but perhaps UTF-16; save it as 'CSV UTF-8'")
    return text


def _separator(text: str, columns: Sequence[str]) -> str:
    """What separates values: what gives most of the columns that are needed, then most columns; else the comma."""

    def columns_by(separator: str) -> tuple[int, int]:
        try:
            names = [name.strip().lower() for name in next(csv.reader(_stream(text), delimiter=separator), [])]
        except csv.Error:
            return 0, 0
        return sum(column in names for column in columns), len(names)

    return max(SEPARATORS, key=columns_by)


def _stream(text: str) -> io.StringIO:
    return io.StringIO(text, newline="")  # what ends a line is for the CSV reader to say
