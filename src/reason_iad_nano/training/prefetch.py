"""Batches made ahead by worker processes, in order of their step.

A batch is a pure function of its arguments, so how many workers there are, or where a run was cut, changes nothing
but the speed.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

Batch = TypeVar("Batch")
WATCH_SECONDS = 2.0


def _start_worker(trainer: int) -> None:
    """Keep a worker to one core, the training step wants the others; and end it when the trainer is killed."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    threading.Thread(target=_end_with, args=(trainer,), daemon=True).start()


def _end_with(trainer: int) -> None:
    """`kill -9` leaves the trainer no time to end its workers, so they watch it."""
    while os.getppid() == trainer:
        time.sleep(WATCH_SECONDS)
    os._exit(1)


class Workers:
    """A pool of processes; with 0 processes everything runs in the caller (for tests and debugging)."""

    def __init__(self, processes: int) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._ahead = max(2, 3 * processes)
        if processes:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(
                processes, mp_context=context, initializer=_start_worker, initargs=(os.getpid(),)
            )

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def map(self, function: Callable[..., Batch], arguments: Iterable[tuple[Any, ...]]) -> Iterator[Batch]:
        """Results in order, computed a few ahead. `arguments` may be endless."""
        if self._pool is None:
            for item in arguments:
                yield function(*item)
            return
        waiting: deque[Future[Batch]] = deque()
        try:
            for item in arguments:
                waiting.append(self._pool.submit(function, *item))
                if len(waiting) > self._ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
