"""Which images of many are looked at, where a part of them is enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from reason_iad.images import LoadedImage


@runtime_checkable
class Named(Protocol):
    """Images whose names are known before they are loaded."""

    def name(self, number: int) -> str:
        """The hash of the content of an image, by its number."""
        ...


def names_of(images: Sequence[LoadedImage]) -> list[str]:
    """The hash of each image, in their order."""
    if isinstance(images, Named):
        return [images.name(number) for number in range(len(images))]
    return [images[number].sha256 for number in range(len(images))]


def drawn(images: Sequence[LoadedImage], most: int) -> dict[str, int]:
    """Numbers of different images by their hash, at most so many: those whose hashes come first.

    When an image joins many or leaves them, the others that are drawn nearly always stay.
    """
    numbers: dict[str, int] = {}
    for number, name in enumerate(names_of(images)):
        numbers.setdefault(name, number)
    return {name: numbers[name] for name in sorted(numbers)[:most]}


def spread_out(count: int, most: int) -> list[int]:
    """Numbers below `count`, at most so many, evenly spread."""
    return sorted({round(at * (count - 1) / max(1, min(count, most) - 1)) for at in range(min(count, most))})
