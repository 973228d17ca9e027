"""Printing of results, which go to standard output, and of what happened, which goes to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from reason_iad.products import Progress


def say(text: str) -> None:
    """Print what happened, on standard error."""
    click.echo(text, err=True)


def print_json(content: object) -> None:
    """Print a result as JSON."""
    click.echo(json.dumps(content, indent=2, ensure_ascii=False))


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on a terminal; lines with tabs (cells hold none) for other programs."""
    if not sys.stdout.isatty():
        for row in rows:
            click.echo("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold")
    for name in header:
        table.add_column(name, no_wrap=True)  # cut at the window's edge; 'show' has the whole
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # Text: cells are data, not markup
    Console().print(table)


@contextmanager
def shown_progress() -> Iterator[Progress]:
    """A progress bar on standard error, if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda step, done, total, /: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None, visible=False)

        def show(step: str, done: int, total: int, /) -> None:
            bar.update(task, description=step, completed=done, total=total, visible=True)

        yield show
