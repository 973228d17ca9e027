"""From a product to its inspector: what it learnt, its limits, its knowledge, and the say of its model.

    from reason_iad import product_inspector
    from reason_iad.products import Products

    inspector = product_inspector(Products().open("bracket"))
    print(inspector.inspect("part.png").verdict)

A product may change while its inspector is used. The inspector stays as it is: make a new one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from reason_iad.config import InspectorConfig
from reason_iad.inspection.by_product import PartInspector
from reason_iad.products.fitting import Found, find_fit
from reason_iad.products.judging import part_kind
from reason_iad.products.learning import Progress, no_progress
from reason_iad.products.watching import ScoreWatch

if TYPE_CHECKING:
    from reason_iad.inspection.inspector import Inspector
    from reason_iad.products import Product


def product_inspector(
    product: Product,
    model: str | None = None,
    *,
    config: InspectorConfig | None = None,
    category: str | None = None,
    always: bool = False,
    remember: bool = False,
    load: Callable[[], Inspector] | None = None,
    progress: Progress = no_progress,
) -> PartInspector:
    """The inspector of a product, as the product is now. Threads may share it.

    What follows from the good images is computed first where it is not in the cache of the product.

    Args:
        product: the product.
        model: asked about doubtful parts and defects, as `Inspector.from_pretrained` takes it; where `load` is
            given, as results name it. None: no model is ever asked.
        config: how the model is asked.
        category: of the knowledge; None: the name of the product, if the knowledge has it.
        always: ask the model about every part that can be judged.
        remember: keep the scores of parts in the product, so that a change of light, camera or parts is told.
        load: loads the model when it is first needed; None: with the usual options and the product's knowledge.
        progress: told how far it is, where something has to be learnt first.

    Raises:
        ProductError: the product has no good image.
        ConfigError: its limits are not possible with the images that it has.
        ImageError, OutputError, ModelError: an image, the cache or the encoder cannot be used.
    """
    config = InspectorConfig() if config is None else config
    kind = part_kind(product, progress, align=config.align)
    found = Found(None) if model is None else find_fit(product, kind, model, config.sha256(), always=always)
    return PartInspector(
        kind,
        None if model is None else load or partial(_loaded, product, model, config),
        always=always,
        category=category,
        config=config,
        joint=found.joint,
        advice=found.advice,
        watch=ScoreWatch(product, kind.sha256, kind.left_out) if remember else None,
    )


def _loaded(product: Product, model: str, config: InspectorConfig) -> Inspector:
    from reason_iad.inspection.inspector import Inspector

    return Inspector.from_pretrained(model, knowledge=product.knowledge, config=config)
