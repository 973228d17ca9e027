"""`reason-iad bench compare`: two runs on the same questions, or on the same detection set."""

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
    """Compare two runs: which is better, by how much, and is that more than chance?

    Both runs must be on the same questions ('bench run') or on the same images ('bench detect').

    Questions are compared one by one with McNemar's exact test, corrected for the number of kinds of questions.
    Detectors are compared by drawing the images again at random (paired bootstrap). Each difference is the second
    run minus the first, with a confidence interval.

    \b
    reason-iad bench compare runs/first/direct runs/first/full
    reason-iad bench compare runs/distance runs/patchcore
    """
    from reason_iad.bench.report.summary import unique_labels
    from reason_iad.bench.runs import is_detection
    from reason_iad.errors import DatasetError
    from reason_iad.images import printable

    paths = (_one(run_a), _one(run_b))
    if paths[0].resolve() == paths[1].resolve():
        raise click.UsageError("RUN_A and RUN_B are the same run. Give two different runs.")
    first, second = unique_labels(paths)
    detection = [is_detection(path) for path in paths]
    if any(detection) and not all(detection):
        of_images, of_questions = paths if detection[0] else reversed(paths)
        raise DatasetError(
            f"'{printable(of_images)}' is a run of 'bench detect', and '{printable(of_questions)}' is not. "
            "Give two runs of 'bench detect', or two of 'bench run'."
        )
    compared = _detectors if all(detection) else _questions
    click.echo(compared(paths, (first, second), format_, seed), nl=False)


def _questions(paths: tuple[Path, Path], labels: tuple[str, str], format_: str, seed: int) -> str:
    """Two runs on the same questions."""
    from reason_iad.bench.comparison import compare as compare_runs
    from reason_iad.bench.report.versus import comparison_json, render_comparison
    from reason_iad.bench.runs import read_run

    comparison = compare_runs(read_run(paths[0]), read_run(paths[1]), labels, seed=seed)
    return comparison_json(comparison) if format_ == "json" else render_comparison(comparison)


def _detectors(paths: tuple[Path, Path], labels: tuple[str, str], format_: str, seed: int) -> str:
    """Two runs on the same detection set."""
    from reason_iad.bench.detect.comparison import compare_detectors, read_detect_run
    from reason_iad.bench.report.versus_detect import detect_comparison_json, render_detect_comparison

    comparison = compare_detectors(read_detect_run(paths[0]), read_detect_run(paths[1]), labels, seed=seed)
    return detect_comparison_json(comparison) if format_ == "json" else render_detect_comparison(comparison)


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
