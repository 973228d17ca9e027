"""Commands that look at products: a list, one in full, and its history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from reason_iad.cli.headings import OUTPUT, HeadedCommand, option
from reason_iad.cli.options import products_option
from reason_iad.cli.printing import print_json, print_table, say
from reason_iad.errors import ProductError
from reason_iad.products import Product, Products
from reason_iad.products.editing import by_name, counted
from reason_iad.products.limits import kept_limits
from reason_iad.products.product import sizes
from reason_iad.products.settings import LABELS, in_words

_json = option(OUTPUT, "--json", "as_json", is_flag=True, help="Print JSON.")
_TIME = "%Y-%m-%d %H:%M UTC"


@click.command("list", cls=HeadedCommand)
@products_option
@_json
def list_(products: Path | None, as_json: bool) -> None:
    """List all products."""
    catalogue = Products(products)
    found: list[Product] = []
    for name in catalogue.names():
        try:
            found.append(catalogue.open(name))
        except ProductError as error:  # one that is damaged does not hide the others
            say(str(error))
    if as_json:
        print_json([_facts(product) for product in found])
    elif found:
        print_table(
            ("name", "good images", "defects", "types", "last change"),
            [
                (
                    product.name, str(len(product.state.good)), str(len(product.state.defects)),
                    ", ".join(product.types), f"{product.state.changed:{_TIME}}",
                )
                for product in found
            ],
        )  # fmt: skip
    else:
        say(f"There is no product in '{catalogue.folder}' yet. Make one with 'reason-iad product create'.")


@click.command(cls=HeadedCommand)
@click.argument("name")
@products_option
@_json
def show(name: str, products: Path | None, as_json: bool) -> None:
    """Show what a product holds, and how its parts are judged."""
    product = Products(products).open(name)
    if as_json:
        found = kept_limits(product)
        limits = None if found is None else found.model_dump(mode="json", exclude={"follows_from"})
        print_json({**_facts(product), "settings": product.settings.model_dump(mode="json"), "limits": limits})
        return
    click.echo(click.style(product.name, bold=True))
    for label, text in _rows(product):
        click.echo(f"  {click.style(f'{label:<26}', dim=True)} {text}")


@click.command(cls=HeadedCommand)
@click.argument("name")
@products_option
@_json
def history(name: str, products: Path | None, as_json: bool) -> None:
    """Show the changes of a product, the oldest first."""
    changes = Products(products).open(name).history()
    if as_json:
        print_json([change.model_dump(mode="json", exclude_none=True) for change in changes])
        return
    rows = [(str(change.revision), f"{change.time:{_TIME}}", change.words) for change in changes]
    print_table(("change", "time", "what"), rows)


def _rows(product: Product) -> list[tuple[str, str]]:
    """What a product is, for people."""
    state, settings = product.state, product.settings
    names = [Path(each.file).name for each in state.knowledge]
    rows = [
        ("folder", str(product.folder)),
        (
            "good images",
            f"{len(state.good)}{by_name(each.view for each in state.good)}{_pixels(product)}{_counting(product)}",
        ),
        (
            "labelled defects",
            f"{len(state.defects)}{by_name(each.type for each in state.defects)}{_marked(product)}",
        ),
        *_templates(product),
        ("knowledge", ", ".join(names) or "none"),
        ("asked for", _promise(product)),
        *_limits(product),
    ]
    shown = ("min_size", "scale", "ignore", "inspect", "encoder", "resolution", "details", "orientation")
    rows += [(LABELS[name], in_words(name, getattr(settings, name))) for name in shown]
    if settings.white is not None:
        rows.append((LABELS["white"], f"{in_words('white', settings.white)}, in images with more than 8 bits"))
    changes = product.history()
    last = f": {changes[-1].words}" if changes else ""
    return [*rows, ("last change", f"{state.revision}, {state.changed:{_TIME}}{last}")]


def _templates(product: Product) -> list[tuple[str, str]]:
    """What parts are compared with, if they have templates."""
    if product.template is not None:
        return [("template of all parts", product.template.relative_to(product.folder).as_posix())]
    count = sum(each.template is not None for each in (*product.state.good, *product.state.defects))
    return [("templates", f"each part has its own; {counted(count, 'image')} with one")] if count else []


def _promise(product: Product) -> str:
    """What is asked of the verdict."""
    settings = product.settings
    alarms = f"at most {in_words('false_alarms', settings.false_alarms)} of good parts are called defective"
    if settings.missed is None:
        return f"{alarms}; no limit on defective parts that pass"
    return f"{alarms}, and at most {in_words('missed', settings.missed)} of defective parts pass"


def _limits(product: Product) -> list[tuple[str, str]]:
    """The limits, and what they promise."""
    found = kept_limits(product)
    if found is None:
        return [("limits", "not set yet; the next inspection or `product check` sets them")]
    return [("limits", found.in_words()), ("promise", found.promise)]


def _pixels(product: Product) -> str:
    found = sizes(product.good)
    few = ", ".join(f"{width}x{height}" for width, height in found[:3])
    return f", {few} pixels" if len(found) <= 3 else f", {counted(len(found), 'size')}"


def _counting(product: Product) -> str:
    """How many good images set the limits, where not all do."""
    count = sum(each.counts for each in product.good)
    return "" if count == len(product.good) else f", {count} of them set the limits"


def _marked(product: Product) -> str:
    masks = sum(each.mask is not None for each in product.state.defects)
    boxes = sum(each.box is not None for each in product.state.defects)
    return "".join(f", {number} with {what}" for number, what in ((masks, "a mask"), (boxes, "a box")) if number)


def _facts(product: Product) -> dict[str, Any]:
    """What a product is, for programs."""
    state = product.state
    return {
        "name": product.name,
        "folder": str(product.folder),
        "revision": state.revision,
        "changed": state.changed.isoformat(),
        "state_sha256": product.state_sha256,
        "good": {
            "images": len(state.good),
            "for_limits": sum(each.counts for each in state.good),
            "views": _counts(each.view for each in state.good),
        },
        "defects": {
            "images": len(state.defects),
            "types": _counts(each.type for each in state.defects),
            "masks": sum(each.mask is not None for each in state.defects),
        },
        "templates": len(set(product.templates.values())),
        "knowledge": [Path(each.file).name for each in state.knowledge],
    }


def _counts(names: Iterable[str | None]) -> dict[str, int]:
    return dict(sorted(Counter(name for name in names if name is not None).items()))
