"""`reason-iad bench report`: tables and plots of runs, from their folders alone."""

from __future__ import annotations

from pathlib import Path

import click

from reason_iad.cli.common import check_output

FORMATS = ("md", "csv", "html", "json")


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN_DIR...", type=click.Path(path_type=Path))
@click.option("--format", "format_", type=click.Choice(FORMATS), help="Default: by the name of --out, else md.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write there instead of printing.")
@click.option(
    "--published/--no-published",
    default=None,
    help="Set published figures of MMAD beside the runs. Default: if they are on MMAD's images.",
)
def report(runs: tuple[Path, ...], format_: str | None, out: Path | None, published: bool | None) -> None:
    """Tables and plots of runs.

    Figures are exact: unreadable answers and failed images count as wrong. What MMAD's public script would print
    for the same answers is shown beside them. A RUN_DIR is one run, or holds one per method.

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
        raise click.UsageError(f"'{out.name}' could be of no format; name it .{known}, or give --format.")
    return suffix
