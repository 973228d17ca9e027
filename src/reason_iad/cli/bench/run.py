"""`reason-iad bench run`: ask the questions of a benchmark, with one method or several."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reason_iad.cli import EXIT_FAILED, EXIT_INTERRUPTED, fail
from reason_iad.cli.checks import check_device, check_model, check_resume
from reason_iad.cli.headings import INPUT, MACHINES, METHOD, MODEL, OUTPUT, REFERENCES, HeadedCommand, option
from reason_iad.cli.options import (
    DETECT,
    NONE,
    base_url_option,
    device_option,
    dtype_option,
    knowledge_option,
    model_option,
    run_options,
    seed_option,
    threads_option,
    timeout_option,
)
from reason_iad.cli.values import Choice
from reason_iad.config import ABLATIONS, METHODS, PRESETS
from reason_iad.errors import ConfigError, did_you_mean
from reason_iad.images import printable

if TYPE_CHECKING:
    from reason_iad.bench.records import AnswerRecord
    from reason_iad.bench.work import Answered

SHOWN_FAILURES = 10
SECONDS_BETWEEN_LINES = 60.0
"""How often a run says how far it is where there is no terminal for a bar."""
_HERE = "here"
_WITHOUT_MODEL = (
    "To measure the comparison with good parts alone, use 'reason-iad bench detect --dataset DIR --detector expert "
    "--shots all --out RUN_DIR'."
)


class MethodList(click.ParamType[tuple[str, ...]]):
    """Names of methods, between commas."""

    name = "method[,method…]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Check every name; each counts once."""
        if isinstance(value, tuple):
            return value
        names = tuple(dict.fromkeys(name.strip() for name in str(value).split(",")))
        for name in names:
            if name == DETECT:
                self.fail(
                    f"'bench run' asks a model questions, and '{DETECT}' has none. {_WITHOUT_MODEL}", param, ctx
                )
            if name not in PRESETS:
                self.fail(
                    f"There is no method '{name}'.{did_you_mean(name, PRESETS)} Choose from: {', '.join(PRESETS)}.",
                    param,
                    ctx,
                )
        return names


@click.command(cls=HeadedCommand)
@option(
    INPUT,
    "--questions",
    "files",
    multiple=True,
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="File of questions in the format of MMAD (mmad.json). Can be given several times.",
)
@option(
    INPUT,
    "--images",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder of the images. The names in the questions are relative to it.",
)
@option(
    INPUT,
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Ask about at most this many images. Data sets and categories keep their proportions.",
)
@knowledge_option
@option(
    REFERENCES,
    "--shots",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    metavar="N",
    help="Give this many normal images (templates) with each image.",
)
@option(
    REFERENCES,
    "--shown",
    type=click.IntRange(min=0),
    metavar="N",
    help="Show only this many of them to the model. The anomaly map still uses all of them. 'inspect' shows 1.  "
    "[default: all]",
)
@option(
    REFERENCES,
    "--templates",
    type=Choice(["random", "similar"]),
    default="random",
    show_default=True,
    help="Take them from this list of the file of questions.",
)
@option(
    REFERENCES,
    "--align",
    is_flag=True,
    help="Shift and turn templates so that they lie like the image, as 'inspect' does.",
)
@option(
    METHOD,
    "--method",
    "methods",
    type=MethodList(),
    default="full",
    show_default=True,
    metavar="NAME[,NAME...]",
    help=f"One or several of: {', '.join(METHODS)}; or 'full' without one of its parts: {', '.join(ABLATIONS)}.",
)
@option(
    METHOD,
    "--answers",
    type=Choice(["likelihood", "text"]),
    default="likelihood",
    show_default=True,
    help="Take the most probable letter (likelihood), or the letter in the text that the model writes (text).",
)
@option(
    METHOD,
    "--option-orders",
    type=Choice(["given", "cyclic"]),
    default="given",
    show_default=True,
    help="Ask with the options in every order and average the answers: never (given), or always (cyclic).",
)
@option(
    METHOD, "--fuse", is_flag=True, help="Use the difference from the templates in the answers, as 'inspect' does."
)
@option(
    METHOD,
    "--set",
    "overrides",
    multiple=True,
    metavar="NAME=VALUE",
    help="Change a setting of the reasoning, for example sigma=0.3. Can be given several times.",
)
@seed_option("Start value of the random noise, and of the random choice for --limit.", METHOD)
@model_option
@base_url_option
@timeout_option
@device_option
@threads_option
@dtype_option(MODEL)
@option(
    MACHINES,
    "--ray",
    is_flag=False,
    flag_value=_HERE,
    metavar="[ADDRESS]",
    help="Compute with Ray in several processes of this machine, or on the cluster at ADDRESS.",
)
@option(
    MACHINES,
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of processes. Each of them loads the model. --threads then counts per process.",
)
@option(
    MACHINES,
    "--gpus",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    metavar="N",
    help="Number of graphics cards per process. With 0.5, two processes share one.",
)
@option(
    OUTPUT,
    "--out",
    required=True,
    metavar="RUN_DIR",
    type=click.Path(path_type=Path),
    help="Folder for the results. Each method gets a folder of its own in it.",
)
@run_options
@option(OUTPUT, "--quiet", is_flag=True, help="Print only errors.")
def run(
    files: tuple[Path, ...], images: Path, out: Path, methods: tuple[str, ...], limit: int | None,
    ray: str | None, workers: int | None, gpus: float, threads: int | None, resume: bool, overwrite: bool,
    quiet: bool, **how: Any,
) -> None:  # fmt: skip
    """Measure how many questions about images are answered right.

    Each answer is written as soon as it is there. A run that was stopped continues with --resume.

    \b
    reason-iad bench run --questions mmad.json --images MMAD/ --method direct,full --out runs/first

    \b
    Exit codes:
      0  All images were processed.
      2  An option or an input is wrong. The message says what to change.
      3  At least one image failed.
    """
    from reason_iad.bench.conditions import Settings
    from reason_iad.bench.questions import read_units, unreadable_images
    from reason_iad.bench.running import OnRay, run_methods
    from reason_iad.bench.storage import Destination

    check_resume(resume, overwrite)
    if ray is None and (workers is not None or gpus):
        raise ConfigError("--workers and --gpus have no effect without --ray. Add --ray, or leave them out.")
    if how["model"] == NONE:
        raise ConfigError(
            f"'bench run' asks a model questions, so it needs one. {_WITHOUT_MODEL} Or choose another --model."
        )
    check_model(how["model"])
    check_device(how["device"])
    settings = Settings(images=images, limit=limit, **how)
    for method in methods:
        settings.config(method)
    watcher = Console(quiet, out)
    units = read_units(
        files, images, shots=settings.shots, templates=settings.templates, limit=limit, seed=settings.seed,
        tell=watcher.warn,
    )  # fmt: skip
    try:
        with watcher:
            if unreadable := unreadable_images(units, images):
                watcher.warn(_will_fail(unreadable, len(units)))
            run_methods(
                settings, methods, units, Destination(out, resume, overwrite), watcher, threads=threads,
                ray=None if ray is None else OnRay(None if ray == _HERE else ray, workers, gpus),
            )  # fmt: skip
    except KeyboardInterrupt:
        fail(
            f"Interrupted. The answers so far are in '{out}'. Run the same command with --resume to continue.",
            EXIT_INTERRUPTED,
        )
    click.get_current_context().exit(EXIT_FAILED if watcher.failed else 0)


