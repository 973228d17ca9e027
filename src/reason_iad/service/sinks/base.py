"""What a sink is: a place that takes outcomes, one after another, and says so when it cannot."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Protocol

from reason_iad.schema import Record
from reason_iad.service.database.tables import Inspection
from reason_iad.service.options import Options


class Message(Record):
    """An outcome, as sinks get it.

    Attributes:
        id: the same whenever this outcome is sent to this sink again; receivers know a repetition by it. The time
            at which the part came is in it: numbers of inspections begin again where a backup is restored.
        inspection: its number in the service; after a restore, another part may have had the same.
        product, name, source: of the part.
        received, finished: seconds since 1970, UTC.
        outcome: 'pass', 'defect', 'review', 'unjudged' or 'failed'.
        probability: of a defect.
        score: how far the part stands out from good ones.
        defect_type, place, explanation: in words.
        error: why the part could not be inspected.
        picture: SHA-256 of the file.
    """

    id: str
    inspection: int
    product: str
    name: str
    source: str
    received: float
    finished: float | None
    outcome: str
    probability: float | None
    score: float | None
    defect_type: str | None
    place: str | None
    explanation: str | None
    error: str | None
    picture: str

    @classmethod
    def of(cls, row: Inspection, sink: str) -> Message:
        """The message about a part."""
        same = {name: getattr(row, name) for name in cls.model_fields if hasattr(row, name)}
        came = f"{row.received * 1e6:.0f}"
        return cls(**{**same, "id": f"{sink}-{row.id}-{came}", "inspection": row.id})


class Sink(Protocol):
    """Takes outcomes. One thread calls it."""

    def send(self, message: Message, picture: Path) -> None:
        """Take an outcome. When this returns, the sink has it.

        Args:
            message: the outcome.
            picture: the file of the picture; it may be gone.

        Raises:
            ServiceError, OutputError: it cannot be delivered now; it is tried again later.
        """
        ...

    def close(self) -> None:
        """Release what is held."""
        ...


class SinkTable(Options):
    """The table of a sink in the configuration file."""

    kind: str

    @abstractmethod
    def open(self) -> Sink:
        """The sink.

        Raises:
            ReasonIADError: it cannot be used as it is configured.
        """
