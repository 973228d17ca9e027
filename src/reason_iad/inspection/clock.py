"""How long each phase of an inspection takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """A stopwatch: wall-clock milliseconds per phase, for one inspection in one thread."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._phases: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the time that the block takes to a phase."""
        start = time.perf_counter()
        yield
        self._phases[name] = self._phases.get(name, 0.0) + (time.perf_counter() - start) * 1000

    def read(self) -> dict[str, float]:
        """Milliseconds per phase, and 'total' since the start."""
        total = (time.perf_counter() - self._start) * 1000
        return {name: round(value, 2) for name, value in (*self._phases.items(), ("total", total))}
