"""What others have published on MMAD, to print beside a run: facts with their sources, never measured here.

`tables.csv` holds the 22 tables of MMAD's repository per dataset and subtask, rounded to two decimals of a percent;
`papers.yaml` the averages that papers state. A table can be restricted to the datasets that a run has; a paper's
average cannot, so it is comparable with a run on all four datasets only.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

from reason_iad.bench.scoring import Table
from reason_iad.bench.subtasks import SUBTASKS

MMAD_DATASETS: tuple[str, ...] = ("DS-MVTec", "MVTec-LOCO", "VisA", "GoodsAD")
"""In the order of the published tables."""

TABLES_SOURCE = "MMAD's repository, all_result/, commit bad03b44 (Jiang et al., ICLR 2025)"


@dataclass(frozen=True, slots=True)
class Reference:
    """A published result.

    Attributes:
        name: of the model or method.
        source: who says so, and where.
        shots: normal templates shown.
        average: over subtasks and datasets, share in [0, 1].
        table: per dataset and subtask, if it was published.
        trained: whether it was trained on a part of MMAD.
        note: what else a reader should know; may be empty.
    """

    name: str
    source: str
    shots: int
    average: float
    table: Table | None = None
    trained: bool = False
    note: str = ""

    def restricted(self, datasets: Iterable[str]) -> Reference | None:
        """What it reached on these datasets of MMAD; None if that was not published."""
        wanted = set(datasets)
        if wanted == set(MMAD_DATASETS):
            return self
        kept = tuple(name for name in MMAD_DATASETS if name in wanted)
        if self.table is None or set(kept) != wanted:
            return None
        table = Table(kept, self.table.subtasks, {c: v for c, v in self.table.values.items() if c[0] in wanted})
        return Reference(self.name, self.source, self.shots, table.overall or 0.0, table, self.trained, self.note)


def is_mmad(datasets: Iterable[str]) -> bool:
    """Whether these are datasets of MMAD, by their names, and nothing else."""
    names = set(datasets)
    return bool(names) and names <= set(MMAD_DATASETS)


@cache
def references() -> tuple[Reference, ...]:
    """Every published result, the best average first."""
    return tuple(sorted((*_papers(), *_tables()), key=lambda each: (-each.average, each.name)))


def _tables() -> Iterable[Reference]:
    """The tables of MMAD's repository."""
    values: dict[tuple[str, int], dict[tuple[str, str], float]] = {}
    for row in csv.DictReader(_text("tables.csv").splitlines()):
        cells = values.setdefault((row["model"], int(row["shots"])), {})
        cells.update({(row["dataset"], subtask): float(row[subtask]) / 100 for subtask in SUBTASKS})
    for (name, shots), cells in values.items():
        table = Table(MMAD_DATASETS, SUBTASKS, cells)
        yield Reference(name, TABLES_SOURCE, shots, table.overall or 0.0, table)


def _papers() -> Iterable[Reference]:
    """The averages that papers state."""
    for each in yaml.safe_load(_text("papers.yaml")):
        yield Reference(
            name=each["name"],
            source=each["source"],
            shots=each.get("shots", 1),
            average=each["average"] / 100,
            trained=each.get("trained", False),
            note=each.get("note", ""),
        )


def _text(name: str) -> str:
    return (files("reason_iad.bench.published") / name).read_text(encoding="utf-8")
