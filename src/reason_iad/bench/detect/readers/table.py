"""CSV files that list images: read whole, with the line in every complaint."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from reason_iad.errors import DatasetError
from reason_iad.images import printable


class Row(NamedTuple):
    """A row by column, and where it is, for messages."""

    values: dict[str, str]
    where: str

    def choice(self, column: str, choices: Sequence[str]) -> str:
        """A value that must be one of a few.

        Raises:
            DatasetError: it is not.
        """
        value = self.values[column]
        if value not in choices:
            raise DatasetError(f"{self.where} has {column} '{value}'; it must be one of: {', '.join(choices)}.")
        return value


def rows(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    """Rows of a CSV file, values without surrounding blanks.

    Raises:
        DatasetError: it cannot be read, a column is missing, or a row has not as many values as there are columns.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise DatasetError(
            f"The list of images '{printable(path)}' does not exist; put it there, or choose another --layout."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"'{printable(path)}' cannot be read as UTF-8 text ({error}).") from error
    table = csv.DictReader(io.StringIO(text, newline=""))  # what ends a line is for the CSV reader to say
    try:
        missing = [column for column in columns if column not in (table.fieldnames or ())]
        if missing:
            raise DatasetError(
                f"'{printable(path)}' lacks the column {', '.join(missing)}; it needs {', '.join(columns)}."
            )
        for values in table:
            where = f"Line {table.line_num} of '{printable(path)}'"
            if None in values or None in values.values():
                raise DatasetError(
                    f"{where} has not as many values as there are columns; check its commas and quotes."
                )
            yield Row({name: value.strip() for name, value in values.items()}, where)
    except csv.Error as error:
        where = f"Line {table.reader.line_num} of '{printable(path)}'"
        raise DatasetError(f"{where} cannot be read ({error}); check its quotes.") from error


def columns_of(path: Path) -> set[str]:
    """Names of the columns; none if the file is missing or is no text."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return set(next(csv.reader(file), []))
    except (OSError, UnicodeDecodeError, csv.Error):
        return set()
