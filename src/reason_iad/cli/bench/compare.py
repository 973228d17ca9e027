"""`reason-iad bench compare`: two runs on the same questions, question by question."""

from __future__ import annotations

from pathlib import Path

import click

from reason_iad.cli.headings import METHOD, HeadedCommand
from reason_iad.cli.options import format_option, seed_option


@click.command(cls=HeadedCommand)
@click.argument("run_a", metavar="RUN_A", type=click.Path(path_type=Path))
@click.argument("run_b", metavar="RUN_B", type=click.Path(path_type=Path))
@format_option
@seed_option("Start value of the random draws behind the confidence intervals.", METHOD)
def compare(run_a: Path, run_b: Path, format_: str, seed: int) -> None:
    """Compare two runs, question by question.

    For each kind of question, the table says whether the difference between the runs is more than chance. It shows
    McNemar's exact test, corrected for the number of kinds, and the confidence interval of the difference. Both
    runs must have been asked the same questions.

    \b
    reason-iad bench compare runs/first/direct runs/first/full
    """
    from reason_iad.bench.comparison import compare as compare_runs
    from reason_iad.bench.report.summary import unique_labels
    from reason_iad.bench.report.versus import comparison_json, render_comparison
    from reason_iad.bench.runs import read_run

    paths = (_one(run_a), _one(run_b))
    if paths[0].resolve() == paths[1].resolve():
        raise click.UsageError("RUN_A and RUN_B are the same run. Give two different runs.")
    first, second = unique_labels(paths)
    comparison = compare_runs(read_run(paths[0]), read_run(paths[1]), (first, second), seed=seed)
    click.echo(comparison_json(comparison) if format_ == "json" else render_comparison(comparison), nl=False)


def _one(folder: Path) -> Path:
    """The one run in a folder."""
    from reason_iad.bench.runs import find_runs
    from reason_iad.errors import DatasetError
    from reason_iad.images import printable

    found = find_runs(folder)
    if len(found) > 1:
        names = ", ".join(printable(path.name) for path in found)
        raise DatasetError(f"'{printable(folder)}' holds {len(found)} runs ({names}). Name one of them.")
    return found[0]
