"""`reason-iad bench detect`: scores and maps on a detection set, with the field's metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reason_iad.backbones.chat_use import is_api
from reason_iad.bench.detect.readers import READERS, read_dataset
from reason_iad.cli import EXIT_FAILED, EXIT_INTERRUPTED, fail
from reason_iad.cli.common import check_device, check_model, check_resume
from reason_iad.config import InspectorConfig
from reason_iad.errors import ConfigError, DatasetError, ModelError
from reason_iad.expert.detectors import DETECTORS
from reason_iad.images import printable

if TYPE_CHECKING:
    from reason_iad.bench.detect.problems import Checked, References
    from reason_iad.bench.detect.records import DetectReport
    from reason_iad.bench.detect.running import Outcome, Settings

SHOWN = 30
"""Problems of one severity that are printed; the others are counted."""


@click.command()
@click.option(
    "--dataset", "root", required=True, metavar="DIR", type=click.Path(path_type=Path), help="The detection set."
)
@click.option(
    "--layout", type=click.Choice(list(READERS)), help="How it is laid out; without it, that is found out."
)
@click.option("--category", "categories", multiple=True, metavar="NAME", help="Only this one; can be repeated.")
@click.option("--normal", metavar="PATTERN", help="Names of the normal files of a flat folder, such as 'ok_*'.")
@click.option(
    "--maps",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Judge maps made elsewhere (.npy, .tiff, .png) instead of making some.",
)
@click.option(
    "--model",
    default="nano",
    show_default=True,
    metavar="nano|DIR|HUB_ID",
    help="Whose patch features are compared.",
)
@click.option(
    "--detector",
    type=click.Choice(list(DETECTORS)),
    default=next(iter(DETECTORS)),
    show_default=True,
    help="The expert's patch distances, these with pixels and laid alike, or its calibrated map.",
)
@click.option(
    "--references",
    type=click.Choice(["train", "template"]),
    default="train",
    show_default=True,
    help="Compare with training images of the category, or with each image's own template.",
)
@click.option(
    "--shots",
    type=click.IntRange(min=1),
    default=InspectorConfig().map_references,
    show_default=True,
    metavar="N",
    help="Training images compared with, per category.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Only so many test images per category, half of them normal.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the draws of --shots and --limit."
)
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda[:N]", help="Where to compute.")
@click.option(
    "--dtype",
    type=click.Choice(["auto", "float32", "bfloat16"]),
    default="auto",
    show_default=True,
    help="Number format of the weights.",
)
@click.option(
    "--out", required=True, metavar="RUN_DIR", type=click.Path(path_type=Path), help="Scores, maps, metrics."
)
@click.option("--save-maps", is_flag=True, help="Also write the maps at the size of the images (float16 .npy).")
@click.option("--skip-problems", is_flag=True, help="Leave out images that something is wrong with, and go on.")
@click.option("--resume", is_flag=True, help="Go on with the results in RUN_DIR; failed images are tried again.")
@click.option("--overwrite", is_flag=True, help="Replace the results in RUN_DIR.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["md", "csv", "json"]),
    default="md",
    show_default=True,
    help="Of the table on standard output.",
)
@click.option("--quiet", is_flag=True, help="Nothing but the table, and errors.")
def detect(
    root: Path, layout: str | None, categories: tuple[str, ...], normal: str | None, maps: Path | None, model: str,
    detector: str, references: References, shots: int, limit: int | None, seed: int, device: str, dtype: str,
    out: Path, save_maps: bool, skip_problems: bool, resume: bool, overwrite: bool, form: str, quiet: bool,
) -> None:  # fmt: skip
    """Score and map every test image of a set, and judge: AUROC, AP, F1-max, AUPRO.

    \b
    reason-iad bench detect --dataset mvtec/ --out runs/mvtec
    reason-iad bench detect --dataset mvtec/ --maps my_maps/ --out runs/mine

    Whatever is wrong with the set is listed first. A run that was stopped goes on with --resume.
    Exit code: 0 fine, 2 usage or input error, 3 some images failed.
    """
    from reason_iad.bench.detect.folder import require_free
    from reason_iad.bench.detect.running import EXTERNAL, Settings
    from reason_iad.bench.storage import Destination

    check_resume(resume, overwrite)
    require_free(out, resume=resume, overwrite=overwrite)
    _check_options(model, device, maps, save_maps)
    compared: References = "none" if maps is not None else references
    settings = Settings(EXTERNAL if maps is not None else detector, compared, shots, limit, seed)
    try:
        with Console(quiet) as console:
            checked = _checked(root, layout, normal, categories, settings, skip_problems, console)
            how: dict[str, Any] = {"out": Destination(out, resume, overwrite), "advance": console.advance}
            if maps is not None:
                outcome = _score_maps(checked, settings, maps, how)
            else:
                outcome = _run(checked, settings, (model, device, dtype), save_maps, how)
            console.sum_up(outcome)
    except KeyboardInterrupt:
        fail(f"Interrupted; what is scored is in '{out}', go on with --resume.", EXIT_INTERRUPTED)
    click.echo(_rendered(outcome.report, form), nl=False)
    click.get_current_context().exit(EXIT_FAILED if outcome.failures else 0)


def _check_options(model: str, device: str, maps: Path | None, save_maps: bool) -> None:
    """Refuse, before anything is read, what cannot be done."""
    if maps is not None:
        if not maps.is_dir():
            raise DatasetError(f"The folder of maps '{maps}' does not exist; check the path.")
        if save_maps:
            raise ConfigError("--save-maps has no effect with --maps, whose maps are files already; leave it out.")
        return
    if is_api(model):
        raise ModelError(f"'{model}' gives text only, no features to compare; use a local model.")
    check_model(model)
    check_device(device)


def _checked(
    root: Path, layout: str | None, normal: str | None, categories: tuple[str, ...], settings: Settings,
    skip_problems: bool, console: Console,
) -> Checked:  # fmt: skip
    """Read the set and list what is wrong with it.

    Raises:
        DatasetError: there are errors that are not to be skipped.
    """
    from reason_iad.bench.detect.plan import only
    from reason_iad.bench.detect.problems import check, without_errors

    dataset = only(read_dataset(root, layout, normal), categories)
    shots = settings.shots if settings.references == "train" else None
    step = console.advance("checking", len(dataset.samples))
    checked = check(dataset, settings.references, shots, step)
    for severity in ("error", "warning"):
        lines = [str(problem) for problem in checked.problems if problem.severity == severity]
        console.list(lines, severity)
    if checked.errors and not skip_problems:
        count = len(checked.errors)
        raise DatasetError(
            f"{count} {'error' if count == 1 else 'errors'} in '{root}'; mend what is listed, or leave those "
            "images out with --skip-problems."
        )
    left = without_errors(checked, settings.references)
    if left.left_out:
        console.say(
            f"{len(left.left_out)} of {len(dataset.samples)} images are left out (listed in manifest.json)."
        )
    return left


def _run(
    checked: Checked,
    settings: Settings,
    engine: tuple[str, str, str],
    save_maps: bool,
    how: dict[str, Any],
) -> Outcome:
    from reason_iad.backbones import load_backbone
    from reason_iad.bench.detect.running import run_detector
    from reason_iad.expert.detectors import make_detector

    model, device, dtype = engine
    backbone = load_backbone(model, device=device, dtype=dtype)
    detector = make_detector(settings.detector, backbone)
    return run_detector(checked, settings, detector=detector, model=backbone.version, save_maps=save_maps, **how)


def _score_maps(checked: Checked, settings: Settings, maps: Path, how: dict[str, Any]) -> Outcome:
    from reason_iad.bench.detect.running import score_maps

    return score_maps(checked, settings, maps=maps, **how)


def _rendered(report: DetectReport, form: str) -> str:
    from reason_iad.bench.detect.tables import as_csv, as_markdown

    if form == "json":
        return report.model_dump_json(indent=2) + "\n"
    return as_csv(report) if form == "csv" else as_markdown(report)


class Console:
    """Shows a run on stderr: a bar on a terminal, problems and failures as lines."""

    def __init__(self, quiet: bool) -> None:
        from rich.console import Console as Rich
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._quiet = quiet
        self._console = Rich(stderr=True, soft_wrap=True, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=self._console, transient=True, disable=quiet or not self._console.is_terminal,
        )  # fmt: skip

    def __enter__(self) -> Console:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def advance(self, name: str, total: int) -> Callable[[], None]:
        """Begin a bar."""
        task = self._progress.add_task(name, total=total)
        return lambda: self._progress.advance(task)

    def say(self, line: str) -> None:
        """A line that belongs to the run."""
        if not self._quiet:
            self._console.print(line, markup=False)

    def list(self, lines: Sequence[str], severity: str) -> None:
        """Lines of one severity, not all of them if there are many; only warnings can be silenced."""
        for line in lines[:SHOWN]:
            self._print(line, severity)
        if len(lines) > SHOWN:
            self._print(f"{severity:<7}  … and {len(lines) - SHOWN} more", severity)

    def _print(self, line: str, severity: str) -> None:
        if not self._quiet or severity != "warning":
            self._console.print(line, markup=False, style="yellow" if severity == "warning" else "red")

    def sum_up(self, outcome: Outcome) -> None:
        """What the table does not say."""
        self.list([f"failed   {printable(record.id)}: {record.error}" for record in outcome.failures], "failed")
        if outcome.resized:
            self.say(f"{outcome.resized} maps were resized (bilinearly) to the size of their images.")
