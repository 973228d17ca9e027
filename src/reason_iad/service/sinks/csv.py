"""CSV: each outcome is a line that is added to a file, which any spreadsheet opens."""

from __future__ import annotations

import csv
import io
import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

from reason_iad.errors import OutputError
from reason_iad.files import hold
from reason_iad.service.options import Place
from reason_iad.service.sinks.base import Message, SinkTable

COLUMNS = tuple(Message.model_fields)
TIMES = ("received", "finished")
PATIENCE_S = 10.0
"""Seconds to wait for another process that writes the file."""


class CsvTable(SinkTable):
    """The table of a file.

    Attributes:
        file: to which lines are added; it is made if it is not there.
    """

    kind: Literal["csv"]
    file: Place

    def open(self) -> Csv:
        """The sink."""
        return Csv(self.file)


class Csv:
    """Adds lines.

    Args:
        file: to which they are added.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def send(self, message: Message, picture: Path) -> None:
        """Add a line, and wait until it is on the disk."""
        held = hold(self._file, wait=PATIENCE_S)
        try:
            with self._file.open("a+b") as file:
                end = file.seek(0, os.SEEK_END)
                lines = [] if end else [list(COLUMNS)]
                if end:
                    file.seek(end - 1)
                    lines = [] if file.read(1) == b"\n" else [[]]  # a line that was cut off ends here
                file.write(_text([*lines, cells(message)]).encode("utf-8", "replace"))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OutputError(f"The file of the sink cannot be written ({error.strerror}).") from None
        finally:
            held.release()

    def close(self) -> None:
        """Nothing is held."""


def cells(message: Message) -> list[str]:
    """The cells of a line. Times are as people read them, in UTC."""
    row = []
    for name, value in message.model_dump().items():
        if name in TIMES and value is not None:
            row.append(datetime.fromtimestamp(value, timezone.utc).isoformat(timespec="milliseconds"))
        elif isinstance(value, str):
            row.append(harmless(value))
        else:
            row.append("" if value is None else str(value))
    return row


def harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula: names of parts come from outside."""
    clean = " ".join(text.splitlines())
    return f"'{clean}" if clean.lstrip().startswith(("=", "+", "-", "@", "\t", "\r")) else clean


def _text(rows: list[list[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()
