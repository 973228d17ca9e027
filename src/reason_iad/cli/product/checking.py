"""The command that checks a product: its pictures, its limit, and what it finds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reason_iad.cli.checks import check_output
from reason_iad.cli.headings import OUTPUT, HeadedCommand, option
from reason_iad.cli.options import products_option
from reason_iad.cli.printing import print_json, say, shown_progress
from reason_iad.products import Product, Products
from reason_iad.products.editing import by_name, counted

if TYPE_CHECKING:
    from reason_iad.products.checking import ProductCheck, Remark
    from reason_iad.products.detected import Detection
    from reason_iad.report.check import CheckPage, Curve

_NAMED = 5
"""Pictures that are named on the screen for each remark, at most."""


@click.command(cls=HeadedCommand)
@click.argument("name")
@products_option
@option(OUTPUT, "--json", "as_json", is_flag=True, help="Print JSON.")
@option(
    OUTPUT, "--report", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.html",
    help="Write a page with plots, and with the pictures that somebody should look at.",
)  # fmt: skip
def check(name: str, products: Path | None, as_json: bool, report: Path | None) -> None:
    """Check the pictures of a product, and test what is found.

    Defects are drawn on its good images and looked for. That shows from which size on they are found. It takes
    about half a minute the first time.
    """
    from reason_iad.products.checking import check_product

    product = Products(products).open(name)
    if report is not None:
        check_output(report, ())
    with shown_progress() as progress:
        done = check_product(product, progress)
    if as_json:
        print_json(done.model_dump(mode="json"))
    else:
        click.echo(click.style(product.name, bold=True))
        for title, sentences in _sections(done):
            click.echo(f"\n{click.style(title, bold=True)}")
            for sentence in sentences:
                click.echo(f"  {sentence}")
    if report is not None:
        from reason_iad.report.check import save_check

        save_check(_page(product, done), report)
        say(f"Report: {report}")


def _sections(done: ProductCheck) -> Iterator[tuple[str, list[str]]]:
    """What the screen shows: titles, and sentences below."""
    yield "What it has", list(_has(done))
    yield (
        "Pictures to look at",
        [_remark(each) for each in done.remarks] or ["Nothing is wrong with the good pictures."],
    )
    yield "What is found", list(_finds(done))
    yield "The limit", [done.promise]
    if done.advice:
        yield "What would help most", [f"{number}. {each}" for number, each in enumerate(done.advice, 1)]


def _has(done: ProductCheck) -> Iterator[str]:
    views = by_name(view or None for view, count in done.views.items() for _ in range(count))
    yield f"{counted(done.good, 'good picture')}{views}."
    if done.counted < done.good:
        yield f"{done.counted} of them set the limits. The others were doubtful parts that a person called good."
    if done.labelled:
        types = by_name(each.type for each in done.labelled for _ in range(each.images))
        yield f"{counted(sum(each.images for each in done.labelled), 'labelled defect')}{types}."
    else:
        yield "No labelled defects."
    yield from done.compared


def _finds(done: ProductCheck) -> Iterator[str]:
    for known in done.labelled:
        images = counted(known.images, "labelled defect")
        yield f"{known.found} of {images} of the type '{known.type}' {'is' if known.found == 1 else 'are'} found."
    yield from (each.words for each in done.detection)
    if done.detection:
        found, marked = sum(each.found for each in done.detection), sum(each.marked for each in done.detection)
        drawn = sum(each.drawn for each in done.detection)
        yield (
            f"{drawn} plainly visible defects were drawn on good pictures, {found} were found, and {marked} "
            "of these were marked at the right place. Real defects can be harder to see, or easier."
        )
    if done.untested:
        yield f"There was no self-test. {done.untested}"


def _remark(remark: Remark) -> str:
    named = [
        image if like is None else f"{image} (like {like})"
        for image, like in zip(remark.images[:_NAMED], remark.like, strict=False)
    ]
    more = len(remark.images) - len(named)
    return f"{remark.words} {', '.join(named)}{f' and {more} more' if more > 0 else ''}"


def _page(product: Product, done: ProductCheck) -> CheckPage:
    """What the report shows."""
    from reason_iad.report.check import CheckPage, Scores
    from reason_iad.report.check import Remark as Shown

    remarks = tuple(
        Shown(
            each.words,
            tuple(
                (product.folder / image, image if like is None else f"{image}, like {like}")
                for image, like in zip(each.images, each.like, strict=True)
            ),
        )
        for each in done.remarks
    )
    spoken = {each.words for each in done.detection}
    return CheckPage(
        name=product.name, has=tuple(_has(done)), advice=done.advice,
        finds=tuple(each for each in _finds(done) if each not in spoken),
        curves=tuple(_curve(each, done.scale) for each in done.detection), promise=done.promise,
        scores=Scores(done.good_scores, done.defect_scores, done.pass_below, done.defect_from), remarks=remarks,
        white=product.settings.white,
    )  # fmt: skip


def _curve(found: Detection, scale: float | None) -> Curve:
    """A curve in millimetres, if the scale is known; else in pixels."""
    from reason_iad.report.check import Curve

    unit = 1.0 if scale is None else scale
    return Curve(
        title=found.kind, words=found.words, unit="pixels" if scale is None else "mm",
        points=tuple((each.size * unit, each.pod, each.low, each.high) for each in found.curve),
        sizes=tuple(size * unit for size in found.sizes), hits=found.hits,
        promised=None if found.a90_95 is None else found.a90_95 * unit,
    )  # fmt: skip
