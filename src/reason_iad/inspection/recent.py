"""A small cache that forgets the least recently used."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Recent(OrderedDict[str, T]):
    """What was made for some keys, and is kept for the next time.

    Attributes:
        size: how much is kept.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def get(self, key: str, make: Callable[[], T]) -> T:  # type: ignore[override]
        """What is kept for a key; made if nothing is."""
        if key not in self:
            self[key] = make()
        self.move_to_end(key)
        while len(self) > self.size:
            self.popitem(last=False)
        return self[key]
