"""Starts the workers, replaces one that died or hangs, and gives back what it held."""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
import time
from dataclasses import dataclass
from typing import Any

from reason_iad.service import queue
from reason_iad.service.database import Database
from reason_iad.service.faults import Unavailable
from reason_iad.service.settings import Settings
from reason_iad.service.worker import work

log = logging.getLogger(__name__)

LOOK_S = 0.2
"""Seconds between looks at the workers."""
LEASES = 25
"""Every so many looks, parts whose time is over are given back: those of workers on other machines."""
STOP_S = 30.0
"""Seconds that workers are given to end what they are doing."""


@dataclass(frozen=True, slots=True)
class _Worker:
    name: str
    process: Any
    begun: Any
    ready: Any


class Supervisor:
    """The workers of one server.

    Args:
        settings: of the service.
        database: where parts wait.
        server: name of this server, the same whenever it runs; others may use the same database.
    """

    def __init__(self, settings: Settings, database: Database, server: str) -> None:
        self._settings, self._database, self._server = settings, database, server
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []
        self._stop = threading.Event()
        self._watching = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._number = 0

    def start(self) -> None:
        """Give back what workers of an earlier server held, and start the workers."""
        self._give_back(f"{self._server}-*")
        self._workers = [self._started() for _ in range(self._settings.workers)]
        self._watching.start()

    @property
    def ready(self) -> bool:
        """Whether a worker takes parts; also true for a server that has none of its own."""
        return not self._settings.workers or any(each.ready.is_set() for each in self._workers)

    def pids(self) -> list[int]:
        """The processes."""
        return [each.process.pid for each in self._workers]

    def stop(self) -> None:
        """Let workers end the part that they are at, and stop."""
        self._stop.set()
        if self._watching.is_alive():
            self._watching.join()
        for each in self._workers:
            each.process.terminate()
        end = time.monotonic() + STOP_S
        for each in self._workers:
            each.process.join(max(0.0, end - time.monotonic()))
            if each.process.is_alive():
                each.process.kill()
                each.process.join()
            self._give_back(each.name)

    def _started(self) -> _Worker:
        self._number += 1
        name = f"{self._server}-{os.getpid()}-{self._number}"
        begun, ready = self._context.Value("d", 0.0), self._context.Event()
        process = self._context.Process(
            target=work, args=(self._settings, name, begun, ready), name=name, daemon=True
        )
        process.start()
        return _Worker(name, process, begun, ready)

    def _watch(self) -> None:
        looks = 0
        while not self._stop.wait(LOOK_S):
            looks += 1
            for number, each in enumerate(self._workers):
                since = each.begun.value
                hangs = since and time.monotonic() - since > self._settings.limits.lease_s
                if hangs and each.process.is_alive():
                    log.warning("A worker was at one part for too long and is replaced.")
                    each.process.kill()
                    each.process.join()
                if not each.process.is_alive():
                    self._replace(number)
            if looks % LEASES == 0:
                try:
                    self._give_back(None)
                except Unavailable as error:
                    log.warning("%s", error)

    def _replace(self, number: int) -> None:
        gone = self._workers[number]
        try:
            self._give_back(gone.name)
        except Unavailable as error:  # tried again at the next look, since the worker is still the old one
            log.warning("%s", error)
            return
        self._workers[number] = self._started()

    def _give_back(self, worker: str | None) -> None:
        settings = self._settings
        takers = settings.configuration.sinks_for
        queue.give_back(self._database, settings.limits.attempts, worker=worker, takers=takers)
