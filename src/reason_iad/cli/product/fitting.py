"""`reason-iad product fit`: gives a model a say in the verdicts of a product."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reason_iad.cli.engine import Engine
from reason_iad.cli.headings import HeadedCommand
from reason_iad.cli.options import engine_options_of_product, products_option
from reason_iad.cli.part_kind import with_knowledge
from reason_iad.cli.printing import say, shown_progress
from reason_iad.config import InspectorConfig
from reason_iad.errors import ConfigError
from reason_iad.products import Product, Products

if TYPE_CHECKING:
    from reason_iad.expert.joint import Scored
    from reason_iad.products import Progress

ENOUGH = 3
"""Parts after which it can be said how long it takes."""


@click.command(cls=HeadedCommand)
@click.argument("name")
@products_option
@engine_options_of_product
def fit(name: str, products: Path | None, engine: Engine) -> None:
    """Let a model have a say in the verdicts of a product.

    The model is asked about good parts, about defects drawn on them, and about the labelled
    defects. This takes minutes to hours, and can be interrupted: run the command again to go on.

    \b
    reason-iad product fit bracket --model Qwen/Qwen2.5-VL-7B-Instruct
    reason-iad inspect new/ --product bracket --model Qwen/Qwen2.5-VL-7B-Instruct
    """
    if engine.detect:
        raise ConfigError("With --model none, there is none to fit. Name the model that is to have a say.")
    fit_to(Products(products).open(name), engine)


def fit_embedded(product: Product) -> None:
    """Fit the embedded model, as it is asked without further options."""
    fit_to(product, Engine("nano", None, None, "auto", "auto", InspectorConfig()))


def fit_to(product: Product, engine: Engine) -> None:
    """Fit the model of an engine to a product, show how far it is, and say what it brings."""
    from reason_iad.inspection.by_product import PartInspector
    from reason_iad.inspection.jointly import prompted_by
    from reason_iad.products.fitting import begin_of, fit_model, require_say
    from reason_iad.products.judging import part_kind

    with shown_progress() as progress:
        kind = part_kind(product, progress)
        require_say(kind)  # before a model is loaded
        inspector = with_knowledge(engine, product).load()
        asking = PartInspector(kind, lambda: inspector, config=engine.config)
        begin = begin_of(product, kind, engine.model_name, engine.config.sha256(), prompted_by(inspector.setup))
        found = fit_model(
            product, kind, begin,
            lambda image, judgement, hidden: asking.says(image, judgement, [hidden]),
            announcing(progress),
        )  # fmt: skip
    count = len(found.good) + len(found.defective)
    say(f"{product.name}: {engine.model_name} was fitted with {count} parts.")
    say(in_words(found))


def announcing(progress: Progress) -> Progress:
    """The same progress, and how long it will take as soon as that can be told."""
    began: list[tuple[float, int]] = []

    def show(step: str, done: int, total: int, /) -> None:
        progress(step, done, total)
        if not began and done:
            say(f"Going on: {done} of {total} parts were asked about before.")
        began.append((time.monotonic(), done))
        if len(began) == ENOUGH + 1 and done < total:
            each = (began[-1][0] - began[0][0]) / ENOUGH
            say(f"This takes about {lasting(each * (total - done))}. You may interrupt it, and go on later.")

    return show


def lasting(seconds: float) -> str:
    """A time for people, rounded up."""
    if seconds < 100:
        return f"{seconds:.0f} seconds" if seconds >= 1.5 else "a second"
    minutes = -(-seconds // 60)
    return f"{minutes:.0f} minutes" if minutes < 100 else f"{-(-minutes // 60):.0f} hours"


def in_words(found: Scored) -> str:
    """What the fit brings."""
    alone, both = (f"{100 * each:.1f} %" for each in (found.separation_alone, found.separation))
    if not found.helps:
        return (
            "It does not help to tell these defects from good parts, so the comparison decides alone. The model "
            "is still asked for type and explanation."
        )
    return (
        f"Of a good and a defective one of these parts, comparison and model together find the defective one in "
        f"{both} of cases; the comparison alone in {alone}. They now decide together where the comparison is not "
        "certain."
    )
