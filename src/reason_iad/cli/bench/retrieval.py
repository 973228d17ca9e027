"""`reason-iad bench retrieval`: how often the right category and entry are found."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reason_iad.cli.checks import check_device, check_model
from reason_iad.cli.headings import INPUT, METHOD, OUTPUT, HeadedCommand, option
from reason_iad.cli.options import device_option, format_option, model_option, threads_option

if TYPE_CHECKING:
    from reason_iad.bench.retrieval import Found, Hits
    from reason_iad.bench.retrieval_images import Seen
    from reason_iad.bench.work import Unit

KS = (1, 3, 5)


@click.command(cls=HeadedCommand)
@option(
    INPUT,
    "--knowledge",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="A folder of knowledge files, a store, or MMAD's domain_knowledge.json. Without it, the knowledge that "
    "comes with the package is used.",
)
@option(
    INPUT,
    "--questions",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="File of questions in the format of MMAD. Without it, questions are made from the knowledge.",
)
@option(
    INPUT,
    "--images",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the images. The names in the questions are relative to it.",
)
@option(
    INPUT,
    "--name",
    "names",
    multiple=True,
    metavar="A=B",
    help="Category A of the questions is called B in the knowledge. Can be given several times.",
)
@option(INPUT, "--limit", type=click.IntRange(min=1), metavar="N", help="Use at most this many images.")
@option(
    METHOD,
    "--by-image",
    is_flag=True,
    help="Also recognise the category by the image. It is compared with the templates of the questions.",
)
@option(
    METHOD,
    "--each",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    metavar="N",
    help="Compare with this many templates per category.",
)
@model_option
@device_option
@threads_option
@option(
    OUTPUT,
    "--failures",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    metavar="N",
    help="List at most this many failures.",
)
@format_option
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
    threads: int | None,
    failures: int,
    format_: str,
) -> None:
    """Measure how often the right knowledge is found.

    Nobody says which category a question or an image belongs to. The tables show how often the right category, and
    the right entry of it, is the first result, and among the first three and five.

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
        raise click.UsageError("--questions and --images go together. Give both, or neither.")
    if by_image and not questions:
        raise click.UsageError("--by-image needs images. Give --questions and --images, too.")
    units: Sequence[Unit] = ()
    if images is not None:
        units = read_units(
            questions, images, shots=int(by_image), limit=limit, tell=lambda note: click.echo(note, err=True)
        )
    store = open_knowledge(knowledge)
    probes, unknown = probes_of(units, store, renamed) if units else (generated_probes(store), [])
    found = look(store, probes)
    seen, left_out = _by_image(units, images, model, device, each) if by_image and images is not None else ([], 0)
    if format_ == "json":
        _print_json(found, unknown, seen, left_out)
    else:
        _print_md(found, unknown, seen, left_out, failures)


def _renamed(names: Sequence[str]) -> dict[str, str]:
    pairs = [name.partition("=") for name in names]
    for (left, equals, right), text in zip(pairs, names, strict=True):
        if not (left and equals and right):
            raise click.UsageError(
                f"--name '{text}' is not of the form A=B. A is its name in the questions, B in the knowledge."
            )
    return {left: right for left, _, right in pairs}


def _by_image(units: Sequence[Unit], images: Path, model: str, device: str, each: int) -> tuple[list[Seen], int]:
    """What the gallery takes the images for, and how many were left out because they are in it."""
    from rich.console import Console
    from rich.progress import track

    from reason_iad.backbones import load_backbone
    from reason_iad.bench.retrieval_images import classify_images, gallery_of
    from reason_iad.config import InspectorConfig
    from reason_iad.expert.encoders import make_encoder

    config = InspectorConfig()
    encoder = make_encoder(config.encoder, load_backbone(model, device=device))
    with tempfile.TemporaryDirectory() as folder:
        gallery, known = gallery_of(units, images, encoder, Path(folder) / "gallery", each)
        rows = [(unit.image, unit.category, images / unit.image) for unit in units]
        results = classify_images(
            rows, gallery, encoder, score=config.category_score, margin=config.category_margin, leave_out=known
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
