"""A copy of a product on which a change is tried. The product itself stays as it is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from reason_iad.errors import OutputError
from reason_iad.files import hold
from reason_iad.products.learning import LOCK, WAIT
from reason_iad.products.product import Product
from reason_iad.products.storing import CACHE, HISTORY, STATE


@contextmanager
def trial_copy(product: Product, parent: Path | None = None) -> Iterator[Product]:
    """A copy of a product for the time of a block, with what was learnt of it.

    Pictures are linked where that is possible: files of a product are written once and never changed.

    Args:
        product: the product; its present state is copied.
        parent: an existing folder in which the copy is made; None: that of temporary files.

    Raises:
        ProductError: the product is damaged.
        OutputError: the copy cannot be written.
    """
    with ExitStack() as held:
        try:
            place = held.enter_context(TemporaryDirectory(dir=parent, prefix="trial-"))
            made = _copied(product, Path(place) / product.name)
        except OSError as error:
            said = error.strerror or error
            raise OutputError(f"No copy can be made of the product: {said}. Check the disk.") from None
        yield made


def _copied(product: Product, folder: Path) -> Product:
    folder.mkdir()
    present = Product.read(product.folder)
    for record in present.state.files():
        target = folder / record.file
        target.parent.mkdir(parents=True, exist_ok=True)
        _link(product.folder / record.file, target)
    if product.cache_dir.is_dir():
        with ExitStack() as held:  # not while somebody is learning
            held.callback(hold(product.cache_dir / LOCK, wait=WAIT).release)
            shutil.copytree(product.cache_dir, folder / CACHE, ignore=shutil.ignore_patterns("*.lock"))
    (folder / STATE).write_text(present.state.text(), encoding="utf-8")
    if (product.folder / HISTORY).exists():
        shutil.copyfile(product.folder / HISTORY, folder / HISTORY)
    return Product.read(folder)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        shutil.copyfile(source, target)
