"""Tables of shares with their intervals, as Markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from reason_iad.errors import OutputError
from reason_iad_nano.metrics import Proportion, wilson


@dataclass(frozen=True, slots=True)
class Table:
    """One table: a title, and rows of a name, a share with its interval, and the chance level."""

    title: str
    rows: list[tuple[str, Proportion, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        """As Markdown."""
        lines = [f"### {self.title}", "", "| | chance | measured [95 % interval] |", "|---|---|---|"]
        lines += [f"| {name} | {chance:.2f} | {value} |" for name, value, chance in self.rows]
        return "\n".join([*lines, "", *self.notes, ""])


class Tally:
    """Hits and misses by name, in the order in which names first come."""

    def __init__(self) -> None:
        self._hits: dict[str, list[bool]] = {}
        self._chance: dict[str, float] = {}

    def add(self, name: str, hit: bool, chance: float) -> None:
        """Count one answer."""
        self._hits.setdefault(name, []).append(hit)
        self._chance[name] = chance

    def rows(self) -> list[tuple[str, Proportion, float]]:
        """Shares with their intervals."""
        return [(n, wilson(sum(hits), len(hits)), self._chance[n]) for n, hits in self._hits.items()]


def write_tables(tables: Sequence[Table], out: Path) -> None:
    """Write `tables.md` and `tables.json`.

    Raises:
        OutputError: they cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "tables.md").write_text("\n".join(table.markdown() for table in tables), encoding="utf-8")
        (out / "tables.json").write_text(
            json.dumps([asdict(table) for table in tables], indent=1), encoding="utf-8"
        )
    except OSError as error:
        raise OutputError(f"The tables cannot be written to '{out}': {error.strerror}.") from error
