"""A report as Markdown: readable in a terminal as it is, and a table wherever Markdown is shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from unicodedata import east_asian_width

from reason_iad.bench.report.facts import conditions, findings
from reason_iad.bench.report.summary import Summary
from reason_iad.bench.report.tables import (
    Grid,
    Mark,
    Text,
    accuracy_grid,
    cells_grid,
    compatible_grid,
    detection_grid,
    failures_grid,
    methods_grid,
    published_grid,
)

_SPECIAL = re.compile(r"([\\`*\[\]<|]|~(?=~)|(?<!\w)_|_(?!\w)|&(?=#?\w+;))")
_NOT_MMAD = "Published figures of MMAD are not shown: these runs are on other images (--published shows them)."


def render_markdown(summaries: Sequence[Summary], *, published: bool | None = None) -> str:
    """The report of some runs.

    Args:
        summaries: at least one.
        published: set published figures beside them; None: if they are on MMAD's images.
    """
    parts = ["# Benchmark report"]
    if len(summaries) > 1:
        parts += ["", *grid(methods_grid(summaries))]
    for summary in summaries:
        parts += ["", *_run(summary, level=2)]
    if published is not False and (beside := published_grid(summaries, force=bool(published))):
        parts += ["", *grid(beside)]
    elif published is None:
        parts += ["", _NOT_MMAD]
    return "\n".join(parts) + "\n"


def _run(summary: Summary, level: int) -> Iterable[str]:
    yield f"{'#' * level} {escape(summary.label)}"
    yield ""
    for name, value in conditions(summary):
        yield f"- {name}: {escape(value)}"
    for note in summary.notes:
        yield f"- **Note:** {escape(note)}"
    if not summary.answers:
        return
    tables = [accuracy_grid(summary), detection_grid(summary), cells_grid(summary), compatible_grid(summary)]
    if summary.scores.failures:
        tables.append(failures_grid(summary))
    for each in tables:
        if each.rows:
            yield ""
            yield from grid(each, level + 1)
    if sentences := findings(summary):
        yield ""
        yield f"{'#' * (level + 1)} Findings"
        yield ""
        yield from (f"- {escape(sentence)}" for sentence in sentences)


def grid(each: Grid, level: int = 2) -> Iterable[str]:
    """A table, padded so that it can be read as it is."""
    if each.title:
        yield f"{'#' * level} {escape(each.title)}"
        yield ""
    rows = [tuple(_cell(text) for text in row) for row in (each.header, *each.rows)]
    widths = [max(3, *map(_width, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        yield _line(_pad(*cell) for cell in zip(row, widths, each.left, strict=True))
        if number == 0:
            yield _line(
                "-" * width if flush else "-" * (width - 1) + ":"
                for width, flush in zip(widths, each.left, strict=True)
            )
    for note in each.notes:
        yield ""
        yield escape(note)


def escape(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _cell(text: Text) -> str:
    return f"**{escape(text.text)}**" if isinstance(text, Mark) else escape(text)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _pad(text: str, width: int, left: bool) -> str:
    space = " " * (width - _width(text))
    return text + space if left else space + text


def _width(text: str) -> int:
    """Columns of a terminal that a text takes."""
    return sum(2 if east_asian_width(each) in "WF" else 1 for each in text)
