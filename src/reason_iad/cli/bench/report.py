"""`reason-iad bench report`: tables and plots of runs, from their folders alone."""

from __future__ import annotations

from pathlib import Path

import click

from reason_iad.cli.checks import check_output
from reason_iad.cli.headings import OUTPUT, HeadedCommand, option
from reason_iad.cli.values import Choice

FORMATS = ("md", "csv", "html", "json")


@click.command(cls=HeadedCommand)
@click.argument("runs", nargs=-1, required=True, metavar="RUN_DIR...", type=click.Path(path_type=Path))
@option(
    OUTPUT,
    "--format",
    "format_",
    type=Choice(FORMATS),
    help="Format of the tables. Without it, the name of --out decides, and otherwise it is Markdown (md).",
)
@option(OUTPUT, "--out", type=click.Path(path_type=Path), metavar="FILE", help="Write a file instead of printing.")
@option(
    OUTPUT,
    "--published/--no-published",
    default=None,
    help="Show published results on MMAD beside the runs. Without it, they are shown if the runs are on the "
    "images of MMAD.",
)
def report(runs: tuple[Path, ...], format_: str | None, out: Path | None, published: bool | None) -> None:
    """Show the results of runs as tables and plots.

    RUN_DIR is the folder of one run, or a folder with several runs. Answers that cannot be read and images that
    failed count as wrong. The tables also show what the public script of MMAD would print for the same answers.

    \b
    reason-iad bench report runs/first
    reason-iad bench report runs/first --out first.html
    """
    form = format_ or _format_of(out)
    if out is not None:
        check_output(out, ())
    from reason_iad.bench.report import render
    from reason_iad.bench.report.summary import load
    from reason_iad.files import write_atomic

    text = render(load(runs), form, published=published)
    if out is None:
        click.echo(text, nl=False)
    else:
        write_atomic(out, text)
        click.echo(f"Wrote {out}", err=True)


def _format_of(out: Path | None) -> str:
    """The format that a file's name asks for."""
    if out is None:
        return "md"
    suffix = out.suffix.lower().lstrip(".")
    suffix = {"htm": "html", "txt": "md", "": "md"}.get(suffix, suffix)
    if suffix not in FORMATS:
        known = ", .".join(FORMATS)
        raise click.UsageError(
            f"The name '{out.name}' tells no known format. Let it end in .{known}, or give --format."
        )
    return suffix
