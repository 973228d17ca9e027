"""How small a defect may be and still be found: what `product check` said last, kept beside the product.

It can be shown without loading what it follows from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from reason_iad.files import write_atomic
from reason_iad.products.kept import read_kept, source_of
from reason_iad.schema.record import Record

if TYPE_CHECKING:
    from reason_iad.products.product import Product

DETECTED = "detected.json"
"""File of the cache."""
MOST_BYTES = 2**22
"""Bytes that it may have."""


class Point(Record):
    """The probability of detection at a size, and its bounds with 95 % confidence."""

    size: float
    pod: float
    low: float
    high: float


class Detection(Record):
    """What the self-test says of one kind of defect. Sizes are in pixels of the pictures."""

    kind: str
    words: str
    drawn: int
    found: int
    marked: int = Field(description="Of those found, how many were marked at the right place.")
    a50: float | None
    a90: float | None
    a90_95: float | None
    sizes: tuple[float, ...] = Field(description="Of what was drawn, in order.")
    hits: tuple[bool, ...] = Field(description="Whether each was found.")
    curve: tuple[Point, ...]


class Detected(Record):
    """What the self-test said of a product.

    Attributes:
        follows_from: the state of the product, and the revision of what learns from it.
        change: number of the last change of the product then.
        scale: millimetres per pixel then.
        detection: by kind of defect; empty if there was no self-test.
        untested: why there was none.
    """

    follows_from: str
    change: int
    scale: float | None
    detection: tuple[Detection, ...]
    untested: str | None


@dataclass(frozen=True, slots=True)
class LastDetected:
    """What was said last, and whether the product is still the same."""

    detected: Detected
    current: bool


def keep_detected(product: Product, detection: tuple[Detection, ...], untested: str | None) -> None:
    """Write what the self-test said.

    Raises:
        OutputError: the cache cannot be written.
    """
    found = Detected(
        follows_from=source_of(product), change=product.state.revision, scale=product.settings.scale,
        detection=detection, untested=untested,
    )  # fmt: skip
    product.make_cache()
    write_atomic(product.cache_dir / DETECTED, found.model_dump_json())


def last_detected(product: Product) -> LastDetected | None:
    """What the last self-test said; None if there was none, or the file is damaged."""
    found = read_kept(product.cache_dir / DETECTED, Detected.model_validate_json, MOST_BYTES)
    return None if found is None else LastDetected(found, found.follows_from == source_of(product))
