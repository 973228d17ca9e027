"""`reason-iad inspect`: one part with a summary for people, or many with one JSON line each."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reason_iad.cli import EXIT_DEFECT, EXIT_FAILED, EXIT_INTERRUPTED, EXIT_REVIEW, fail
from reason_iad.cli.common import Engine, check_output, check_resume, engine_options, fuse_option, make_folder
from reason_iad.cli.promises import Promised, promise_options
from reason_iad.cli.values import ManyValues
from reason_iad.errors import ConfigError, OutputError, ReasonIADError

if TYPE_CHECKING:
    from reason_iad.inspection.batch import Conditions, Outcome, ResultLog
    from reason_iad.inspection.operating_point import KnownParts
    from reason_iad.schema import Inspection

STDOUT = Path("-")
_CODES = {"failed": EXIT_FAILED, "defect": EXIT_DEFECT, "review": EXIT_REVIEW, "pass": 0}
"""Exit codes, the one that counts most first."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be inspected, and where results go; everything is checked, nothing is loaded.

    Attributes:
        paths: the images, each once.
        references: good images.
        known: results of known parts that set the threshold.
        single: one image, given as a file: its result is shown to people.
        lines: results are JSON lines (else one document).
        json: where JSON goes; `STDOUT`, or None for nowhere.
        report: the HTML file of a single image, the folder of several; or None.
        root: folder that the paths of several reports are relative to.
    """

    paths: tuple[Path, ...]
    references: tuple[Path, ...]
    category: str | None
    question: str | None
    single: bool
    lines: bool
    json: Path | None
    report: Path | None
    root: Path
    resume: bool
    overwrite: bool
    quiet: bool
    known: tuple[KnownParts, ...] = ()


@click.command(cls=ManyValues)
@click.argument("parts", nargs=-1, required=True, metavar="PART...", type=click.Path(path_type=Path))
@click.option(
    "--reference",
    "references",
    multiple=True,
    metavar="GOOD...",
    type=click.Path(path_type=Path),
    help="Good parts of the same product: images or folders.",
)
@click.option("--category", help="Name of the product; found from the gallery if left out.")
@click.option("--question", help="Ask this, too.")
@engine_options
@click.option("--threshold", type=float, help="'defect' at or above this probability (default: 0.5).")
@promise_options
@fuse_option
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    metavar="OUT.html",
    help="Write an HTML report; with several images, a folder of them.",
)
@click.option(
    "--json",
    "json",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="OUT.json",
    help="Write the result as JSON ('-': to standard output); with several images, or as "
    "OUT.jsonl, one line per image.",
)
@click.option(
    "--sink",
    "sinks",
    multiple=True,
    metavar="NAME[:TARGET]",
    help="Also send each result there, for example jsonl:all.jsonl; can be repeated.",
)
@click.option("--resume", is_flag=True, help="Go on with the lines in --json; failed images are tried again.")
@click.option("--overwrite", is_flag=True, help="Replace the lines in --json.")
@click.option("--quiet", is_flag=True, help="No progress bar and no summary.")
def inspect(
    engine: Engine, parts: tuple[Path, ...], references: tuple[Path, ...], category: str | None,
    question: str | None, report: Path | None, json: Path | None, resume: bool, overwrite: bool, quiet: bool,
    promised: Promised, sinks: tuple[str, ...],
) -> None:  # fmt: skip
    """Inspect PART..., images or folders of images.

    \b
    Exit code: 0 all pass, 1 a defect was found, 2 usage or input error, 3 some images failed, 4 some parts need
    a person, and none was called defective.

    Several images: one JSON line per image, to --json as soon as it is done, else to standard output; a
    failed image never stops the others.
    """
    from reason_iad.images import find_images, load_image
    from reason_iad.sinks import open_sinks

    paths = tuple(find_images(parts))
    single = len(parts) == 1 and not parts[0].is_dir()
    job = Job(
        paths=paths,
        references=tuple(find_images(references)) if references else (),
        category=category,
        question=question,
        single=single,
        lines=not single or resume or (json is not None and json.suffix == ".jsonl"),
        json=json if json is not None or single else STDOUT,
        report=report,
        root=Path(os.path.commonpath([normal_path(path).parent for path in paths])),
        resume=resume,
        overwrite=overwrite,
        quiet=quiet,
    )
    _check_outputs(job, promised)
    if promised:
        engine, job = _decided_by(engine, job, promised)
    for image in (*job.references, *(paths if single else ())):
        load_image(image)
    with open_sinks(sinks) as send:
        code = (_inspect_one if single and not job.lines else _inspect_many)(engine, job, send)
    click.get_current_context().exit(code)


def _check_outputs(job: Job, promised: Promised) -> None:
    """Refuse, before the long part, outputs that cannot be written or would destroy something."""
    inputs = (*job.paths, *job.references, *promised.files)
    to_file = job.json is not None and job.json != STDOUT
    if job.resume and not to_file:
        raise OutputError("--resume needs the file to go on with; name it with --json.")
    check_resume(job.resume, job.overwrite)
    if job.json is not None and to_file:
        check_output(job.json, inputs)
    if job.report is None:
        return
    if job.single:
        check_output(job.report, inputs)
    elif job.report.is_file() or job.report.suffix.lower() in (".html", ".htm"):
        raise OutputError(f"--report '{job.report}' is one file; give a folder for several reports.")
    else:
        make_folder(job.report, "--report")


def _decided_by(engine: Engine, job: Job, promised: Promised) -> tuple[Engine, Job]:
    """Let known parts set the threshold.

    Raises:
        ConfigError: a threshold was given, too, or there are too few parts.
        OutputError: the results cannot be used, or were made in another way than the parts will be inspected.
    """
    from reason_iad.inspection.operating_point import operating_point

    source = click.get_current_context().get_parameter_source("threshold")
    if source is not None and source.name != "DEFAULT":
        raise ConfigError("--threshold and results of known parts exclude each other; choose one.")
    good, defective = promised.read()
    conditions = _conditions(engine, job)
    for known in filter(None, (good, defective)):
        known.require(conditions)
    point = operating_point(
        () if good is None else good.parts, promised.false_alarms,
        () if defective is None else defective.parts, promised.missed,
    )  # fmt: skip
    return replace(engine, operating_point=point), replace(job, known=tuple(filter(None, (good, defective))))


def _conditions(engine: Engine, job: Job) -> Conditions:
    """What is known of the results to come before the model is loaded."""
    from reason_iad.inspection.batch import Conditions, file_sha256

    return Conditions(
        method=engine.config.method,
        threshold=engine.threshold,
        bounds="" if engine.operating_point is None else engine.operating_point.model_dump_json(),
        seed=engine.config.seed,
        config=engine.config.sha256(),
        references=tuple(file_sha256(reference) for reference in job.references),
        question=job.question or "",
        model=engine.model_name,
        category=None if job.category else "",  # a given one may be an alias
    )


def _admit(job: Job, result: Inspection) -> None:
    """Make sure that parts that set the threshold were inspected as this part was.

    Raises:
        OutputError: they were not.
    """
    from reason_iad.inspection.batch import Conditions

    for known in job.known:
        known.require(Conditions.of(result))


def _inspect_one(engine: Engine, job: Job, send: Callable[[Outcome], None]) -> int:
    from reason_iad.cli.show import show_inspection
    from reason_iad.files import write_atomic
    from reason_iad.inspection.batch import named
    from reason_iad.report import save_report

    path = job.paths[0]
    result = engine.load().inspect(path, references=job.references, category=job.category, question=job.question)
    result = named(result, path)
    _admit(job, result)
    if job.json == STDOUT:
        click.echo(result.to_json(indent=2))
    elif job.json is not None:
        write_atomic(job.json, result.to_json(indent=2) + "\n")
    if job.report is not None:
        save_report(result, job.report, image=path, references=job.references)
    send(result)
    if not job.quiet:
        to_stderr = job.json == STDOUT
        show_inspection(result, err=to_stderr)
        if job.report is not None:
            click.echo(f"  report     {job.report}", err=to_stderr)
    return _CODES[result.verdict]


def _inspect_many(engine: Engine, job: Job, send: Callable[[Outcome], None]) -> int:
    from reason_iad.inspection.batch import Failure, inspect_many
    from reason_iad.schema import Inspection

    log = _open_log(engine, job)
    verdicts = {path: log.verdict(path) for path in job.paths} if log else {}
    pending = [path for path in job.paths if not verdicts.get(path)]
    counts = Counter[str](verdict for verdict in verdicts.values() if verdict)
    if done := len(job.paths) - len(pending):
        _say(job, f"{done} of {len(job.paths)} images are already in '{job.json}'.")
    try:
        if pending:
            inspector = engine.load()
            outcomes = inspect_many(
                inspector, pending, references=job.references, category=job.category, question=job.question
            )
            with _progress(len(pending), job.quiet) as advance:
                for path, outcome in zip(pending, outcomes, strict=True):
                    if isinstance(outcome, Inspection):
                        _admit(job, outcome)
                        outcome = _reported(job, path, outcome)  # first: a line in the log means all is done
                    _write_line(log, outcome)
                    send(outcome)
                    counts["failed" if isinstance(outcome, Failure) else outcome.verdict] += 1
                    advance(outcome)
    except KeyboardInterrupt:
        kept = ""
        if log:
            there = f"{sum(counts.values())} images are in '{job.json}', go on with --resume"
            kept = f"; '{job.json}' is as it was" if log.waits else f"; {there}"
        fail(f"Interrupted{kept}.", EXIT_INTERRUPTED)
    if log:
        log.close()
    noun = "image" if len(job.paths) == 1 else "images"
    _say(job, f"{len(job.paths)} {noun}: " + ", ".join(_counted(counts)))
    return next((code for kind, code in _CODES.items() if counts[kind]), 0)


def _counted(counts: Counter[str]) -> Iterator[str]:
    """How many of each kind; that a person is needed is said only if one is."""
    for kind in ("pass", "defect", "failed"):
        yield f"{counts[kind]} {kind}"
    if counts["review"]:
        yield f"{counts['review']} for a person"


def _open_log(engine: Engine, job: Job) -> ResultLog | None:
    from reason_iad.inspection.batch import ResultLog

    if job.json is None or job.json == STDOUT:
        return None
    if not job.resume:
        return ResultLog.create(job.json, overwrite=job.overwrite)
    return ResultLog.resume(job.json, job.paths, _conditions(engine, job))


def _write_line(log: ResultLog | None, outcome: Outcome) -> None:
    if log:
        log.append(outcome)
    else:
        click.echo(outcome.model_dump_json())


def _reported(job: Job, path: Path, result: Inspection) -> Outcome:
    """Write a report at the place under the folder that the image has under the common root.

    Returns the result, or a failure if its report cannot be written: the other images go on.
    """
    from reason_iad.inspection.batch import Failure
    from reason_iad.report import save_report

    if job.report is None:
        return result
    relative = normal_path(path).relative_to(job.root)
    target = job.report / relative.with_name(relative.name + ".html")
    try:
        make_folder(target.parent, "--report")
        save_report(result, target, image=path, references=job.references)
    except ReasonIADError as error:
        return Failure(image=str(path), error=str(error))
    return result


def normal_path(path: Path) -> Path:
    """The absolute path without '..', so that nothing is written above the folder asked for."""
    return Path(os.path.abspath(path))  # noqa: PTH100 (resolve() would follow links)


@contextmanager
def _progress(total: int, quiet: bool) -> Iterator[Callable[[Outcome], None]]:
    """A progress bar on stderr (on a terminal), with the errors of failed images above it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from reason_iad.inspection.batch import Failure

    console = Console(stderr=True, soft_wrap=True, highlight=False)
    columns = (TextColumn("inspecting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
        task = progress.add_task("inspecting", total=total)

        def advance(outcome: Outcome) -> None:
            if isinstance(outcome, Failure):
                named = "" if outcome.image in outcome.error else f"{outcome.image}: "
                console.print(f"{named}{outcome.error}", style="red", markup=False)
            progress.advance(task)

        yield advance


def _say(job: Job, message: str) -> None:
    if not job.quiet:
        click.echo(message, err=True)
