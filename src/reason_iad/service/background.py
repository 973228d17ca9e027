"""Work that goes on beside the server until it is told to end."""

from __future__ import annotations

import os
import threading
from multiprocessing import parent_process
from multiprocessing.connection import wait

STOP_S = 15.0
"""Seconds to wait for what is being done."""


class Background:
    """A thread that looks at `_stop` and ends in order.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after what is being done; the rest waits until the server runs again."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S)

    def _run(self) -> None:
        """Work until `_stop` is set."""
        raise NotImplementedError


def end_with_parent() -> None:
    """In a process of its own: end it at once when the server is gone. Run in a thread.

    What a worker held goes back when the next server starts.
    """
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
