"""`reason-iad inspect`: one part with a summary for people, or many with one JSON line each."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reason_iad.cli import EXIT_DEFECT, EXIT_FAILED, EXIT_INTERRUPTED, EXIT_REVIEW, EXIT_UNJUDGED, fail
from reason_iad.cli.at_server import Server, server_options
from reason_iad.cli.checks import check_question, note_unknown_category
from reason_iad.cli.decoding import decoding
from reason_iad.cli.delivery import deliveries, normal_path
from reason_iad.cli.engine import Engine
from reason_iad.cli.headings import INPUT, MODEL, OUTPUT, VERDICT, option
from reason_iad.cli.job import Job
from reason_iad.cli.listing import Listing
from reason_iad.cli.options import (
    category_option,
    check_picture_option,
    engine_options,
    formats_option,
    reference_option,
    white_option,
)
from reason_iad.cli.outputs import STDOUT, check_export, check_outputs, chosen_formats, report_file
from reason_iad.cli.part_kind import (
    ChosenProduct,
    check_choice,
    open_inspector,
    product_of,
    product_options,
    require_same_templates,
    stored_pictures,
    with_knowledge,
)
from reason_iad.cli.printing import say
from reason_iad.cli.promises import Promised, promise_options
from reason_iad.cli.values import ManyValues
from reason_iad.errors import ConfigError, KnowledgeError

if TYPE_CHECKING:
    from reason_iad.cli.delivery import Delivery
    from reason_iad.cli.part_kind import Opened
    from reason_iad.inspection.conditions import Conditions
    from reason_iad.inspection.many import Outcome
    from reason_iad.inspection.results import ResultLog

_CODES = {
    "failed": EXIT_FAILED, "defect": EXIT_DEFECT, "unjudged": EXIT_UNJUDGED, "review": EXIT_REVIEW, "pass": 0,
}  # fmt: skip
"""Exit codes, the one that counts most first."""


@click.command(cls=ManyValues)
@click.argument("parts", nargs=-1, required=True, metavar="PART...", type=click.Path(path_type=Path))
@server_options
@category_option
@option(INPUT, "--question", help="Also answer this question about each part.")
@reference_option
@white_option
@product_options
@engine_options
@option(
    MODEL,
    "--jobs",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Inspect this many parts at the same time. The results are the same, and come in the same order.",
)
@option(
    VERDICT,
    "--threshold",
    type=float,
    metavar="PROBABILITY",
    help="Call a part defective if the probability of a defect is at least this number.  [default: 0.5]",
)
@promise_options
@check_picture_option
@option(
    OUTPUT,
    "--report",
    type=click.Path(path_type=Path),
    metavar="OUT.html",
    help="Write a report that any browser shows, to this file or into this folder. For several parts, give the "
    "name of a folder: it gets a report of each, an overview (index.html) and a table (results.csv).",
)
@option(
    OUTPUT,
    "--export",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write files for other programs into this folder: pictures with what was found, masks, COCO and LabelMe.",
)
@formats_option
@option(
    OUTPUT,
    "--json",
    "json",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="OUT.json",
    help="Write the result as JSON. For several parts, or if the name ends in .jsonl, each line holds one result. "
    "With '-', the JSON is printed.",
)
@option(
    OUTPUT,
    "--sink",
    "sinks",
    multiple=True,
    metavar="NAME[:TARGET]",
    help="Also send each result to another place (a sink). For example, jsonl:all.jsonl adds a line to the file "
    "all.jsonl. Can be given several times.",
)
@option(
    OUTPUT,
    "--resume",
    is_flag=True,
    help="Continue with the results in the --json file. Parts that failed are tried again.",
)
@option(OUTPUT, "--overwrite", is_flag=True, help="Replace the results in the --json file.")
@option(OUTPUT, "--quiet", is_flag=True, help="Print no result, no progress bar and no summary.")
def inspect(
    engine: Engine, parts: tuple[Path, ...], references: tuple[Path, ...], category: str | None,
    question: str | None, report: Path | None, json: Path | None, resume: bool, overwrite: bool, quiet: bool,
    jobs: int, promised: Promised, sinks: tuple[str, ...], export: Path | None, formats: str | None,
    chosen: ChosenProduct | None, server: Server | None,
) -> None:  # fmt: skip
    """Inspect parts: pass or defect, what, where and why.

    PART is an image, or a folder of images. With several images, one line is printed for each
    part, unless --json is given. An image that cannot be read does not stop the others.

    \b
    reason-iad inspect part.png --reference good.png --report out.html
    reason-iad inspect photos/ --reference good/ --json results.jsonl

    The exit code tells other programs the result. If several are true, it is the first of 3, 1, 5, 4 and 0:

    \b
      0  All parts pass.
      1  At least one part has a defect.
      2  An option or an input is wrong. The message says what to change.
      3  At least one file could not be read or inspected.
      4  At least one part needs a person to decide.
      5  At least one picture cannot be judged: it was read, but does not show the part well enough.
     70  The program has a bug. Please report it.
    130  The inspection was interrupted.
    """
    from reason_iad.images import check_header, find_images, load_image
    from reason_iad.sinks import open_sinks

    tell = None if quiet else say
    paths = tuple(find_images(parts, tell))
    single = len(parts) == 1 and not parts[0].is_dir()
    job = Job(
        paths=paths,
        references=tuple(find_images(references, tell)) if references else (),
        category=category, question=question, single=single,
        lines=not single or resume or (json is not None and json.suffix == ".jsonl"),
        json=json,
        report=report_file(report, paths[0]) if single else report,
        root=Path(os.path.commonpath([normal_path(path).parent for path in paths])),
        resume=resume, overwrite=overwrite, quiet=quiet, jobs=jobs,
        export=export, formats=chosen_formats(export, formats),
        chosen=chosen, server=server,
    )  # fmt: skip
    check_choice(chosen, engine, job.references, paths)
    check_question(engine, question)
    check_outputs(job, (*job.references, *promised.files), sinks)
    check_export(export, parts)
    if promised:
        engine, job = _decided_by(engine, job, promised)
    for image in (*job.references, *(paths if single else ())):
        (check_header if single else load_image)(image)  # for one part, decoding them twice would take long
    known = with_knowledge(engine, chosen.product).knowledge if chosen else engine.knowledge
    note_unknown_category(category, engine.config.method, known, required=chosen is not None and not engine.detect)
    if server is not None:
        server.check(paths)
    with open_sinks(sinks) as send:
        code = (_inspect_one if single and not job.lines else _inspect_many)(engine, job, send)
    click.get_current_context().exit(code)


def _decided_by(engine: Engine, job: Job, promised: Promised) -> tuple[Engine, Job]:
    """Let known parts set the threshold.

    Raises:
        ConfigError: a threshold was given, too, or there are too few parts.
        OutputError: the results cannot be used, or were made in another way than the parts will be inspected.
    """
    from reason_iad.inspection.operating_point import operating_point

    source = click.get_current_context().get_parameter_source("threshold")
    if source is not None and source.name != "DEFAULT":
        raise ConfigError(
            "--threshold and the results of known parts cannot be used together. Leave out --threshold, or leave "
            "out --good-results and --defect-results."
        )
    good, defective = promised.read()
    conditions = _conditions(engine, job)
    for known in filter(None, (good, defective)):
        known.require(conditions)
    point = operating_point(
        () if good is None else good.parts, promised.false_alarms,
        () if defective is None else defective.parts, promised.missed,
    )  # fmt: skip
    return replace(engine, operating_point=point), replace(job, known=tuple(filter(None, (good, defective))))


def _conditions(engine: Engine, job: Job, product: str | None = None) -> Conditions:
    """What is known of the results to come before the model is loaded."""
    from reason_iad.files import file_sha256
    from reason_iad.inspection.conditions import Conditions

    return Conditions(
        method="detect" if engine.detect else engine.config.method,
        threshold=None if engine.detect or job.chosen else engine.threshold,
        bounds="" if engine.operating_point is None else engine.operating_point.model_dump_json(),
        seed=engine.config.seed,
        config=engine.config.sha256(),
        references=None if engine.detect else tuple(file_sha256(each) or "" for each in job.references),
        question=job.question or "",
        model=None if engine.detect else engine.model_name,
        category=None if job.category else "",  # a given one may be an alias
        product=product,
    )


def _all_conditions(engine: Engine, job: Job) -> Conditions:
    """What is known of results without a model, for a log to which none will be added that could tell."""
    from reason_iad.inspection.conditions import Conditions
    from reason_iad.knowledge import open_knowledge, resolve_category

    store = open_knowledge(with_knowledge(engine, job.chosen.product).knowledge if job.chosen else engine.knowledge)
    category = None if job.chosen else job.category
    if category is not None:
        with suppress(KnowledgeError):  # a category without knowledge has the name that it was given
            category = resolve_category(store, category)
    return Conditions(
        knowledge=None if engine.detect else store.sha256(),
        category=category,
        dtype=None if engine.dtype == "auto" else engine.dtype,
    )


def _inspect_one(engine: Engine, job: Job, send: Callable[[Outcome], None]) -> int:
    from reason_iad.cli.show import show_inspection
    from reason_iad.exports import ExportFolder
    from reason_iad.files import write_atomic
    from reason_iad.images import at_white
    from reason_iad.inspection.many import named
    from reason_iad.report import save_report

    path = job.paths[0]
    white = engine.config.white if job.chosen is None else job.chosen.product.settings.white
    with decoding(path, () if engine.detect else job.references, white) as coming:
        inspector, good = open_inspector(engine, job)
        picture, references = coming.part(), coming.references()
    given = picture if job.server is None else path  # a server gets the file as it is
    result = inspector.inspect(given, references=references, category=job.category, question=job.question)
    del references
    result = named(result, path)
    job.admit(result)
    if job.json == STDOUT:
        click.echo(result.to_json(indent=2))
    elif job.json is not None:
        write_atomic(job.json, result.to_json(indent=2) + "\n")
    if job.report is not None:
        save_report(result, job.report, image=picture, references=good(result))
    if job.export is not None:
        exports = ExportFolder(job.export, job.root, job.formats)
        exports.add(result, normal_path(path), lambda: at_white(picture, result.image.white))
        exports.close()
    send(result)
    if not job.quiet:
        to_stderr = job.json == STDOUT
        show_inspection(result, err=to_stderr)
        if job.report is not None:
            click.echo(f"  report     {job.report}", err=to_stderr)
        if job.export is not None:
            click.echo(f"  exports    {job.export}", err=to_stderr)
    return _CODES[result.verdict]


def _inspect_many(engine: Engine, job: Job, send: Callable[[Outcome], None]) -> int:
    opened = open_inspector(engine, job) if job.chosen or engine.detect else None
    log = _open_log(engine, job, None if opened is None else product_of(opened[0]))
    verdicts = {path: log.verdict(path) for path in job.paths} if log else {}
    pending = [path for path in job.paths if not verdicts.get(path)]
    listing = Listing(quiet=job.quiet, lines=job.json is None)
    listing.counts.update(verdict for verdict in verdicts.values() if verdict)
    if log and job.resume and not pending:
        log.require(_all_conditions(engine, job))
    if done := len(job.paths) - len(pending):
        listing.say(f"The results of {done} of {len(job.paths)} images are already in '{job.json}'.")
    with deliveries(job.root, job.report, job.export, job.formats) as delivery:
        try:
            _recall(log, job, delivery)
            if pending:
                _inspect_pending(opened or open_inspector(engine, job), job, pending, log, listing, delivery, send)
        except KeyboardInterrupt:
            if listing.counts:
                delivery.finish()
            fail(f"Interrupted.{_kept(log, job, listing)}", EXIT_INTERRUPTED)
        if log:
            log.close()
        delivery.finish()
        others = 0 if delivery.overview is None else delivery.overview.others()
    listing.sum_up(job.json if log else None, job.report, job.export, others=others)
    return next((code for kind, code in _CODES.items() if listing.counts[kind]), 0)


def _inspect_pending(
    opened: Opened, job: Job, pending: list[Path], log: ResultLog | None, listing: Listing, delivery: Delivery,
    send: Callable[[Outcome], None],
) -> None:  # fmt: skip
    """Inspect parts, and keep and show each result as soon as it is there."""
    from reason_iad.inspection.many import inspect_many
    from reason_iad.schema import Inspection

    inspector, good = opened
    outcomes = inspect_many(
        inspector, pending, references=job.references, category=job.category, question=job.question,
        workers=job.jobs,
    )  # fmt: skip
    with closing(outcomes), listing.progress(len(pending)):
        for path, outcome in zip(pending, outcomes, strict=True):
            if isinstance(outcome, Inspection):
                job.admit(outcome)
            outcome = delivery.deliver(path, outcome, good)  # first: a line in the log means all is done
            send(outcome)
            _write_line(log, job, outcome)
            listing.add(outcome)


def _recall(log: ResultLog | None, job: Job, delivery: Delivery) -> None:
    """Give the overview and the exports the parts whose results are in the log already."""
    if log is None or not job.resume or not delivery:
        return
    from reason_iad.images import printable

    paths = {printable(path): path for path in job.paths}
    good = stored_pictures(job)
    for result in log.results():
        if (path := paths.get(result.image.name)) is not None:
            delivery.deliver(path, result, good, earlier=True)


def _kept(log: ResultLog | None, job: Job, listing: Listing) -> str:
    """What an interrupted run leaves behind."""
    if log is None:
        return ""
    if log.waits:
        return f" '{job.json}' is as it was."
    count = listing.counts.total()
    return (
        f" The results of {count} of {len(job.paths)} images are in '{job.json}'. "
        "Run the same command with --resume to continue."
    )


def _open_log(engine: Engine, job: Job, product: str | None) -> ResultLog | None:
    from reason_iad.inspection.results import ResultLog

    if job.json is None or job.json == STDOUT:
        return None
    if job.resume:
        log = ResultLog.resume(job.json, job.paths, _conditions(engine, job, product))
    else:
        log = ResultLog.create(job.json, overwrite=job.overwrite)
    click.get_current_context().call_on_close(log.release)  # however the command ends
    if job.resume:
        require_same_templates(job.chosen, log.results(), job.json)
    return log


def _write_line(log: ResultLog | None, job: Job, outcome: Outcome) -> None:
    if log:
        log.append(outcome)
    elif job.json == STDOUT:
        click.echo(outcome.model_dump_json())
