"""`reason-iad nano`: train the embedded model, and measure it. Thin: parse, call, print."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import click

from reason_iad.errors import ModelError

_PATH = click.Path(path_type=Path)
TABLES = ("new", "held_out", "renamed", "inputs", "fused")
PAIRS_WEIGHED = 600


@click.group()
def nano() -> None:
    """Train and measure the embedded model."""


@nano.command()
@click.option("--minutes", type=float, default=60.0, show_default=True, help="Trained time, across resumes.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option(
    "--out", type=_PATH, required=True, metavar="DIR", help="Log, checkpoints, and the model in DIR/model."
)
@click.option("--resume", is_flag=True, help="Go on from the newest checkpoint of DIR.")
@click.option("--start", metavar="nano|DIR", help="Go on from a packaged model, with new training heads.")
@click.option("--workers", type=int, default=1, show_default=True, help="Processes that make data.")
@click.option("--shards", type=int, default=2, show_default=True, help="Threads that compute gradients.")
@click.option("--compile", "compile_", is_flag=True, help="Compile the layers; needs a C++ compiler.")
@click.option("--seed", type=int, default=0, show_default=True)
def train(
    minutes: float,
    device: str,
    out: Path,
    resume: bool,
    start: str | None,
    workers: int,
    shards: int,
    compile_: bool,
    seed: int,
) -> None:
    """Train a model, from nothing or on from another, on images made by a program.

    Kill it whenever you like; --resume goes on where the last checkpoint was written.
    """
    from reason_iad.backbones import load_backbone
    from reason_iad_nano.fusing import fit, write_fusion
    from reason_iad_nano.training.settings import TrainSettings
    from reason_iad_nano.training.train import train as run

    threads = 1 if device == "cpu" else None
    settings = TrainSettings(
        minutes=minutes, device=device, workers=workers, threads=threads, shards=shards if device == "cpu" else 1,
        compile=compile_, seed=seed, start=start,
    )  # fmt: skip
    model = run(out, settings, resume=resume)
    with _bar("Weighing", PAIRS_WEIGHED) as advance:
        write_fusion(fit(load_backbone(str(model)), PAIRS_WEIGHED, advance), model)
    click.echo(f"The model is in {model}; use it with --model {model}.")


@nano.command()
@click.option("--model", default="nano", show_default=True, metavar="nano|DIR", help="Whose weights to fit.")
@click.option("-n", "--n", "count", type=int, default=PAIRS_WEIGHED, show_default=True, help="Pairs to fit on.")
def fuse(model: str, count: int) -> None:
    """Fit how a model's answer and the map are weighed into one verdict, on drawn parts.

    Writes fusion.json into the model's directory; inspections with that model then use it.
    """
    from reason_iad.backbones import load_backbone
    from reason_iad_nano.fusing import fit, write_fusion

    if model != "nano" and not Path(model).is_dir():
        raise ModelError(f"There is no model directory '{model}'; give one, or 'nano'.")
    backbone = load_backbone(model)
    assert backbone.directory is not None
    with _bar("Weighing", count) as advance:
        path = write_fusion(fit(backbone, count, advance), backbone.directory)
    click.echo(f"The weights are in {path}.")


@nano.command()
@click.option("--model", default="nano", show_default=True, metavar="NAME_OR_DIR")
@click.option(
    "--split",
    type=click.Choice(TABLES),
    multiple=True,
    help="What to measure (default: everything).",
)
@click.option("-n", "--n", "count", type=int, default=500, show_default=True, help="Image pairs per split.")
@click.option("--out", type=_PATH, metavar="DIR", help="Also write the tables there, as Markdown and JSON.")
def evaluate(model: str, split: tuple[str, ...], count: int, out: Path | None) -> None:
    """Measure a model on images it has never seen; prints the tables of docs/results.md."""
    from reason_iad_nano.evaluate import evaluate as run
    from reason_iad_nano.tables import write_tables

    tables = run(model, split or TABLES, count)
    if out is not None:
        write_tables(tables, out)
    for table in tables:
        click.echo(table.markdown())


@nano.command()
@click.option("-n", "--n", "count", type=click.IntRange(min=1), default=250, show_default=True, help="Image pairs.")
@click.option(
    "--split",
    type=click.Choice(["new", "held_out"]),
    default="new",
    show_default=True,
    help="New parts of families that were trained on, or of families that never were.",
)
@click.option(
    "--invented-names", is_flag=True, help="Give the defect types names that only the knowledge explains."
)
@click.option("--size", type=click.IntRange(min=112), default=336, show_default=True, help="Pixels each way.")
@click.option("--out", type=_PATH, required=True, metavar="DIR", help="Folder to make.")
def questions(count: int, split: str, invented_names: bool, size: int, out: Path) -> None:
    """Draw parts and write questions about them, for 'bench run'.

    \b
    reason-iad nano questions --out drawn
    reason-iad bench run --questions drawn/questions.json --images drawn --out runs/drawn
    """
    from reason_iad_nano.exporting import export_world

    purpose: Literal["new", "held_out"] = "held_out" if split == "held_out" else "new"
    with _bar("Drawing", count) as advance:
        written = export_world(out, count, purpose=purpose, size=size, invented=invented_names, progress=advance)
    click.echo(f"{written} questions about {count} images are in {out}.")


@nano.command("demo-parts")
@click.option("--out", type=_PATH, required=True, metavar="DIR", help="Folder to write to.")
def demo_parts(out: Path) -> None:
    """Draw the parts that 'reason-iad demo' inspects."""
    from reason_iad_nano.demo_parts import write_parts

    write_parts(out)
    click.echo(f"The parts are in {out}.")


@contextmanager
def _bar(name: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on stderr, on a terminal; the function takes the number that is done."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(name, total=total)
        yield lambda done: bar.update(task, completed=done)
