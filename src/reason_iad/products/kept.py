"""Records of the cache that can be shown without loading what they follow from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from reason_iad.products.deriving import REVISION
from reason_iad.schema.record import Record

if TYPE_CHECKING:
    from reason_iad.products.product import Product

Kept = TypeVar("Kept", bound=Record)


def source_of(product: Product) -> str:
    """What such a record follows from: the state of the product, and the revision of what learns from it."""
    return f"{product.state_sha256} {REVISION}"


def read_kept(path: Path, record: type[Kept], most: int) -> Kept | None:
    """A record that was kept.

    Args:
        path: of the file.
        record: what is in it.
        most: bytes that it may have.

    Returns:
        None if there is none, or the file is damaged.
    """
    try:
        return record.model_validate_json(path.read_bytes()) if path.stat().st_size <= most else None
    except (OSError, ValidationError):
        return None
