"""Options of `inspect` that choose a product, and the inspector that follows from all options."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reason_iad.cli.headings import REFERENCES, VERDICT, F, option
from reason_iad.cli.options import products_option
from reason_iad.cli.printing import say, shown_progress
from reason_iad.cli.values import ExistingPath
from reason_iad.errors import ConfigError, OutputError, ProductError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reason_iad.cli.engine import Engine
    from reason_iad.cli.job import Job
    from reason_iad.inspection.by_product import PartInspector
    from reason_iad.inspection.many import Inspecting
    from reason_iad.inspection.templated import TemplatedInspector
    from reason_iad.products import Product
    from reason_iad.products.templates import GivenTemplates
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
        templates: of the parts; None: the product has one for all, or none.
    """

    product: Product
    cascade: bool
    remember: bool
    templates: GivenTemplates | None = None


def product_options(command: F) -> F:
    """Add `--product` and what belongs to it to a command, which receives it as `chosen`."""

    @functools.wraps(command)
    def wrapper(**options: Any) -> Any:
        name, folder = options.pop("product"), options.pop("products")
        use = {each: options.pop(each) for each in ("cascade", "remember", "template")}
        return command(chosen=_chosen(name, folder, **use), **options)

    for each in (
        option(VERDICT, "--cascade/--no-cascade", default=True, show_default=True,
               help="With --product, ask the model only about defects, to explain them, and about parts between or "
               "near the limits. With --no-cascade, ask it about every part."),
        option(VERDICT, "--remember/--no-remember", default=True, show_default=True,
               help="With --product, keep the scores of parts in the product, so that you are told when light, "
               "camera or parts have changed."),
        products_option,
        option(REFERENCES, "--template", type=ExistingPath(), metavar="FILE|DIR",
               help="With --product, compare each part with its own template. It is the file of the same name in "
               "this folder, whatever its ending. One file is the template of all parts."),
        option(REFERENCES, "--product", metavar="NAME",
               help="A product made with `reason-iad product create`. Its good images, limits and knowledge are "
               "used. If its knowledge is about several kinds of parts, --category says which."),
    ):  # fmt: skip
        wrapper = each(wrapper)
    return wrapper  # type: ignore[return-value]


def check_choice(
    chosen: ChosenProduct | None, engine: Engine, references: tuple[Path, ...], parts: tuple[Path, ...]
) -> None:
    """Refuse options that do not go together.

    Raises:
        ConfigError: they do not.
        ProductError: a part has no template, and it needs one.
    """
    if chosen is None:
        if engine.detect and not references:
            raise ConfigError(
                "Without a language model, parts are compared with good parts. Give --product or --reference."
            )
        return
    if references:
        raise ConfigError("--product has its own good images. Leave out --reference, or leave out --product.")
    check_templates(chosen, parts)
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


def check_templates(chosen: ChosenProduct, parts: tuple[Path, ...]) -> None:
    """Refuse parts without a template where they need one, and templates where there are none.

    Raises:
        ProductError: a part has none, or the product has none.
    """
    product = chosen.product
    if chosen.templates is None and product.needs_templates:
        raise ProductError(
            f"Each part of '{product.name}' has its own template. Say where they are with --template: a folder "
            "with a file of the same name for each part, or the template of all of them."
        )
    if chosen.templates is not None and not product.templates:
        raise ProductError(
            f"'{product.name}' has no templates, so it is not known how much parts may differ from one. Give its "
            f"good images theirs with: reason-iad product add {product.name} --good DIR --template DIR"
        )
    if chosen.templates is not None:
        chosen.templates.required(parts)


def require_same_templates(chosen: ChosenProduct | None, results: Iterable[Inspection], log: Path) -> None:
    """Make sure that parts that are in a log already were compared with the templates that are given now.

    Args:
        chosen: the product; None: there are no templates.
        results: what is in the log.
        log: its file.

    Raises:
        OutputError: a part was compared with another template.
    """
    from reason_iad.files import file_sha256
    from reason_iad.images import printable

    if chosen is None or not chosen.product.templates:
        return
    for result in results:
        product, file = result.evidence.product, _template_file(chosen, result.image.name)
        if product is None or product.template is None or file is None:
            continue
        if product.template.sha256 != file_sha256(file):
            raise OutputError(
                f"'{printable(log)}' was made with other templates: that of '{result.image.name}' was "
                f"'{product.template.name}'. Resume with the same, or choose another file."
            )


