"""`reason-iad bench run`: ask the questions of a benchmark, with one method or several."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reason_iad.backbones.chat_use import TIMEOUT
from reason_iad.cli import EXIT_FAILED, EXIT_INTERRUPTED, fail
from reason_iad.cli.common import check_device, check_model, check_resume
from reason_iad.config import ABLATIONS, METHODS, PRESETS
from reason_iad.errors import ConfigError
from reason_iad.images import printable

if TYPE_CHECKING:
    from reason_iad.bench.records import AnswerRecord
    from reason_iad.bench.work import Answered

SHOWN_FAILURES = 10
SECONDS_BETWEEN_LINES = 60.0
"""How often a run says how far it is where there is no terminal for a bar."""
_HERE = "here"


class MethodList(click.ParamType[tuple[str, ...]]):
    """Names of methods, between commas."""

    name = "method[,method…]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Check every name; each counts once."""
        if isinstance(value, tuple):
            return value
        names = tuple(dict.fromkeys(name.strip() for name in str(value).split(",")))
        for name in names:
            if name not in PRESETS:
                self.fail(f"'{name}' is no method; choose from: {', '.join(PRESETS)}.", param, ctx)
        return names


@click.command()
@click.option(
    "--questions",
    "files",
    multiple=True,
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Questions in the layout of mmad.json; can be repeated.",
)
@click.option(
    "--images",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The folder that the keys of the questions are relative to.",
)
@click.option(
    "--out", required=True, metavar="RUN_DIR", type=click.Path(path_type=Path), help="Results go to RUN_DIR/METHOD."
)
@click.option(
    "--method",
    "methods",
    type=MethodList(),
    default="full",
    show_default=True,
    help=f"Any of: {', '.join(METHODS)}; or 'full' minus a part: {', '.join(ABLATIONS)}.",
)
@click.option(
    "--model",
    default="nano",
    show_default=True,
    metavar="nano|DIR|HUB_ID|openai:NAME",
    help="The embedded model, a local model directory, a hub id, or a model behind an API.",
)
@click.option("--base-url", metavar="URL", help="Address of the API, such as http://localhost:8000/v1.")
@click.option(
    "--timeout",
    type=float,
    default=TIMEOUT,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the API, per attempt.",
)
@click.option(
    "--knowledge",
    type=click.Path(exists=True, path_type=Path),
    metavar="DIR_OR_STORE",
    help="Your knowledge base; without it, what the package ships.",
)
@click.option(
    "--shots",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Normal templates given with every image.",
)
@click.option(
    "--shown",
    type=click.IntRange(min=0),
    metavar="N",
    help="How many of them the model sees (the map compares with all); 'inspect' shows 1.  [default: all]",
)
@click.option(
    "--templates",
    type=click.Choice(["random", "similar"]),
    default="random",
    show_default=True,
    help="Which list of the file they come from.",
)
@click.option(
    "--answers",
    type=click.Choice(["likelihood", "text"]),
    default="likelihood",
    show_default=True,
    help="The most probable letter, or the letter in generated text.",
)
@click.option(
    "--option-orders",
    type=click.Choice(["given", "cyclic"]),
    default="given",
    show_default=True,
    help="Read options as given, or the mean over all their rotations.",
)
@click.option(
    "--align", is_flag=True, help="Lay templates as the image lies, where both then agree, as 'inspect' does."
)
@click.option("--fuse", is_flag=True, help="Look again and weigh what differs into the answers, as 'inspect' does.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="NAME=VALUE",
    help="Change an option of the reasoning, such as sigma=0.3; can be repeated.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Only so many images, in proportion to data sets and categories.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the noise, and of --limit."
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
    "--ray",
    is_flag=False,
    flag_value=_HERE,
    metavar="[ADDRESS]",
    help="Compute on Ray: on this machine, or on the cluster at ADDRESS.",
)
@click.option("--workers", type=click.IntRange(min=1), help="On Ray: how many workers, each with a model.")
@click.option(
    "--gpus",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="On Ray: GPUs per worker; a fraction shares one.",
)
@click.option("--threads", type=click.IntRange(min=1), help="Threads of each process that computes (CPU).")
@click.option("--resume", is_flag=True, help="Go on with the results in RUN_DIR; failed images are tried again.")
@click.option("--overwrite", is_flag=True, help="Replace the results in RUN_DIR.")
@click.option("--quiet", is_flag=True, help="No progress bar and no summary; errors only.")
def run(
    files: tuple[Path, ...], images: Path, out: Path, methods: tuple[str, ...], limit: int | None,
    ray: str | None, workers: int | None, gpus: float, threads: int | None, resume: bool, overwrite: bool,
    quiet: bool, **how: Any,
) -> None:  # fmt: skip
    """Ask every question about every image, and write one line per answer.

    \b
    A run that was stopped, however it was stopped, goes on with --resume.
    Exit code: 0 fine, 2 usage or input error, 3 some images failed.
    """
    from reason_iad.bench.conditions import Settings
    from reason_iad.bench.questions import read_units, unreadable_images
    from reason_iad.bench.running import OnRay, run_methods
    from reason_iad.bench.storage import Destination

    check_resume(resume, overwrite)
    if ray is None and (workers is not None or gpus):
        raise ConfigError("--workers and --gpus have no effect without --ray; add it.")
    check_model(how["model"])
    check_device(how["device"])
    settings = Settings(images=images, limit=limit, **how)
    for method in methods:
        settings.config(method)
    units = read_units(
        files, images, shots=settings.shots, templates=settings.templates, limit=limit, seed=settings.seed
    )
    watcher = Console(quiet, out)
    try:
        with watcher:
            if unreadable := unreadable_images(units, images):
                watcher.warn(_will_fail(unreadable, len(units)))
            run_methods(
                settings, methods, units, Destination(out, resume, overwrite), watcher, threads=threads,
                ray=None if ray is None else OnRay(None if ray == _HERE else ray, workers, gpus),
            )  # fmt: skip
    except KeyboardInterrupt:
        fail(f"Interrupted; what is answered is in '{out}', go on with --resume.", EXIT_INTERRUPTED)
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
            self._say(f"{method}: {len(done)} of {questions} answers are there already.")
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
            click.echo(f"{len(failed)} of {images} images failed; see {printable(file)}", err=True)
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
