"""`reason-iad compare`: what differs between two parts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reason_iad.backbones.chat_use import TIMEOUT, check_use
from reason_iad.cli import EXIT_DEFECT, EXIT_UNJUDGED
from reason_iad.cli.checks import check_device, check_model, check_output, make_folder
from reason_iad.cli.headings import MODEL, OUTPUT, REFERENCES, VERDICT, HeadedCommand, option
from reason_iad.cli.options import (
    base_url_option,
    device_option,
    formats_option,
    threads_option,
    timeout_option,
    white_option,
)
from reason_iad.cli.outputs import STDOUT, chosen_formats, report_file
from reason_iad.cli.product.values import Scale
from reason_iad.errors import ConfigError, OutputError

if TYPE_CHECKING:
    from reason_iad.inspection.inspector import Inspector
    from reason_iad.schema.comparison import PartComparison

_CODES = {"same": 0, "different": EXIT_DEFECT, "unjudged": EXIT_UNJUDGED}
_SHOWN = {"same": ("NO CLEAR DIFFERENCE", "green"), "different": ("DIFFERENT", "red"),
          "unjudged": ("CANNOT BE COMPARED", "magenta")}  # fmt: skip
_MOST = 8
"""Places that are listed on the screen; the others are counted."""


@click.command(cls=HeadedCommand)
@click.argument("a", metavar="A", type=click.Path(path_type=Path))
@click.argument("b", metavar="B", type=click.Path(path_type=Path))
@option(
    VERDICT,
    "--level",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SCORE",
    help="How clear a difference has to be: places with at least this score count. A lower number finds fainter "
    "differences.  [default: 2.5]",
)
@option(
    VERDICT,
    "--check-picture/--no-check-picture",
    default=True,
    show_default=True,
    help="Compare only pictures that show the same kind of part.",
)
@option(
    VERDICT,
    "--scale",
    type=Scale(),
    metavar="LENGTH",
    help="Length of one pixel of A on the part, for example 0.05mm. Sizes are then given in millimetres, too.",
)
@option(
    REFERENCES,
    "--align/--no-align",
    default=True,
    show_default=True,
    help="Shift and turn B so that it lies like A.",
)
@white_option
@option(
    MODEL,
    "--model",
    metavar="MODEL",
    help="Also ask a model what it thinks of A, with B as the good part: nano, a model folder, a name on Hugging "
    "Face, or openai:NAME. Without it, no model is asked.",
)
@base_url_option
@timeout_option
@device_option
@threads_option
@option(
    OUTPUT,
    "--report",
    type=click.Path(path_type=Path),
    metavar="OUT.html",
    help="Write a report that any browser shows: both pictures with the same marks.",
)
@option(
    OUTPUT,
    "--export",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write files for other programs into this folder: A with what was found, mask, COCO and LabelMe.",
)
@formats_option
@option(
    OUTPUT,
    "--json",
    "json",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="OUT.json",
    help="Write the result as JSON. With '-', the JSON is printed.",
)
@option(OUTPUT, "--quiet", is_flag=True, help="Print nothing but the JSON of '--json -'.")
def compare(
    a: Path, b: Path, level: float | None, check_picture: bool, scale: float | None, align: bool,
    white: float | None, model: str | None, base_url: str | None, timeout: float, device: str, threads: int | None,
    report: Path | None, export: Path | None, formats: str | None, json: Path | None, quiet: bool,
) -> None:  # fmt: skip
    """Compare two parts, A and B: what differs, and where.

    A and B are images of the same kind of part. Places are given as they lie in A.
    A place is found if it differs clearly more than the rest of the picture. Fine cracks on rough surfaces
    can be missed: make a product for such parts.

    \b
    reason-iad compare new.png old.png --report out.html

    The exit code tells other programs the result:

    \b
      0  No place differs clearly.
      1  The parts differ.
      2  An option or an input is wrong. The message says what to change.
      5  The pictures do not show the same kind of part, so they cannot be compared.
    """
    from reason_iad.expert.pair import LEVEL
    from reason_iad.files import write_atomic
    from reason_iad.images import load_image
    from reason_iad.inspection.comparing import compare_parts

    wanted, report = chosen_formats(export, formats), report_file(report, a)
    _check_outputs((a, b), json, report, export)
    inspector = None
    for path in (a, b):
        load_image(path)
    if model is not None:
        inspector = _load(check_model(model), check_device(device), base_url, timeout)
    result = compare_parts(
        a, b, level=LEVEL if level is None else level, align=align, check_picture=check_picture, mm_per_px=scale,
        inspector=inspector, white=white,
    )  # fmt: skip
    if json == STDOUT:
        click.echo(result.to_json(indent=2))
    elif json is not None:
        write_atomic(json, result.to_json(indent=2) + "\n")
    if report is not None:
        from reason_iad.report.parts import save_comparison

        save_comparison(result, report, a=a, b=b)
    if export is not None:
        _export(result, a, export, wanted)
    if not quiet:
        _show(result, {"report": report, "exports": export}, err=json == STDOUT)
    click.get_current_context().exit(_CODES[result.outcome])


def _load(model: str, device: str, base_url: str | None, timeout: float) -> Inspector:
    """The model that is asked."""
    from reason_iad.inspection.inspector import Inspector

    check_use(model, base_url=base_url, timeout=timeout, method="full", gallery=False)
    return Inspector.from_pretrained(model, device=device, base_url=base_url, timeout=timeout or TIMEOUT)


def _check_outputs(inputs: tuple[Path, ...], json: Path | None, report: Path | None, export: Path | None) -> None:
    """Refuse, before anything is computed, outputs that cannot be written."""
    if report == STDOUT:
        raise OutputError("A report cannot be printed. Give --report a file name such as report.html.")
    if json is not None and report is not None and json == report:
        raise ConfigError("--json and --report name the same file. Give each a file of its own.")
    for path in (json, report):
        if path is not None and path != STDOUT:
            check_output(path, inputs)
    if export is not None:
        make_folder(export, "--export")


def _export(result: PartComparison, a: Path, folder: Path, wanted: tuple[str, ...]) -> None:
    """Write the exports of A."""
    from reason_iad.cli.delivery import normal_path
    from reason_iad.exports import ExportFolder
    from reason_iad.images import load_image
    from reason_iad.inspection.comparing import as_inspection

    path = normal_path(a)
    exports = ExportFolder(folder, path.parent, wanted)
    exports.add(as_inspection(result), path, lambda: load_image(a, white=result.a.white))
    exports.close()


def _show(result: PartComparison, written: Mapping[str, Path | None], *, err: bool) -> None:
    """Print the outcome, the places, and what was written, a line each."""
    shown, colour = _SHOWN[result.outcome]
    click.echo(f"{click.style(shown, fg=colour, bold=True)}  A: {result.a.name}  B: {result.b.name}", err=err)
    rows = [("why", result.explanation)]
    for number, each in enumerate(result.differences[:_MOST], 1):
        box = each.box
        across = f"x {box.x1} to {box.x2}, y {box.y1} to {box.y2}"
        size = f"{each.length_px:.0f} px long" if each.length_mm is None else f"{each.length_mm:.2f} mm long"
        rows.append((f"place {number}", f"{each.place}: {across}, {size}, score {each.score:.1f}. {each.words}"))
    if (more := len(result.differences) - _MOST) > 0:
        rows.append(("", f"and {more} more place{'' if more == 1 else 's'}; --json and --report name them all"))
    if result.model_says:
        said = " ".join(result.model_says.split())
        rows.append(("model", f"{result.versions.model.name} says of A, with B as the good part: {said}"))
    both = ((result.a, "A"), (result.b, "B"))
    rows += [("picture", f"{name}: {note}") for image, name in both for note in image.notes]
    seconds = result.timings_ms.get("total", 0.0) / 1000
    rows.append(("how", f"a place counts from score {result.level:g} on; {seconds:.1f} s"))
    rows += [(label, str(path)) for label, path in written.items() if path is not None]
    for label, text in rows:
        click.echo(f"  {click.style(f'{label:<10}', dim=True)} {text}", err=err)