def open_inspector(engine: Engine, job: Job) -> Opened:
    """The inspector that follows from the options, and the good parts that a report shows beside a result."""
    if job.server is not None:
        return job.server.open(), job.server.beside
    if job.chosen is None and not engine.detect:
        return engine.load(), stored_pictures(job)
    from reason_iad.inspection.by_product import PartInspector

    if job.chosen is not None:
        return _by_product(engine, job, job.chosen), stored_pictures(job)
    from reason_iad.products.unnamed import unnamed_kind

    with shown_progress() as progress:
        kind = unnamed_kind(job.references, progress, white=engine.config.white)
    return PartInspector(kind, None, category=job.category, config=engine.config), stored_pictures(job)


def _by_product(engine: Engine, job: Job, chosen: ChosenProduct) -> PartInspector | TemplatedInspector:
    """The inspector of a product, with the say that its model was fitted to have."""
    from reason_iad.inspection.templated import TemplatedInspector
    from reason_iad.product_inspectors import product_inspector

    engine = with_knowledge(engine, chosen.product)
    with shown_progress() as progress:
        parts = product_inspector(
            chosen.product, None if engine.detect else engine.model_name, config=engine.config,
            category=job.category, always=not chosen.cascade, remember=chosen.remember, load=engine.load,
            progress=progress,
        )  # fmt: skip
    return parts if chosen.templates is None else TemplatedInspector(parts, chosen.templates.of)


def with_knowledge(engine: Engine, product: Product) -> Engine:
    """The same engine with the knowledge of a product, unless other knowledge was asked for."""
    if engine.knowledge is None and product.knowledge is not None:
        return replace(engine, knowledge=product.knowledge)
    return engine


def product_of(inspector: Inspecting) -> str | None:
    """What results will say of the good images and the limits they were judged by; None without."""
    from reason_iad.inspection.by_product import PartInspector
    from reason_iad.inspection.conditions import judged_by
    from reason_iad.inspection.templated import TemplatedInspector

    if isinstance(inspector, TemplatedInspector):
        inspector = inspector.parts
    if not isinstance(inspector, PartInspector):
        return None
    kind = inspector.kind
    return judged_by(kind.sha256, kind.limits.pass_below, kind.limits.defect_from, inspector.fit_sha256)


def stored_pictures(job: Job) -> Callable[[Inspection], tuple[Path, ...]]:
    """The good parts and the known defect that a report shows beside a result."""
    if job.chosen is None:
        return lambda _: job.references
    chosen = job.chosen

    def shown(result: Inspection) -> tuple[Path, ...]:
        from reason_iad.products.shown import shown_beside

        return shown_beside(chosen.product, result, _template_file(chosen, result.image.name))

    return shown


def _template_file(chosen: ChosenProduct, part: str) -> Path | None:
    """The template of a part, by its name."""
    return chosen.product.template if chosen.templates is None else chosen.templates.of(part)


def _chosen(
    name: str | None, folder: Path | None, *, cascade: bool, remember: bool, template: Path | None
) -> ChosenProduct | None:
    """The product of that name.

    Raises:
        ProductError: there is none, or it is damaged.
        ConfigError: a folder of products, or a template, was given, but no product.
    """
    if name is None:
        if folder is not None:
            raise ConfigError("--products names a folder of products. Say which one with --product NAME.")
        if template is not None:
            raise ConfigError(
                "--template belongs to --product: the good images of a product say how much parts may differ from "
                "their template. Make one with: reason-iad product create NAME --good DIR --template DIR"
            )
        return None
    from reason_iad.products import Products
    from reason_iad.products.templates import find_templates

    product, templates = Products(folder).open(name), None if template is None else find_templates(template, say)
    return ChosenProduct(product, cascade, remember, templates)
