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
START_S = 900.0
"""Seconds that a worker is given to load the model, where there is one."""
STOP_S = 30.0
"""Seconds that workers are given to end what they are doing."""


@dataclass(frozen=True, slots=True)
class _Worker:
    name: str
    process: Any
    alive: Any
    ready: Any
    done: Any

    def hangs(self, lease_s: float) -> bool:
        """Whether it has not gone on for too long."""
        return bool(time.monotonic() - self.alive.value > (lease_s if self.ready.value else START_S))


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
        return not self._settings.workers or any(
            each.ready.value and each.process.is_alive() for each in self._workers
        )

    @property
    def done(self) -> tuple[int, ...]:
        """How many parts each worker has done; another value than before says that results are there."""
        return tuple(each.done.value for each in self._workers)

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
            try:
                self._give_back(each.name)
            except Unavailable as error:  # the next server does it
                log.warning("%s", error)

    def _give_back(self, worker: str | None) -> None:
        limits, takers = self._settings.limits, self._settings.configuration.sinks_for
        queue.give_back(self._database, limits.attempts, limits.lease_s, worker=worker, takers=takers)

    def _started(self) -> _Worker:
        self._number += 1
        name = f"{self._server}-{os.getpid()}-{self._number}"
        alive, ready = self._context.RawValue("d", time.monotonic()), self._context.RawValue("b", 0)
        done = self._context.RawValue("q", 0)
        process = self._context.Process(
            target=work, args=(self._settings, name, alive, ready, done), name=name, daemon=True
        )
        process.start()
        return _Worker(name, process, alive, ready, done)

    def _watch(self) -> None:
        looks = 0
        while not self._stop.wait(LOOK_S):
            looks += 1
            try:
                for number, each in enumerate(self._workers):
                    self._look_at(number, each)
                if looks % LEASES == 0:
                    self._give_back(None)
            except Unavailable as error:  # tried again at the next look
                log.warning("%s", error)
            except Exception:  # whatever it is, the workers have to be watched on
                log.exception("A worker could not be looked after.")

    def _look_at(self, number: int, each: _Worker) -> None:
        """Replace a worker that ended or hangs."""
        if each.process.is_alive():
            if not each.hangs(self._settings.limits.lease_s):
                return
            log.warning("A worker was at one part for too long and is replaced.")
            each.process.kill()
            each.process.join()
        self._give_back(each.name)
        self._workers[number] = self._started()
