"""`reason-iad demo`: draw parts whose truth is known, inspect them like any others, and show both side by side."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reason_iad.cli.checks import make_folder
from reason_iad.cli.engine import Engine
from reason_iad.cli.headings import INPUT, OUTPUT, HeadedCommand, option
from reason_iad.cli.options import engine_options
from reason_iad.errors import KnowledgeError

if TYPE_CHECKING:
    from reason_iad.knowledge import KnowledgeStore
    from reason_iad.schema import Inspection
    from reason_iad_nano.world import Sample

_SIZE = 336  # pixels each way
_FIRST_SEED = 900_000_000  # far from the seeds that training and evaluation draw
_SEEDS_PER_PART = 1000
_ROW = "{:<3} {:<15} {:<28} {:<28} {:>5} {:>6}"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A sample on disk.

    Attributes:
        name: what its files begin with.
        part, good: the image to inspect, and a good part of the same product.
    """

    sample: Sample
    name: str
    part: Path
    good: Path


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
    INPUT, "--count", type=click.IntRange(1, 1000), default=6, show_default=True, help="How many parts to draw."
)
@option(
    INPUT,
    "--first",
    type=click.IntRange(0, 10**6),
    default=0,
    show_default=True,
    help="Number of the first part; the same number is the same part.",
)
@engine_options
def demo(engine: Engine, out: Path, count: int, first: int) -> None:  # fmt: skip
    """Inspect images made on the spot; no downloads.

    About every second part has a defect. The parts are of kinds that the embedded model learned from, but these
    ones it has never seen.
    """
    from reason_iad.files import write_atomic
    from reason_iad.knowledge import open_knowledge
    from reason_iad.report import save_report

    make_folder(out, "--out")
    click.echo("Loading the model ...", err=True)
    inspector, store = engine.load(), open_knowledge(engine.knowledge)
    click.echo(_ROW.format("", "part", "truth", "verdict", "prob.", "time"))
    results, right = [], 0
    for drawn in _draw(out, first, count):
        result = inspector.inspect(drawn.part, references=[drawn.good], category=_category(store, drawn.sample))
        save_report(result, out / f"{drawn.name}.html", image=drawn.part, references=(drawn.good,))
        results.append(result)
        agrees = (result.verdict == "defect") == bool(drawn.sample.defects)
        right += agrees
        _show(drawn, result, agrees)
    write_atomic(out / "results.jsonl", "".join(f"{result.to_json()}\n" for result in results))
    click.echo(f"\n{right} of {count} verdicts are right; images, HTML reports and results.jsonl are in {out}.")


def _draw(out: Path, first: int, count: int) -> Iterator[Drawn]:
    """Draw parts of all families in turn, every second one with a defect, and write them as PNG."""
    from PIL import Image

    from reason_iad_nano.world import FAMILIES, make_sample

    families = [name for name, family in FAMILIES.items() if not family.held_out]
    for number in range(first, first + count):
        seed = _FIRST_SEED + number * _SEEDS_PER_PART
        while True:
            sample = make_sample(seed, size=_SIZE, family=families[number % len(families)])
            if bool(sample.defects) == bool(number % 2):
                break
            seed += 1
        name = f"{number:02}-{sample.object_name.replace(' ', '-')}"
        drawn = Drawn(sample, name, out / f"{name}.png", out / f"{name}-good.png")
        Image.fromarray(sample.query).save(drawn.part)
        Image.fromarray(sample.references[0]).save(drawn.good)
        yield drawn


def _category(store: KnowledgeStore, sample: Sample) -> str | None:
    """What the knowledge calls the part; None if it does not know it."""
    from reason_iad.knowledge import resolve_category

    for name in (sample.family, sample.object_name):
        with suppress(KnowledgeError):
            return resolve_category(store, name)
    return None


def _show(drawn: Drawn, result: Inspection, agrees: bool) -> None:
    truth = ", ".join(f"{defect.kind}, {defect.place}" for defect in drawn.sample.defects) or "good"
    found = "pass"
    if result.verdict == "defect":
        place = f", {result.in_words('place')}" if result.region else ""
        found = f"{result.in_words('type') or 'defect'}{place}"
    row = _ROW.format(
        "ok" if agrees else "no",
        drawn.sample.family,
        truth,
        found,
        f"{result.probability:.2f}",
        f"{result.timings_ms['total'] / 1000:.1f} s",
    )
    click.echo(click.style(row, fg="green" if agrees else "red"))
