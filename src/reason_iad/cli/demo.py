"""`reason-iad demo`: inspect parts that ship with the package, and show the truth about them beside the verdict."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reason_iad.cli.checks import make_folder
from reason_iad.cli.engine import Engine
from reason_iad.cli.headings import INPUT, OUTPUT, HeadedCommand, option
from reason_iad.cli.options import engine_options
from reason_iad.errors import ConfigError, KnowledgeError

if TYPE_CHECKING:
    from reason_iad.schema import Inspection

PARTS = Path(__file__).parent / "demo_parts"
"""Drawn by `reason-iad nano demo-parts`, with what is true of them in parts.json."""
COUNT = 6
_ROW = "{:<5} {:<15} {:<28} {:<34} {:>5} {:>6}"


@dataclass(frozen=True, slots=True)
class Part:
    """A part to inspect.

    Attributes:
        name: what its files begin with.
        product: what it is, in a word or two.
        category: what the knowledge that ships with the package calls it.
        defects: kind and place of each; empty if it is good.
    """

    name: str
    product: str
    category: str
    defects: tuple[tuple[str, str], ...]

    @property
    def pictures(self) -> tuple[str, str]:
        """File names of the image to inspect, and of a good part of the same product."""
        return f"{self.name}.png", f"{self.name}-good.png"


@click.command(cls=HeadedCommand)
@option(
    OUTPUT,
    "--out",
    type=click.Path(path_type=Path),
    default="demo-out",
    show_default=True,
    metavar="DIR",
    help="Folder for the images, reports and results.",
)
@option(
    INPUT,
    "--count",
    type=click.IntRange(1, COUNT),
    metavar="N",
    help="Number of parts to inspect. Without it, all parts from the first one on.",
)
@option(
    INPUT,
    "--first",
    type=click.IntRange(0, COUNT - 1),
    default=0,
    show_default=True,
    help="Number of the first part. The parts are numbered from 0.",
)
@engine_options
def demo(engine: Engine, out: Path, count: int | None, first: int) -> None:  # fmt: skip
    """Inspect six parts that come with the package. Nothing is downloaded.

    Every second part has a defect. The parts are drawn by a program. The model learned from parts like these,
    but not from these.
    """
    from reason_iad.files import write_atomic
    from reason_iad.report import save_report

    if count is not None and first + count > COUNT:
        raise ConfigError(
            f"The demo has {COUNT} parts, and from part {first} on there are {COUNT - first}, not {count}. "
            "Lower --count or --first."
        )
    make_folder(out, "--out")
    click.echo("Loading the model ...", err=True)
    parts = read_parts()[first : None if count is None else first + count]
    # its parts come with the package: whether their pictures show them needs no check, which would load a network
    inspector = replace(engine, config=replace(engine.config, check_picture=False)).load()
    click.echo(_ROW.format("", "part", "truth", "verdict", "prob.", "time"))
    results, right = [], 0
    for part in parts:
        for name in part.pictures:
            shutil.copyfile(PARTS / name, out / name)
        image, good = (out / name for name in part.pictures)
        result = inspector.inspect(image, references=[good], category=_category(engine, part))
        agrees = (result.verdict == "defect") == bool(part.defects)
        _show(part, result, agrees)  # before the report, which takes about as long as the inspection
        save_report(result, out / f"{part.name}.html", image=image, references=(good,))
        results.append(result)
        right += agrees
    write_atomic(out / "results.jsonl", "".join(f"{result.to_json()}\n" for result in results))
    click.echo(
        f"\n{right} of {len(parts)} verdicts are right; images, HTML reports and results.jsonl are in {out}."
    )


def read_parts() -> list[Part]:
    """The parts that ship with the package, in order."""
    return [
        Part(
            fact["name"],
            fact["product"],
            fact["category"],
            tuple((defect["kind"], defect["place"]) for defect in fact["defects"]),
        )
        for fact in json.loads((PARTS / "parts.json").read_text(encoding="utf-8"))
    ]


def _category(engine: Engine, part: Part) -> str | None:
    """What the knowledge in use calls the part; None if it does not know it."""
    if engine.knowledge is None:
        return part.category
    from reason_iad.knowledge import open_knowledge, resolve_category

    with suppress(KnowledgeError):
        return resolve_category(open_knowledge(engine.knowledge), part.category)
    return None


def _show(part: Part, result: Inspection, agrees: bool) -> None:
    truth = ", ".join(f"{kind}, {place}" for kind, place in part.defects) or "good"
    found = "PASS"
    if result.verdict == "defect":
        place = f", {result.in_words('place')}" if result.region else ""
        found = f"DEFECT: {result.in_words('type') or 'unknown type'}{place}"
    row = _ROW.format(
        "ok" if agrees else "wrong",
        part.product,
        truth,
        found,
        f"{result.probability:.2f}",
        f"{result.timings_ms['total'] / 1000:.1f} s",
    )
    click.echo(click.style(row, fg="green" if agrees else "red"))
