"""What follows from a product: learnt after a change, kept in its cache, learnt anew when it does not fit."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from reason_iad.errors import ProductError
from reason_iad.products.learning import Lazily, Learning, Progress, kept_expert, kept_where, no_progress

if TYPE_CHECKING:
    from reason_iad.expert.normality.area import Area
    from reason_iad.expert.normality.expert import ProductExpert
    from reason_iad.expert.normality.looks import Eyes
    from reason_iad.expert.normality.where import Where
    from reason_iad.products.product import Product

REVISION = 4
"""Raised whenever the same images give another expert."""


def product_expert(product: Product, progress: Progress = no_progress) -> ProductExpert:
    """The expert of a product: read from its cache, or learnt and kept there.

    Raises:
        ProductError: the product has no good image.
        ImageError, OutputError, ModelError: as `judging.part_kind`.
    """
    if not product.good:
        raise ProductError(f"The product '{product.name}' has no good image; add some with `product add --good`.")
    return kept_expert(_learning(product, product_eyes(product)), progress)


def product_where(product: Product, expert: ProductExpert, progress: Progress = no_progress) -> Where:
    """What finds where parts of a product differ: read from its cache, or learnt and kept there.

    Raises:
        ImageError, OutputError, ModelError: as `judging.part_kind`.
    """
    return kept_where(_learning(product, expert.eyes), expert, progress)


def _learning(product: Product, eyes: Eyes) -> Learning:
    """What is learnt of a product, and where it is kept."""
    return Learning(
        files={each.sha256: each.path for each in product.good},
        eyes=eyes,
        area=product_area(product),
        learnt_from=learnt_from(product, eyes),
        folder=product.cache_dir,
        prepare=product.make_cache,
        white=product.settings.white,
        orientation=product.settings.orientation,
        how=_how(product, eyes),
        exceptions=_exceptions(product),
    )


def product_area(product: Product) -> Area:
    """What counts of a picture: the area to inspect, without the area to ignore.

    Raises:
        ImageError: an area cannot be read any more.
    """
    from reason_iad.expert.normality.area import EVERYWHERE, Area
    from reason_iad.products.gathering import marked_pixels

    area = EVERYWHERE if product.inspect is None else Area(marked_pixels(product.inspect))
    return area if product.ignore is None else area.without(marked_pixels(product.ignore))


def product_eyes(product: Product) -> Eyes:
    """The encoder of a product, at its resolutions.

    Raises:
        ModelError: the encoder cannot be loaded.
        ConfigError: there is none of that name, or it is part of a model.
    """
    from reason_iad.expert.encoders import make_encoder
    from reason_iad.expert.normality.looks import SIZES, Eyes, detail_size

    chosen, details = product.settings.resolution, product.settings.details
    sizes = SIZES if chosen is None else (round(0.7 * chosen), chosen)
    pictures = [] if details == "off" else [(each.width, each.height) for each in product.good]
    detail = detail_size(pictures, sizes[-1], always=details == "on")
    return Eyes.of(make_encoder(product.settings.encoder, None), sizes, detail)


def learnt_from(product: Product, eyes: Eyes) -> str:
    """Hash of everything that decides what is learnt: good images, encoder, resolutions, areas, orientation, and
    which images say nothing about what is usual."""
    images, exceptions = [each.sha256 for each in product.good], sorted(_exceptions(product))
    content = [images, product.settings.orientation, _how(product, eyes), *([exceptions] if exceptions else [])]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _how(product: Product, eyes: Eyes) -> str:
    """Hash of everything that decides what is seen of one image."""
    settings = product.settings
    encoders = [encoder.sha256 for encoder in eyes.encoders]
    areas = [None if area is None else area.sha256 for area in (settings.inspect, settings.ignore)]
    content = json.dumps([REVISION, encoders, eyes.sizes, areas, settings.white])
    return hashlib.sha256(content.encode()).hexdigest()


def _exceptions(product: Product) -> frozenset[str]:
    """Hashes of good images that do not count for the limits: people were asked about them in doubt."""
    return frozenset(each.sha256 for each in product.good if not each.counts)


def good_pictures(product: Product) -> Lazily:
    """The good images of a product, each read when it is asked for."""
    return Lazily({each.sha256: each.path for each in product.good}, product.settings.white)
