"""`reason-iad bench compare`: two runs on the same questions, question by question."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run_a", metavar="RUN_A", type=click.Path(path_type=Path))
@click.argument("run_b", metavar="RUN_B", type=click.Path(path_type=Path))
@click.option("--format", "format_", type=click.Choice(["md", "json"]), default="md", show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the resampled images.")
def compare(run_a: Path, run_b: Path, format_: str, seed: int) -> None:
    """Compare two runs, question by question.

    Says per subtask whether the difference is more than noise: McNemar's exact test, corrected for the number of
    subtasks, and the difference with its confidence interval. Refuses runs that were not asked the same questions.

    \b
    reason-iad bench compare runs/first/direct runs/first/full
    """
    from reason_iad.bench.comparison import compare as compare_runs
    from reason_iad.bench.report.summary import unique_labels
    from reason_iad.bench.report.versus import comparison_json, render_comparison
    from reason_iad.bench.runs import read_run

    paths = (_one(run_a), _one(run_b))
    if paths[0].resolve() == paths[1].resolve():
        raise click.UsageError("RUN_A and RUN_B are the same run.")
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
        raise DatasetError(f"'{printable(folder)}' holds {len(found)} runs ({names}); name one of them.")
    return found[0]
