"""What runs in the server beside HTTP: sources bring parts, outcomes go to sinks, what is too old is deleted."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass

from reason_iad.errors import ReasonIADError, ServiceError
from reason_iad.products import Products
from reason_iad.service import outbox
from reason_iad.service.background import Background
from reason_iad.service.database import Database
from reason_iad.service.faults import Fault, Missing, Unavailable
from reason_iad.service.keeping import retention
from reason_iad.service.keeping.pictures import PictureStore
from reason_iad.service.settings import Settings
from reason_iad.service.sinks.base import Sink, SinkTable
from reason_iad.service.sources import Intake, Source, SourceTable
from reason_iad.service.sources.base import trouble_of

log = logging.getLogger(__name__)

SHORTEST_S, LONGEST_S = 1.0, 60.0
"""Seconds after which a source that failed is run again: at first, and at most; each time twice as long."""
SWEEP_S = 3600.0
"""Seconds between looks at what is too old."""


@dataclass(frozen=True, slots=True)
class SourceState:
    """How a source is.

    Attributes:
        name, kind, product: of the source.
        works: whether it brings parts.
        words: why not, otherwise.
    """

    name: str
    kind: str
    product: str
    works: bool
    words: str


class RunningSource(Background):
    """A source in a thread of its own, which is run again when it fails.

    Args:
        name: of the source.
        table: of the source.
        source: brings parts.
    """

    def __init__(self, name: str, table: SourceTable, source: Source) -> None:
        self._name, self._table, self._source = name, table, source
        self._words = "It has not begun yet."
        self._works = False
        super().__init__(f"source {name}")

    def trigger(self, name: str | None, key: str | None) -> int:
        """Take a picture now, as `Source.trigger`."""
        if not self._thread.is_alive():
            raise Unavailable(f"The source '{self._name}' has ended. {self._words}")
        return self._source.trigger(name, key)

    @property
    def state(self) -> SourceState:
        """How it is."""
        words = self._words or self._source.trouble
        return SourceState(
            self._name, self._table.kind, self._table.product, self._works and not words, words
        )  # fmt: skip

    def _run(self) -> None:
        pause = SHORTEST_S
        while not self._stop.is_set():
            self._works, self._words = True, ""
            begun = time.monotonic()
            try:
                self._source.run(self._stop)
                self._works, self._words = False, "Nothing more comes from it."
                return
            except ReasonIADError as error:
                self._works, self._words = False, trouble_of(error)
                log.warning("%s", error)
            except Exception as error:  # whatever it is, the other sources must not suffer
                self._works, self._words = False, f"The program has a bug ({type(error).__name__})."
                log.exception("the source '%s' failed", self._name)
            pause = SHORTEST_S if time.monotonic() - begun > LONGEST_S else pause
            self._stop.wait(pause)
            pause = min(LONGEST_S, 2 * pause)


class Flow:
    """Sources, deliveries and deletion of one server.

    Args:
        settings, database, products, pictures: of the service.

    Raises:
        ReasonIADError: a sink cannot be used as it is configured.
    """

    def __init__(self, settings: Settings, database: Database, products: Products, pictures: PictureStore) -> None:
        self._database, self._pictures = database, pictures
        self._configuration = settings.configuration
        intake = Intake(database, products, pictures, settings.limits)
        self._sources = {
            name: RunningSource(name, table, table.open(name, intake))
            for name, table in self._configuration.sources.items()
        }
        self._deliverers = [
            outbox.Deliverer(database, pictures, name, _opened(name, table))
            for name, table in self._configuration.sinks.items()
        ]
        self._stop = threading.Event()
        self._sweeping = threading.Thread(target=self._sweep, name="retention", daemon=True)

    def start(self) -> None:
        """Begin with everything."""
        for deliverer in self._deliverers:
            deliverer.start()
        for source in self._sources.values():
            source.start()
        if self._configuration.retention.passed_days is not None:
            self._sweeping.start()

    def stop(self) -> None:
        """End with everything, sources first."""
        self._stop.set()
        for source in self._sources.values():
            source.stop()
        for deliverer in self._deliverers:
            deliverer.stop()

    def states(self) -> list[SourceState]:
        """How the sources are."""
        return [source.state for source in self._sources.values()]

    def trigger(self, source: str, name: str | None, key: str | None) -> int:
        """Let a source take a picture; returns the number of the part.

        Raises:
            Missing: there is no such source.
            Fault: it takes no pictures.
            Unavailable: it cannot take one now.
        """
        if source not in self._sources:
            raise Missing(f"There is no source '{source}'.")
        return self._sources[source].trigger(name, key)

    def _sweep(self) -> None:
        days = self._configuration.retention.passed_days
        assert days is not None, "only started where there is a rule"
        while not self._stop.is_set():
            try:
                retention.sweep(self._database, self._pictures, days)
            except (Fault, OSError) as error:
                log.warning("Old pictures cannot be deleted now. %s", error)
            self._stop.wait(SWEEP_S)


def _opened(name: str, table: SinkTable) -> Sink:
    """A sink.

    Raises:
        MissingExtraError: a package is missing.
        ServiceError: it cannot be used as it is configured.
    """
    try:
        return table.open()
    except ServiceError as error:
        raise ServiceError(f"The sink '{name}' cannot be used. {error}") from None
