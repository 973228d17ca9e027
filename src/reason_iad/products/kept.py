"""What a product keeps in its cache: read where it is whole, and else as if it were not there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from reason_iad.products.deriving import REVISION

if TYPE_CHECKING:
    from reason_iad.products.product import Product

Kept = TypeVar("Kept")


def source_of(product: Product) -> str:
    """What a record follows from that can be shown alone: the state of the product, and what learns from it."""
    return f"{product.state_sha256} {REVISION}"


def how_compared(product: Product, revision: int, *, align: bool, least_px: float | None = None) -> str:
    """Whatever decides what a comparison of two pictures says, beside the pictures.

    Args:
        product: its area and its white count.
        revision: of the comparison.
        align: whether templates are moved to lie as parts do.
        least_px: the length of the smallest place that counts, in pixels; None: every one does.
    """
    settings = product.settings
    areas = [None if each is None else each.sha256 for each in (settings.inspect, settings.ignore)]
    return json.dumps([revision, areas, settings.white, least_px, align])


def read_kept(path: Path, read: Callable[[bytes], Kept], most: int) -> Kept | None:
    """What was kept in a file.

    Args:
        path: of the file.
        read: makes it of the content; raises `ValidationError` for what is none.
        most: bytes that the file may have.

    Returns:
        None if there is none, or the file is damaged.
    """
    try:
        return read(path.read_bytes()) if path.stat().st_size <= most else None
    except (OSError, ValidationError):
        return None
