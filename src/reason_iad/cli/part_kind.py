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
    from reason_iad.cli.job import Job
    from reason_iad.inspection.by_product import PartInspector
    from reason_iad.inspection.many import Inspecting
    from reason_iad.products import Product
    from reason_iad.schema import Inspection

    Opened = tuple[Inspecting, Callable[[Inspection], tuple[Path, ...]]]
    """An inspector, and what tells the good parts that a report shows beside a result."""

_NOT_TOGETHER = ("threshold", "false_alarms", "missed", "good_results", "defect_results")
"""Options that set limits in another way than a product does."""


@dataclass(frozen=True, slots=True)
class ChosenProduct:
    """The product that parts belong to, and when the model is asked.

    Attributes:
        product: it, at the moment when the command began.
        cascade: ask the model only where the comparison is not certain, and about defects.
        remember: keep the scores of parts, so that a drift is noticed.
    """

    product: Product
    cascade: bool
    remember: bool


def product_options(command: F) -> F:
    """Add `--product` and what belongs to it to a command, which receives it as `chosen`."""

    @functools.wraps(command)
    def wrapper(**options: Any) -> Any:
        name, folder = options.pop("product"), options.pop("products")
        use = {each: options.pop(each) for each in ("cascade", "remember")}
        return command(chosen=_chosen(name, folder, **use), **options)

    for each in (
        option(VERDICT, "--cascade/--no-cascade", default=True, show_default=True,
               help="With --product, ask the model only about defects, to explain them, and about parts between or "
               "near the limits. With --no-cascade, ask it about every part."),
        option(VERDICT, "--remember/--no-remember", default=True, show_default=True,
               help="With --product, keep the scores of parts in the product, so that you are told when light, "
               "camera or parts have changed."),
        products_option,
        option(REFERENCES, "--product", metavar="NAME",
               help="A product made with `reason-iad product create`. Its good images, limits and knowledge are "
               "used. If its knowledge is about several kinds of parts, --category says which."),
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
                "Without a language model, parts are compared with good parts. Give --product or --reference."
            )
        return
    if references:
        raise ConfigError("--product has its own good images. Leave out --reference, or leave out --product.")
    context = click.get_current_context()
    source = context.get_parameter_source("check_picture")
    if source is not None and source.name != "DEFAULT":
        raise ConfigError(
            "--check-picture and --no-check-picture cannot be used with --product. A picture that does not show "
            "the product is never judged."
        )
    if engine.config.white is not None:
        raise ConfigError(
            "--white and --product cannot be used together. To change the white of the product, use: reason-iad "
            "product set NAME --white VALUE"
        )
    for name in _NOT_TOGETHER:
        source = context.get_parameter_source(name)
        if source is not None and source.name != "DEFAULT":
            raise ConfigError(
                f"--{name.replace('_', '-')} and --product cannot be used together. To change the limits of the "
                "product, use: reason-iad product set"
            )


def open_inspector(engine: Engine, job: Job) -> Opened:
    """The inspector that follows from the options, and the good parts that a report shows beside a result."""
    if job.server is not None:
        return job.server.open(), stored_pictures(job)
    if job.chosen is None and not engine.detect:
        return engine.load(), stored_pictures(job)
    from reason_iad.inspection.by_product import PartInspector

    if job.chosen is not None:
        return _by_product(engine, job, job.chosen), stored_pictures(job)
    from reason_iad.products.unnamed import unnamed_kind

    with shown_progress() as progress:
        kind = unnamed_kind(job.references, progress, white=engine.config.white)
    return PartInspector(kind, None, category=job.category, config=engine.config), stored_pictures(job)


def _by_product(engine: Engine, job: Job, chosen: ChosenProduct) -> PartInspector:
    """The inspector of a product, with the say that its model was fitted to have."""
    from reason_iad.inspection.by_product import PartInspector
    from reason_iad.products.fitting import Found, find_fit
    from reason_iad.products.judging import part_kind
    from reason_iad.products.watching import ScoreWatch

    product, always = chosen.product, not chosen.cascade
    with shown_progress() as progress:
        kind = part_kind(product, progress)
    engine = with_knowledge(engine, product)
    found = Found(None)
    if not engine.detect:
        found = find_fit(product, kind, engine.model_name, engine.config.sha256(), always=always)
    return PartInspector(
        kind, None if engine.detect else engine.load, always=always, category=job.category, config=engine.config,
        joint=found.joint, advice=found.advice,
        watch=ScoreWatch(product, kind.sha256, kind.left_out) if chosen.remember else None,
    )  # fmt: skip


def with_knowledge(engine: Engine, product: Product) -> Engine:
    """The same engine with the knowledge of a product, unless other knowledge was asked for."""
    if engine.knowledge is None and product.knowledge is not None:
        return replace(engine, knowledge=product.knowledge)
    return engine


def product_of(inspector: Inspecting) -> str | None:
    """What results will say of the good images and the limits they were judged by; None without."""
    from reason_iad.inspection.by_product import PartInspector
    from reason_iad.inspection.conditions import judged_by

    if not isinstance(inspector, PartInspector):
        return None
    kind = inspector.kind
    return judged_by(kind.sha256, kind.limits.pass_below, kind.limits.defect_from, inspector.fit_sha256)


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


def _chosen(name: str | None, folder: Path | None, *, cascade: bool, remember: bool) -> ChosenProduct | None:
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

    return ChosenProduct(Products(folder).open(name), cascade, remember)
