"""Starts the workers, replaces one that died or hangs, and gives back what it held."""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from reason_iad.service.database import Database, queue
from reason_iad.service.faults import Unavailable
from reason_iad.service.settings import Settings
from reason_iad.service.work.ray_workers import dispatch
from reason_iad.service.work.supplies import supplies_of
from reason_iad.service.work.worker import work

log = logging.getLogger(__name__)

LOOK_S = 0.2
"""Seconds between looks at the workers."""
LEASES_S = 5.0
"""Seconds between looks at parts whose time is over: those of workers on other machines."""
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
        self._supplies = supplies_of(settings)
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=each, name=name, daemon=True)
            for name, each in (
                ("supervisor", (self._watch, LOOK_S)),
                # apart from it: what waits for the database must not keep it from ending whoever holds that up
                ("leases", (lambda: self._give_back(None), LEASES_S)),
            )
        ]
        self._number = 0

    def start(self) -> None:
        """Give back what workers of an earlier server held, and start the workers."""
        self._give_back(f"{self._server}-*")
        # Ray starts and ends its replicas itself; one process speaks with it
        count = self._settings.workers if self._settings.ray is None else 1
        self._workers = [self._started() for _ in range(count)]
        for thread in self._threads:
            thread.start()

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
        for thread in self._threads:
            if thread.is_alive():
                thread.join(STOP_S)
        for each in self._workers:
            each.process.terminate()
        end = time.monotonic() + STOP_S
        for each in self._workers:
            each.process.join(max(0.0, end - time.monotonic()))
            if each.process.is_alive():
                each.process.kill()
                each.process.join()
            try:
                self._give_back(f"{each.name}*")
            except Unavailable as error:  # the next server does it
                log.warning("%s", error)

    def _give_back(self, worker: str | None) -> None:
        limits, takers = self._settings.limits, self._supplies.takers()
        queue.give_back(self._database, limits.attempts, limits.lease_s, worker=worker, takers=takers)

    def _started(self) -> _Worker:
        self._number += 1
        name = f"{self._server}-{os.getpid()}-{self._number}."  # a name with an end begins no other one
        alive, ready = self._context.RawValue("d", time.monotonic()), self._context.RawValue("b", 0)
        done = self._context.RawValue("q", 0)
        process = self._context.Process(
            target=work if self._settings.ray is None else dispatch,
            args=(self._settings, name, alive, ready, done),
            name=name,
            daemon=True,
        )
        process.start()
        return _Worker(name, process, alive, ready, done)

    def _repeat(self, act: Callable[[], None], pause: float) -> None:
        while not self._stop.wait(pause):
            try:
                act()
            except Unavailable as error:  # tried again the next time
                log.warning("%s", error)
            except Exception:  # whatever it is, the workers have to be watched on
                log.exception("The workers could not be looked after.")

    def _watch(self) -> None:
        """Replace workers that ended or hang."""
        for each in self._workers:
            if each.process.is_alive() and each.hangs(self._settings.limits.lease_s):
                log.warning("A worker was at one part for too long and is replaced.")
                each.process.kill()
                each.process.join()
        for number, each in enumerate(self._workers):
            if not each.process.is_alive():
                self._give_back(f"{each.name}*")
                self._workers[number] = self._started()