def _will_fail(unreadable: Sequence[str], images: int) -> str:
    """A sentence on images whose headers say that they cannot be read; not all of them if there are many."""
    named = ", ".join(printable(image) for image in unreadable[:SHOWN_FAILURES])
    more = f" and {len(unreadable) - SHOWN_FAILURES} more" if len(unreadable) > SHOWN_FAILURES else ""
    return f"{len(unreadable)} of {images} images cannot be read and will fail: {named}{more}."


class Console:
    """Shows a run on stderr: a bar on a terminal, else a line per minute; a summary per method.

    Attributes:
        failed: whether images or questions failed for other reasons than the model's words.
    """

    def __init__(self, quiet: bool, out: Path) -> None:
        from rich.console import Console as Rich
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self.failed = False
        self._quiet, self._out = quiet, out
        self._console = Rich(stderr=True, soft_wrap=True, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"), TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("{task.fields[right]}"),
            console=self._console, transient=True, disable=quiet or not self._console.is_terminal,
        )  # fmt: skip
        self._task: Any = None
        self._right = self._answered = 0

    def __enter__(self) -> Console:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def warn(self, message: str) -> None:
        """Say something about the run."""
        if not self._quiet:
            self._console.print(f"Warning: {message}", style="yellow", markup=False)

    def begin(self, method: str, questions: int, done: Sequence[AnswerRecord]) -> None:
        """Start a bar."""
        if done:
            self._say(f"{method}: {len(done)} of {questions} answers are already there.")
        self._right, self._answered = sum(answer.right for answer in done), len(done)
        self._task = self._progress.add_task(method, total=questions, completed=len(done), rate="", right="")
        self._progress.reset(self._task, completed=len(done))
        self._begun, self._said = len(done), time.monotonic()

    def advance(self, results: Sequence[Answered]) -> None:
        """Move the bar."""
        self._right += sum(result.answer.right for result in results)
        self._answered += len(results)
        elapsed = self._progress.tasks[-1].elapsed or 0.0
        rate = f"{(self._answered - self._begun) / elapsed:.1f}/s" if elapsed else ""
        self._progress.update(
            self._task, completed=self._answered, rate=rate, right=f"{self._right / self._answered:.1%} right"
        )
        if not self._console.is_terminal and time.monotonic() - self._said >= SECONDS_BETWEEN_LINES:
            task, self._said = self._progress.tasks[-1], time.monotonic()
            self._say(f"{task.description}: {self._answered} of {task.total:.0f} answered, {task.fields['right']}")

    def end(self, method: str, answers: Sequence[AnswerRecord]) -> None:
        """Sum a method up: how many are right, and what failed."""
        from reason_iad.bench.runs import ANSWERS

        self._progress.remove_task(self._task)
        failures = [answer for answer in answers if answer.failure is not None]
        failed = {answer.image for answer in failures if answer.failure != "unparsable"}
        if failed and self._quiet:  # an exit code other than 0 never comes without a reason
            images, file = len({answer.image for answer in answers}), self._out / method / ANSWERS
            click.echo(f"{len(failed)} of {images} images failed. The errors are in '{printable(file)}'.", err=True)
        self.failed = self.failed or bool(failed)
        right = sum(answer.right for answer in answers)
        self._say(f"{method}: {right} of {len(answers)} right ({right / len(answers):.1%})")
        if failures:
            counts = Counter(str(answer.failure) for answer in failures)
            self._say("  no answer, counted as wrong: " + ", ".join(f"{n} {kind}" for kind, n in counts.items()))
        for answer in failures[:SHOWN_FAILURES]:
            self._say(f"  {answer.question}: {answer.error}", style="red")
        if len(failures) > SHOWN_FAILURES:
            self._say(f"  … and {len(failures) - SHOWN_FAILURES} more")

    def _say(self, message: str, style: str | None = None) -> None:
        if not self._quiet:
            self._console.print(message, style=style, markup=False)
