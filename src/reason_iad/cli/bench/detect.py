"""`reason-iad bench detect`: scores and maps on a detection set, with the field's metrics."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reason_iad.backbones.chat_use import is_api
from reason_iad.bench.detect.readers import READERS, read_dataset
from reason_iad.bench.storage import Destination
from reason_iad.cli import EXIT_FAILED, EXIT_INTERRUPTED, fail
from reason_iad.cli.checks import check_device, check_model, check_resume
from reason_iad.cli.choices import EncoderName, LayoutName, OneOf, Shots
from reason_iad.cli.headings import INPUT, METHOD, MODEL, OUTPUT, REFERENCES, HeadedCommand, option
from reason_iad.cli.options import (
    NONE,
    device_option,
    dtype_option,
    model_option,
    run_options,
    seed_option,
    threads_option,
)
from reason_iad.cli.values import Choice
from reason_iad.config import InspectorConfig
from reason_iad.errors import ConfigError, DatasetError, ModelError, nearest_file
from reason_iad.expert.detectors import DETECTORS, usual_encoder
from reason_iad.expert.encoders import needs_model
from reason_iad.images import left_out_words, printable, unread_images

if TYPE_CHECKING:
    from reason_iad.bench.detect.problems import Checked, References
    from reason_iad.bench.detect.records import DetectReport
    from reason_iad.bench.detect.running import Advance, Outcome, Settings
    from reason_iad.bench.detect.series import Draw

SHOWN = 30
"""Problems of one severity that are printed; the others are counted."""


@click.command(cls=HeadedCommand)
@option(
    INPUT,
    "--dataset",
    "root",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder of the detection set.",
)
@option(
    INPUT,
    "--layout",
    type=LayoutName(READERS),
    is_eager=True,
    help="How the folder is organised. Without it, the layout is recognised. 'help' shows what each looks like.",
)
@option(
    INPUT,
    "--category",
    "categories",
    multiple=True,
    metavar="NAME",
    help="Measure only this category. Can be given several times.",
)
@option(
    INPUT,
    "--normal",
    metavar="PATTERN",
    help="Names of the normal images in a folder without subfolders, for example 'ok_*'.",
)
@option(
    INPUT,
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Measure at most this many test images per category, half of them normal.",
)
@option(INPUT, "--skip-problems", is_flag=True, help="Leave out images that have a problem, and continue.")
@option(
    INPUT,
    "--maps",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Judge anomaly maps that another program made (.npy, .tiff or .png). No model is needed then.",
)
@option(
    REFERENCES,
    "--references",
    type=Choice(["train", "template"]),
    default="train",
    show_default=True,
    help="Compare with the training images of the category (train), or with each image's own template (template).",
)
@option(
    REFERENCES,
    "--shots",
    type=Shots(),
    default=str(InspectorConfig().map_references),
    show_default=True,
    metavar="N[,N…]",
    help="Compare with this many training images per category, or with 'all'. Several numbers, for example "
    "1,2,4,8,all, give a run each, and a table of all.",
)
@option(
    REFERENCES,
    "--seeds",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Draw the training images this many times. The table shows the mean and how much the draws differ.",
)
@option(
    METHOD,
    "--detector",
    type=OneOf(DETECTORS),
    default="distance",
    show_default=True,
    help="What makes the anomaly maps: the plain distance from the normal images (distance), the comparison that "
    "an inspection uses in its verdict (suspicion), the map that an inspection shows (calibrated), PatchCore "
    "(patchcore), or the expert of a product, which learns what is normal (expert).",
)
@option(
    METHOD,
    "--encoder",
    type=EncoderName(),
    show_default="efficientnet_lite0 for patchcore and expert, else tower",
    help="What makes the features that are compared: the vision part of the model (tower), a small network "
    "trained on ImageNet (efficientnet_lite0), another registered encoder, or the vision model in a directory. "
    "The model is only loaded for an encoder that needs it.",
)
@seed_option("Start value of the random choice of images for --shots and --limit.", METHOD)
@model_option
@device_option
@threads_option
@dtype_option(MODEL)
@option(
    OUTPUT,
    "--out",
    required=True,
    metavar="RUN_DIR",
    type=click.Path(path_type=Path),
    help="Folder for scores, maps and metrics.",
)
@option(OUTPUT, "--save-maps", is_flag=True, help="Also write the maps at the size of the images, as float16 .npy.")
@run_options
@option(
    OUTPUT,
    "--format",
    "form",
    type=Choice(["md", "csv", "json"]),
    default="md",
    show_default=True,
    help="Print the table in Markdown (md), as CSV, or as JSON.",
)
@option(OUTPUT, "--quiet", is_flag=True, help="Print only the table and errors.")
def detect(
    root: Path, layout: str | None, categories: tuple[str, ...], normal: str | None, maps: Path | None, model: str,
    detector: str, encoder: str | None, references: References, shots: tuple[int | None, ...], seeds: int,
    limit: int | None, seed: int, device: str, dtype: str, threads: int | None, out: Path, save_maps: bool,
    skip_problems: bool, resume: bool, overwrite: bool, form: str, quiet: bool,
) -> None:  # fmt: skip
    """Measure how well defects are found and located in a detection set.

    Every test image gets a score and an anomaly map. The table shows AUROC, AP, F1-max and AUPRO.

    \b
    reason-iad bench detect --dataset mvtec/ --out runs/mvtec
    reason-iad bench detect --dataset mvtec/ --maps my_maps/ --out runs/mine

    Problems of the set are listed before anything is computed. A run that was stopped continues with --resume.

    \b
    Exit codes:
      0  All images were measured.
      2  An option or an input is wrong. The message says what to change.
      3  At least one image could not be measured.
    """
    from reason_iad.bench.detect.folder import require_free
    from reason_iad.bench.detect.running import EXTERNAL, Settings
    from reason_iad.bench.detect.series import planned

    check_resume(resume, overwrite)
    name = EXTERNAL if maps is not None else detector
    compared: References = "none" if maps is not None else references
    encoder = encoder or usual_encoder(name)
    settings = Settings(name, compared, shots[0], limit, seed, encoder)
    draws = planned(settings, shots, seeds)
    for draw in draws:
        require_free(out / draw.folder, resume=resume, overwrite=overwrite)
    _check_options(settings, model, device, maps, save_maps)
    try:
        with Console(quiet) as console:
            checked = _checked(root, layout, normal, categories, draws, skip_problems, console)
            measure = (
                _reader(checked, maps) if maps else _runner(checked, settings, (model, device, dtype), save_maps)
            )
            outcomes = []
            for draw in draws:
                where = Destination(out / draw.folder, resume, overwrite)
                outcomes.append(measure(draw.settings, where, console.advance))
                console.sum_up(outcomes[-1])
    except KeyboardInterrupt:
        fail(
            f"Interrupted. The results so far are in '{out}'. Run the same command with --resume to continue.",
            EXIT_INTERRUPTED,
        )
    reports = [outcome.report for outcome in outcomes]
    click.echo(_rendered(reports[0], form) if len(draws) == 1 else _series(out, draws, reports, form), nl=False)
    click.get_current_context().exit(EXIT_FAILED if any(outcome.failures for outcome in outcomes) else 0)


def _check_options(settings: Settings, model: str, device: str, maps: Path | None, save_maps: bool) -> None:
    """Refuse, before anything is read, what cannot be done."""
    if maps is not None:
        if not maps.is_dir():
            raise DatasetError(
                f"The folder of maps '{maps}' does not exist.{nearest_file(maps) or ' Check the path.'}"
            )
        if save_maps:
            raise ConfigError("--save-maps has no effect with --maps, because those maps are files. Leave it out.")
        return
    check_device(device)
    if needs_model(settings.encoder):
        if model == NONE:
            raise ModelError(
                f"The encoder '{settings.encoder}' of the detector '{settings.detector}' is a part of a model, so "
                "--model none is not possible. Use --detector expert or --detector patchcore, which need no model, "
                "or leave --model out."
            )
        if is_api(model):
            raise ModelError(f"The model '{model}' gives only text, but maps need its features. Use a local model.")
        check_model(model)


def _checked(
    root: Path, layout: str | None, normal: str | None, categories: tuple[str, ...],
    draws: Sequence[Draw], skip_problems: bool, console: Console,
) -> Checked:  # fmt: skip
    """Read the set and list what is wrong with it.

    Raises:
        DatasetError: there are errors that are not to be skipped.
    """
    from reason_iad.bench.detect.plan import only
    from reason_iad.bench.detect.problems import check, without_errors

    if root.is_dir() and (unread := unread_images(root)):
        console.say(left_out_words(unread))
    dataset = only(read_dataset(root, layout, normal), categories)
    for note in dataset.notes:
        console.say(note)
    references = draws[0].settings.references
    wanted = [draw.settings.shots or 0 for draw in draws]
    step = console.advance("checking", len(dataset.samples))
    checked = check(dataset, references, max(wanted) if references == "train" else None, step)
    for severity in ("error", "warning"):
        lines = [str(problem) for problem in checked.problems if problem.severity == severity]
        console.list(lines, severity)
    if checked.errors and not skip_problems:
        count = len(checked.errors)
        raise DatasetError(
            f"There {'is 1 error' if count == 1 else f'are {count} errors'} in '{root}'. Correct what is listed "
            "above, or leave those images out with --skip-problems."
        )
    left = without_errors(checked, references)
    if left.left_out:
        console.say(
            f"{len(left.left_out)} of {len(dataset.samples)} images are left out. manifest.json lists them."
        )
    return left


def _runner(
    checked: Checked, settings: Settings, engine: tuple[str, str, str], save_maps: bool
) -> Callable[[Settings, Destination, Advance], Outcome]:
    """What scores all images with the detector. The model is only loaded if the encoder needs it."""
    from reason_iad.backbones.loading import chosen_device, load_backbone
    from reason_iad.bench.detect.running import run_detector
    from reason_iad.expert.detectors import make_detector
    from reason_iad.expert.encoders import make_encoder

    model, device, dtype = engine
    backbone = load_backbone(model, device=device, dtype=dtype) if needs_model(settings.encoder) else None
    where = "cpu" if backbone is not None else str(chosen_device(device))
    encoder = make_encoder(settings.encoder, backbone, where)
    detector = make_detector(settings.detector, encoder)
    version, sha256 = None, encoder.sha256
    if backbone is not None:
        version, sha256 = backbone.version.model_copy(update={"encoder_sha256": encoder.sha256}), ""

    def measure(chosen: Settings, out: Destination, advance: Advance) -> Outcome:
        stated = replace(chosen, encoder_sha256=sha256)
        return run_detector(checked, stated, out, detector, version, advance=advance, save_maps=save_maps)

    return measure


def _reader(checked: Checked, maps: Path) -> Callable[[Settings, Destination, Advance], Outcome]:
    """What reads maps that were made elsewhere."""
    from reason_iad.bench.detect.running import score_maps

    return lambda settings, out, advance: score_maps(checked, settings, out, maps, advance=advance)


def _series(out: Path, draws: Sequence[Draw], reports: Sequence[DetectReport], form: str) -> str:
    """The table of several runs. It is also written into their folder."""
    from reason_iad.bench.detect import series

    results = list(zip(draws, reports, strict=True))
    series.write_table(out, results)
    if form == "json":
        found = [
            {"shots": draw.shots, "seed": draw.settings.seed, **report.model_dump()} for draw, report in results
        ]
        return json.dumps(found, indent=2) + "\n"
    return series.as_csv(results) if form == "csv" else series.as_markdown(results)


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
            self.say(f"{outcome.resized} maps were resized to the size of their images (bilinear interpolation).")
