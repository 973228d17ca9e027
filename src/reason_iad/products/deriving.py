"""What follows from a product: computed after a change, kept in its cache, computed anew when it does not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from reason_iad.products.product import Product


class Progress(Protocol):
    """Is told how far a step is: what is done, and how much of it."""

    def __call__(self, step: str, done: int, total: int, /) -> None:
        """`done` of `total` things of a step are done."""


def no_progress(step: str, done: int, total: int, /) -> None:
    """Shows nothing."""


def derive(product: Product, progress: Progress = no_progress) -> None:
    """Bring what follows from a product up to date."""
