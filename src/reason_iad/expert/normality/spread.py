"""Which images of many are looked at, where a part of them is enough."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Protocol, overload, runtime_checkable

if TYPE_CHECKING:
    from reason_iad.images import LoadedImage


MEASURED = 200
"""Good images that are left out and measured, at most."""


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


class Some(Sequence["LoadedImage"]):
    """Some of many images, each asked for when it is needed.

    Args:
        images: all of them.
        numbers: which.
    """

    def __init__(self, images: Sequence[LoadedImage], numbers: Sequence[int]) -> None:
        self._images, self._numbers = images, numbers

    def name(self, number: int) -> str:
        """The hash of the content of an image, by its number among these."""
        at = self._numbers[number]
        return self._images.name(at) if isinstance(self._images, Named) else self._images[at].sha256

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, number: int) -> LoadedImage: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[LoadedImage]: ...
    def __getitem__(self, number: int | slice) -> LoadedImage | Sequence[LoadedImage]:
        if isinstance(number, slice):
            return Some(self._images, self._numbers[number])
        return self._images[self._numbers[number]]


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


def left_out_images(names: Sequence[str], exceptions: Collection[str] = ()) -> list[int]:
    """Which good images are left out and measured, by number, in the order of `ProductExpert.left_out`.

    Args:
        names: hashes of the good images, each once.
        exceptions: hashes of those that say nothing about what is usual.
    """
    usual = [number for number, name in enumerate(names) if name not in exceptions]
    return [usual[at] for at in spread_out(len(usual), MEASURED)]
