"""What follows from a product: learnt after a change, kept in its cache, learnt anew when it does not fit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol, overload

from reason_iad.errors import MemoryBankError, ProductError
from reason_iad.files import hold

if TYPE_CHECKING:
    from pathlib import Path

    from reason_iad.expert.normality.area import Area
    from reason_iad.expert.normality.expert import ProductExpert
    from reason_iad.expert.normality.looks import Eyes
    from reason_iad.expert.normality.where import Where
    from reason_iad.images import LoadedImage
    from reason_iad.products.product import GoodImage, Product

EXPERT, WHERE = "expert", "where"
"""Folders of the cache."""
LOCK = "learning.lock"
REVISION = 2
"""Raised whenever the same images give another expert."""
WAIT = 600.0
"""Seconds to wait for another process that is learning the same product."""


class Progress(Protocol):
    """Is told how far a step is: what is done, and how much of it."""

    def __call__(self, step: str, done: int, total: int, /) -> None:
        """`done` of `total` things of a step are done."""


def no_progress(step: str, done: int, total: int, /) -> None:
    """Shows nothing."""


def derive(product: Product, progress: Progress = no_progress) -> None:
    """Bring what follows from a product up to date: the expert that knows its good images.

    Raises:
        ImageError: a good image cannot be read any more.
        OutputError: the cache cannot be written.
        ModelError: the encoder cannot be loaded.
    """
    product_where(product, product_expert(product, progress), progress)


def product_expert(product: Product, progress: Progress = no_progress) -> ProductExpert:
    """The expert of a product: read from its cache, or learnt and kept there. One process learns, others wait.

    Raises:
        ProductError: the product has no good image.
        ImageError, OutputError, ModelError: as `derive`.
    """
    from reason_iad.expert.normality.learning import learn
    from reason_iad.expert.normality.storing import load_expert, save_expert, shelves

    if not product.good:
        raise ProductError(f"The product '{product.name}' has no good image; add some with `product add --good`.")
    eyes, area = product_eyes(product), product_area(product)
    folder, wanted = product.cache_dir / EXPERT, learnt_from(product, eyes)
    try:
        return load_expert(folder, eyes, wanted, area)
    except MemoryBankError:
        product.make_cache()
    with ExitStack() as learning:
        learning.callback(hold(product.cache_dir / LOCK, wait=WAIT).release)
        try:  # somebody else may have learnt it while this process waited
            return load_expert(folder, eyes, wanted, area)
        except MemoryBankError:
            pass
        expert = learn(Lazily(product.good), eyes, progress, shelves(folder, len(eyes.sizes)), area)
        save_expert(expert, folder, wanted)
    return load_expert(folder, eyes, wanted, area)


def product_where(product: Product, expert: ProductExpert, progress: Progress = no_progress) -> Where:
    """What finds where parts of a product differ: read from its cache, or learnt and kept there.

    Raises:
        ImageError, OutputError, ModelError: as `derive`.
    """
    wanted = learnt_from(product, expert.eyes)[:16]
    folder = product.cache_dir / WHERE / wanted
    images = [each.sha256 for each in product.good]
    try:
        return kept_where(folder, expert, images)
    except MemoryBankError:
        product.make_cache()
    with ExitStack() as learning:
        learning.callback(hold(product.cache_dir / LOCK, wait=WAIT).release)
        return kept_where(folder, expert, images, Lazily(product.good), progress)


def kept_where(
    folder: Path,
    expert: ProductExpert,
    images: Sequence[str],
    good: Sequence[LoadedImage] | None = None,
    progress: Progress = no_progress,
) -> Where:
    """The memory in a folder, or learnt and kept there.

    Args:
        folder: of the memory; others beside it are of older states, and go.
        expert: of the same good images.
        images: their hashes.
        good: the images themselves; None: nothing is learnt.
        progress: told how far it is.

    Raises:
        MemoryBankError: there is none that fits, and nothing is to be learnt.
        OutputError: it cannot be written.
    """
    import shutil

    from reason_iad.expert.normality.where import fine_encoder, learn_where, load_where, save_where, where_shelf

    area, encoder = expert.area, fine_encoder(expert.eyes.encoders[-1])
    try:
        return load_where(folder, encoder, images, area)
    except MemoryBankError:
        if good is None:
            raise
    shutil.rmtree(folder.parent, ignore_errors=True)
    one_way = len(expert.likeness.turned) > 0
    where = learn_where(_Watched(good, progress), encoder, one_way=one_way, area=area, shelf=where_shelf(folder))
    save_where(where, folder)
    return where


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
    from reason_iad.expert.normality.looks import SIZES, Eyes

    chosen = product.settings.resolution
    sizes = SIZES if chosen is None else (round(0.7 * chosen), chosen)
    return Eyes.of(make_encoder(product.settings.encoder, None), sizes)


def learnt_from(product: Product, eyes: Eyes) -> str:
    """Hash of everything that decides what is learnt: the good images, the encoder and its resolutions."""
    encoders = [encoder.sha256 for encoder in eyes.encoders]
    images = [each.sha256 for each in product.good]
    areas = [None if area is None else area.sha256 for area in (product.settings.inspect, product.settings.ignore)]
    content = json.dumps([REVISION, images, encoders, eyes.sizes, areas])
    return hashlib.sha256(content.encode()).hexdigest()


class _Watched(Sequence["LoadedImage"]):
    """Images of which somebody is told when each is asked for."""

    def __init__(self, images: Sequence[LoadedImage], progress: Progress) -> None:
        self._images, self._progress = images, progress

    def __len__(self) -> int:
        return len(self._images)

    @overload
    def __getitem__(self, number: int) -> LoadedImage: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[LoadedImage]: ...
    def __getitem__(self, number: int | slice) -> LoadedImage | Sequence[LoadedImage]:
        if isinstance(number, int):
            self._progress("good images remembered in detail", number + 1, len(self))
        return self._images[number]


class Lazily(Sequence["LoadedImage"]):
    """Images that are read when they are asked for, so that thousands need no memory."""

    def __init__(self, images: Sequence[GoodImage]) -> None:
        self._images = images

    def __len__(self) -> int:
        return len(self._images)

    @overload
    def __getitem__(self, number: int) -> LoadedImage: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[LoadedImage]: ...
    def __getitem__(self, number: int | slice) -> LoadedImage | Sequence[LoadedImage]:
        from reason_iad.images import load_image

        if isinstance(number, slice):
            return Lazily(self._images[number])
        return load_image(self._images[number].path)
