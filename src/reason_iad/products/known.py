"""What is known of the labelled defects of a product: learnt after a change, kept in its cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, overload

from reason_iad.errors import MemoryBankError
from reason_iad.files import hold
from reason_iad.products.deriving import good_pictures
from reason_iad.products.learning import LOCK, WAIT, Progress, no_progress

if TYPE_CHECKING:
    from reason_iad.expert.normality.example_learning import Labelled
    from reason_iad.expert.normality.examples import KnownDefects
    from reason_iad.expert.normality.expert import ProductExpert
    from reason_iad.products.product import DefectImage, Product

KNOWN = "known"
"""Folder of the cache."""
REVISION = 2
"""Raised whenever the same labelled defects give something else."""


def known_defects(
    product: Product, expert: ProductExpert, learnt: str, progress: Progress = no_progress
) -> KnownDefects | None:
    """What is known of labelled defects: read from the cache, or learnt and kept there. One process learns.

    Args:
        product: the product.
        expert: of its good images.
        learnt: hash of what the expert was learnt from.
        progress: told how far it is.

    Returns:
        None if the product has no labelled defect.

    Raises:
        ImageError: a picture or a mask cannot be read any more.
        OutputError: the cache cannot be written.
    """
    from reason_iad.expert.normality.example_learning import learn_defects
    from reason_iad.expert.normality.example_storing import Label, load_defects, save_defects

    if not product.defects:
        return None
    folder, wanted = product.cache_dir / KNOWN, known_from(product, learnt)
    labels = [Label(each.sha256, each.path.name, each.type, each.added) for each in product.defects]
    spaces = tuple(level.space for level in expert.levels)
    try:
        return load_defects(folder, spaces, wanted, labels)
    except MemoryBankError:
        product.make_cache()
    with ExitStack() as learning:
        learning.callback(hold(product.cache_dir / LOCK, wait=WAIT).release)
        try:  # somebody else may have learnt it while this process waited
            return load_defects(folder, spaces, wanted, labels)
        except MemoryBankError:
            pass
        labelled = _Labelled(product.defects, product.settings.white)
        known = learn_defects(expert, labelled, good_pictures(product), progress)
        save_defects(known, folder, wanted)
    return load_defects(folder, spaces, wanted, labels)


def known_from(product: Product, learnt: str) -> str:
    """Hash of everything that decides what is learnt of labelled defects: their pictures, types and places."""
    state = product.state.defects
    defects = [(each.sha256, each.type, each.mask and each.mask.sha256, str(each.box or "")) for each in state]
    return hashlib.sha256(json.dumps([REVISION, learnt, defects]).encode()).hexdigest()


class _Labelled(Sequence["Labelled"]):
    """Labelled defects that are read when they are asked for."""

    def __init__(self, images: Sequence[DefectImage], white: float | None) -> None:
        self._images, self._white = images, white

    def __len__(self) -> int:
        return len(self._images)

    @overload
    def __getitem__(self, number: int) -> Labelled: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Labelled]: ...
    def __getitem__(self, number: int | slice) -> Labelled | Sequence[Labelled]:
        from reason_iad.expert.normality.example_learning import Labelled
        from reason_iad.expert.normality.example_places import boxed
        from reason_iad.images import load_image
        from reason_iad.products.gathering import marked_pixels

        if isinstance(number, slice):
            return _Labelled(self._images[number], self._white)
        each = self._images[number]
        marked = None if each.mask is None else marked_pixels(each.mask)
        if marked is None and each.box is not None:
            marked = boxed((each.box.x1, each.box.y1, each.box.x2, each.box.y2), each.width, each.height)
        return Labelled(load_image(each.path, white=self._white), each.type, each.added, marked)
