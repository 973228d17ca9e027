"""What was computed from good parts, and is kept for the next inspection. The only thing here that changes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from reason_iad.expert.calibration import Apart, Usual
    from reason_iad.expert.detectors.base import Fitted
    from reason_iad.expert.encoders.base import FeatureMap
    from reason_iad.expert.good_parts import Seen
    from reason_iad.expert.normality.plausible import Glance

T = TypeVar("T")

IMAGES = 32
"""Good parts whose feature maps, and whose tokens, are kept."""
QUERIES = 4
"""Inspected pictures whose tokens are kept."""
SETS = 4
"""Sets of good parts of which it is kept how much they differ."""
PEERS = 512
"""Good parts of which it is kept how far they are from those most like them, and how they look at a glance."""
FILES = 512
"""Files whose layout is kept, at least: as many more as are given at a time."""


class Recent(Generic[T]):
    """The values made for the keys that were used last. Threads may share it.

    Making a value holds no lock. Of several threads that want the same one at once, one makes it and the others
    wait for it.

    Args:
        size: how many values are kept.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = Lock()
        self._kept: OrderedDict[str, T] = OrderedDict()
        self._making: dict[str, Future[T]] = {}

    def get(self, key: str, make: Callable[[], T], *, room: int = 0) -> T:
        """The value for a key; made if none is kept.

        Args:
            key: what it is kept under.
            make: makes it. An error is raised for all who wait, and nothing is kept.
            room: keep at least so many from now on.
        """
        with self._lock:
            self._size = max(self._size, room)
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            waiting = self._making.get(key)
            if waiting is None:
                promise: Future[T] = Future()
                self._making[key] = promise
        if waiting is not None:
            return waiting.result()
        try:
            value = make()
        except BaseException as error:
            with self._lock:
                del self._making[key]
            promise.set_exception(error)
            raise
        with self._lock:
            del self._making[key]
            self._kept[key] = value
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
        promise.set_result(value)
        return value

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()

    def __len__(self) -> int:
        """How many values are kept."""
        with self._lock:
            return len(self._kept)


@dataclass(frozen=True, slots=True)
class ReferenceCache:
    """Everything that is kept of good parts.

    Attributes:
        features: feature maps by image.
        tokens: what a model's vision tower and projector gave, by image.
        queries: the same of inspected pictures, kept for a further question about them.
        usual: how much a set of good parts differs, by the set.
        apart: how far a good part is from others, by the part and those others.
        fitted: detectors that have seen a set of good parts, by the detector and the set.
        layouts: what lies where on the picture in a file, by the file's state.
        glances: what is seen of a picture at a glance, by image.
    """

    features: Recent[FeatureMap] = field(default_factory=lambda: Recent(IMAGES))
    tokens: Recent[Any] = field(default_factory=lambda: Recent(IMAGES))
    queries: Recent[Any] = field(default_factory=lambda: Recent(QUERIES))
    usual: Recent[Usual] = field(default_factory=lambda: Recent(SETS))
    apart: Recent[Apart] = field(default_factory=lambda: Recent(PEERS))
    fitted: Recent[Fitted] = field(default_factory=lambda: Recent(SETS))
    layouts: Recent[Seen] = field(default_factory=lambda: Recent(FILES))
    glances: Recent[Glance] = field(default_factory=lambda: Recent(PEERS))
