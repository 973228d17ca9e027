"""What `inspect` checks about its outputs before anything heavy is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reason_iad.cli.checks import check_output, check_resume, make_folder
from reason_iad.cli.delivery import normal_path
from reason_iad.errors import ConfigError, OutputError

if TYPE_CHECKING:
    from reason_iad.cli.job import Job

STDOUT = Path("-")


def check_outputs(job: Job, others: tuple[Path, ...], sinks: tuple[str, ...]) -> None:
    """Refuse, before the long part, outputs that cannot be written or would destroy something.

    Args:
        job: what is to be inspected, and where results go.
        others: inputs beside the parts.
        sinks: further places where results go.

    Raises:
        OutputError: an output is refused.
    """
    inputs = (*job.paths, *others)
    to_file = job.json is not None and job.json != STDOUT
    if job.resume and not to_file:
        raise OutputError("--resume needs a file to continue. Name it with --json.")
    check_resume(job.resume, job.overwrite)
    if job.json is not None and to_file:
        check_output(job.json, inputs)
    taken = {normal_path(job.json)} if job.json is not None and to_file else set()
    for target in (Path(sink.partition(":")[2]) for sink in sinks if sink.startswith("jsonl:")):
        check_output(target, inputs)
        if normal_path(target) in taken:
            raise OutputError(f"'{target}' is written to already. Give each --sink, and --json, a file of its own.")
        taken.add(normal_path(target))
    if job.report is None:
        return
    if job.report == STDOUT:
        raise OutputError("A report cannot be printed. Give --report a file name such as report.html.")
    if job.single:
        check_output(job.report, inputs)
    elif job.report.is_file() or job.report.suffix.lower() in (".html", ".htm"):
        raise OutputError(
            f"--report '{job.report}' is one file, but there are several parts. Give the name of a folder."
        )
    else:
        make_folder(job.report, "--report")


def report_file(report: Path | None, part: Path) -> Path | None:
    """The file that the report of one part is written to: in a folder that is there, it is named after the part."""
    return report / f"{part.name}.html" if report is not None and report.is_dir() else report


def check_export(folder: Path | None, parts: Sequence[Path]) -> None:
    """Refuse, before the long part, a folder for exports that cannot be used, and make it; None: there is none.

    Raises:
        OutputError: it cannot be made, or its pictures would be inspected as parts the next time.
    """
    if folder is None:
        return
    for part in parts:
        if part.is_dir() and normal_path(folder).is_relative_to(normal_path(part)):
            raise OutputError(
                f"The folder for --export, '{folder}', lies in the folder of parts '{part}'. Its pictures would be "
                "inspected as parts the next time. Choose a folder elsewhere."
            )
    make_folder(folder, "--export")


def chosen_formats(export: Path | None, names: str | None) -> tuple[str, ...]:
    """The formats that were named, with commas between; None: all.

    Raises:
        ConfigError: there is no such format, or no folder for it.
    """
    from reason_iad.exports import formats

    if names is None:
        return formats(())
    if export is None:
        raise ConfigError("--formats needs a folder for the files. Name it with --export.")
    return formats([name.strip() for name in names.split(",") if name.strip()])
