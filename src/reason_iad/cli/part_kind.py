"""Options of `inspect` that choose a product, and the inspector that follows from all options."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reason_iad.cli.headings import REFERENCES, VERDICT, F, option
from reason_iad.cli.options import products_option
from reason_iad.cli.printing import shown_progress
from reason_iad.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from reason_iad.cli.engine import Engine
    from reason_iad.cli.inspect import Job
    from reason_iad.inspection.many import Inspecting
    from reason_iad.products import Product
    from reason_iad.schema import Inspection

_NOT_TOGETHER = ("threshold", "false_alarms", "missed", "good_results", "defect_results")
"""Options that set limits in another way than a product does."""


@dataclass(frozen=True, slots=True)
class ChosenProduct:
    """The product that parts belong to, and when the model is asked.

    Attributes:
        product: it, at the moment when the command began.
        cascade: ask the model only where the comparison is not certain, and about defects.
    """

    product: Product
    cascade: bool


def product_options(command: F) -> F:
    """Add `--product`, `--products` and `--cascade` to a command, which receives them as `chosen`."""

    @functools.wraps(command)
    def wrapper(**options: Any) -> Any:
        name, folder = options.pop("product"), options.pop("products")
        cascade = options.pop("cascade")
        return command(chosen=_chosen(name, folder, cascade=cascade), **options)

    for each in (
        option(VERDICT, "--cascade/--no-cascade", default=True, show_default=True,
               help="With --product, ask the model only about doubtful parts and about defects. With --no-cascade, "
               "ask it about every part."),
        products_option,
        option(REFERENCES, "--product", metavar="NAME",
               help="The product that the parts belong to. Its good images, limits and knowledge are used. "
               "Make one with: reason-iad product create"),
    ):  # fmt: skip
        wrapper = each(wrapper)
    return wrapper  # type: ignore[return-value]


def check_choice(chosen: ChosenProduct | None, engine: Engine, references: tuple[Path, ...]) -> None:
    """Refuse options that do not go together.

    Raises:
        ConfigError: they do not.
    """
    if chosen is None:
        if engine.detect and not references:
            raise ConfigError(
                "--method detect compares with good parts and asks no model. Give --product or --reference."
            )
        return
    if references:
        raise ConfigError("--product has its own good images. Leave out --reference, or leave out --product.")
    context = click.get_current_context()
    for name in _NOT_TOGETHER:
        source = context.get_parameter_source(name)
        if source is not None and source.name != "DEFAULT":
            raise ConfigError(
                f"--{name.replace('_', '-')} and --product cannot be used together. To change the limits of the "
                "product, use: reason-iad product set"
            )


def open_inspector(engine: Engine, job: Job) -> tuple[Inspecting, Callable[[Inspection], tuple[Path, ...]]]:
    """The inspector that follows from the options, and the good parts that a report shows beside a result."""
    if job.chosen is None and not engine.detect:
        return engine.load(), stored_pictures(job)
    from reason_iad.inspection.by_product import PartInspector

    with shown_progress() as progress:
        if job.chosen is None:
            from reason_iad.products.unnamed import unnamed_kind

            kind, always = unnamed_kind(job.references, progress), False
        else:
            from reason_iad.products.judging import part_kind

            kind, always = part_kind(job.chosen.product, progress), not job.chosen.cascade
            if engine.knowledge is None and job.chosen.product.knowledge is not None:
                engine = replace(engine, knowledge=job.chosen.product.knowledge)
    model = None if engine.detect else engine.load
    inspector = PartInspector(kind, model, always=always, category=job.category, config=engine.config)

    return inspector, stored_pictures(job)


def stored_pictures(job: Job) -> Callable[[Inspection], tuple[Path, ...]]:
    """The good parts and the known defect that a report shows beside a result."""
    if job.chosen is None:
        return lambda _: job.references
    good = {each.sha256: each.path for each in job.chosen.product.good}
    files = good | {each.sha256: each.path for each in job.chosen.product.defects}

    def shown(result: Inspection) -> tuple[Path, ...]:
        used = [each.sha256 for each in result.evidence.references]
        product = result.evidence.product
        beside = () if product is None else (product.example, product.good_place)
        names = dict.fromkeys((*used, *(each.sha256 for each in beside if each is not None)))
        return tuple(files[name] for name in names if name in files)

    return shown


def _chosen(name: str | None, folder: Path | None, *, cascade: bool) -> ChosenProduct | None:
    """The product of that name.

    Raises:
        ProductError: there is none, or it is damaged.
        ConfigError: a folder of products was named, but no product.
    """
    if name is None:
        if folder is not None:
            raise ConfigError("--products names a folder of products. Say which one with --product NAME.")
        return None
    from reason_iad.products import Products

    return ChosenProduct(Products(folder).open(name), cascade)
