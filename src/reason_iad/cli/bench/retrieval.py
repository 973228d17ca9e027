"""`reason-iad bench retrieval`: how often the right category and entry are found. Thin: parse, call, print."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reason_iad.cli.common import check_device, check_model

if TYPE_CHECKING:
    from reason_iad.bench.retrieval import Found, Hits
    from reason_iad.bench.retrieval_images import Seen
    from reason_iad.bench.work import Unit

_PATH = click.Path(path_type=Path)
KS = (1, 3, 5)


@click.command()
@click.option(
    "--knowledge", type=_PATH, metavar="PATH", help="A store, knowledge files, or MMAD's domain_knowledge.json."
)
@click.option(
    "--questions", type=_PATH, multiple=True, metavar="FILE", help="Questions in MMAD's format; else made up."
)
@click.option("--images", type=_PATH, metavar="DIR", help="The images that the questions are about.")
@click.option(
    "--name", "names", multiple=True, metavar="A=B", help="Category A of the questions is B in the knowledge."
)
@click.option(
    "--by-image", is_flag=True, help="Also find the category by the image, among the questions' templates."
)
@click.option("--each", type=click.IntRange(min=1), default=8, show_default=True, help="Templates per category.")
@click.option("--model", default="nano", show_default=True, help="Whose vision tower compares images.")
@click.option("--device", default="auto", show_default=True)
@click.option("--limit", type=click.IntRange(min=1), help="Only so many images.")
@click.option("--failures", type=click.IntRange(min=0), default=10, show_default=True, help="How many to list.")
@click.option("--format", "style", type=click.Choice(["md", "json"]), default="md", show_default=True)
def retrieval(
    knowledge: Path | None,
    questions: tuple[Path, ...],
    images: Path | None,
    names: tuple[str, ...],
    by_image: bool,
    each: int,
    model: str,
    device: str,
    limit: int | None,
    failures: int,
    style: str,
) -> None:
    """How often the right category and the right entry are found without being told the category.

    \b
    reason-iad bench retrieval --knowledge domain_knowledge.json
    reason-iad bench retrieval --questions mmad.json --images DIR --by-image
    """
    from reason_iad.bench.questions import read_units
    from reason_iad.bench.retrieval import generated_probes, look, probes_of
    from reason_iad.knowledge import open_knowledge

    renamed = _renamed(names)
    check_model(model)
    check_device(device)
    if bool(questions) != (images is not None):
        raise click.UsageError("--questions and --images belong together; give both or none.")
    if by_image and not questions:
        raise click.UsageError("--by-image needs images; give --questions and --images.")
    units: Sequence[Unit] = ()
    if images is not None:
        units = read_units(questions, images, shots=int(by_image), limit=limit)
    store = open_knowledge(knowledge)
    probes, unknown = probes_of(units, store, renamed) if units else (generated_probes(store), [])
    found = look(store, probes)
    seen, left_out = _by_image(units, images, model, device, each) if by_image and images is not None else ([], 0)
    if style == "json":
        _print_json(found, unknown, seen, left_out)
    else:
        _print_md(found, unknown, seen, left_out, failures)


def _renamed(names: Sequence[str]) -> dict[str, str]:
    pairs = [name.partition("=") for name in names]
    for (left, equals, right), text in zip(pairs, names, strict=True):
        if not (left and equals and right):
            raise click.UsageError(f"--name '{text}' must be written A=B.")
    return {left: right for left, _, right in pairs}


def _by_image(units: Sequence[Unit], images: Path, model: str, device: str, each: int) -> tuple[list[Seen], int]:
    """What the gallery takes the images for, and how many were left out because they are in it."""
    from rich.console import Console
    from rich.progress import track

    from reason_iad.backbones import load_backbone
    from reason_iad.bench.retrieval_images import classify_images, gallery_of
    from reason_iad.config import InspectorConfig

    backbone, config = load_backbone(model, device=device), InspectorConfig()
    with tempfile.TemporaryDirectory() as folder:
        gallery, known = gallery_of(units, images, backbone, Path(folder) / "gallery", each)
        rows = [(unit.image, unit.category, images / unit.image) for unit in units]
        results = classify_images(
            rows, gallery, backbone, score=config.category_score, margin=config.category_margin, leave_out=known
        )
        bar = track(results, "Images", total=len(rows), console=Console(stderr=True), transient=True)
        seen = [each for each in bar if each is not None]
        return seen, len(rows) - len(seen)


def _summaries(found: Sequence[Found], seen: Sequence[Seen]) -> dict[str, Hits | None]:
    from reason_iad.bench.retrieval import hits

    return {
        "category, question names it": hits([f.category for f in found if f.probe.named], KS),
        "category, question does not name it": hits([f.category for f in found if not f.probe.named], KS),
        "defect entry, question and options": hits([f.entry for f in found if f.probe.entry], KS),
        "category, by image": hits([s.rank for s in seen if s.error is None], KS),
    }


def _print_md(
    found: Sequence[Found], unknown: Sequence[str], seen: Sequence[Seen], left_out: int, failures: int
) -> None:
    click.echo(f"| looked for | n | {' | '.join(f'hit@{k}' for k in KS)} | MRR |")
    click.echo("|---" * (len(KS) + 3) + "|")
    for name, result in _summaries(found, seen).items():
        if result is not None:
            shares = " | ".join(f"{result.at[k]:.3f}" for k in KS)
            click.echo(f"| {name} | {result.count} | {shares} | {result.mrr:.3f} |")
    if seen:
        looked = [s for s in seen if s.error is None]
        decided = [s for s in looked if s.decided is not None]
        right = sum(s.decided == s.category for s in decided)
        click.echo(f"\nBy image, as an inspection decides: {right} right, {len(decided) - right} wrong, "
                   f"{len(looked) - len(decided)} 'category unknown'.")  # fmt: skip
    if left_out:
        click.echo(f"\nLeft out, as they are among the templates: {left_out} images.")
    if unknown:
        click.echo(f"\nNot in the knowledge, left out: {', '.join(sorted(unknown))} (--name A=B).")
    lines = list(_failures(found, seen))
    if failures and lines:
        click.echo("\nFailures:\n")
        for line in lines[:failures]:
            click.echo(f"- {line}")
        if len(lines) > failures:
            click.echo(f"- and {len(lines) - failures} more (--failures)")


def _failures(found: Sequence[Found], seen: Sequence[Seen]) -> Iterator[str]:
    """What was not found where it should be: images, then named categories beyond rank 3, entries, the rest."""
    for s in seen:
        if s.error is not None:
            yield f"{s.image}: {s.error}"
        elif s.rank != 1:
            yield f"{s.image}: taken for {s.first} ({s.score:.3f}), is {s.category} (rank {s.rank})"
    for named in (True, False):
        for f in found:
            if f.probe.named == named and (f.category is None or f.category > 3):
                rank = "not found" if f.category is None else f"rank {f.category}"
                yield f"'{f.probe.text}': category {f.probe.category} {rank}; first {', '.join(f.first)}"
    for f in found:
        if f.probe.entry is not None and (f.entry is None or f.entry > 3):
            rank = "not found" if f.entry is None else f"rank {f.entry}"
            yield f"'{f.probe.text}': entry {f.probe.entry} {rank}"


def _print_json(found: Sequence[Found], unknown: Sequence[str], seen: Sequence[Seen], left_out: int) -> None:
    content: dict[str, Any] = {
        "summary": {k: None if v is None else asdict(v) for k, v in _summaries(found, seen).items()},
        "unknown": list(unknown),
        "questions": [asdict(f) for f in found],
        "images": [asdict(s) for s in seen],
        "left_out": left_out,
    }
    click.echo(json.dumps(content, indent=2, ensure_ascii=False))
