"""Copies of products that are kept elsewhere: one folder per state, since the one before may be in use."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from reason_iad.errors import ProductError
from reason_iad.files import Held, hold
from reason_iad.products import Product, Products
from reason_iad.service.faults import Unavailable

KEPT = 3
"""States of a product that are kept: one in use, one that is learnt, and one that has just come."""
WAIT_S = 300.0
"""Seconds to wait for another process that takes the same product."""


class ProductCopies:
    """A folder of copies; several processes may use it.

    Args:
        folder: where they are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def states(self, name: str) -> list[str]:
        """Hashes of the states that are here."""
        try:
            return [each.name for each in (self._folder / name).iterdir() if (each / name).is_dir()]
        except OSError:
            return []

    def take(self, name: str, state: str, archive: Path | None) -> Product:
        """A product in a state.

        Args:
            name: of the product.
            state: its hash.
            archive: the exported product; None: it is here.

        Raises:
            Unavailable: it is not here, or what came is another state.
            ProductError: the archive cannot be used.
            OutputError: it cannot be written.
        """
        place = self._folder / name / state
        place.mkdir(parents=True, exist_ok=True)
        try:
            lock = hold(self._folder / name / "copies", wait=WAIT_S)
        except Held:
            raise Unavailable(f"Another process has been taking the product '{name}' for long.") from None
        try:
            copies = Products(place)
            if name not in copies.names():
                if archive is None:
                    raise Unavailable(f"The copy of the product '{name}' was deleted.")
                copies.take(archive, name)
            product = copies.open(name)
            if product.state_sha256 != state:  # it was changed while it was sent
                shutil.rmtree(place, ignore_errors=True)
                raise Unavailable(f"The product '{name}' came in another state than was said.")
            place.touch()
            self._forget(name)
            return product
        except ProductError:
            shutil.rmtree(place, ignore_errors=True)
            raise
        finally:
            lock.release()

    def _forget(self, name: str) -> None:
        """Delete the oldest states."""
        states = [each for each in (self._folder / name).iterdir() if each.is_dir()]
        with suppress(FileNotFoundError):
            for each in sorted(states, key=lambda path: path.stat().st_mtime)[:-KEPT]:
                shutil.rmtree(each, ignore_errors=True)
