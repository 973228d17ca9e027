"""What a sink is: a place to which the outcomes of inspections go, one after another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from reason_iad.inspection.many import Outcome


class Sink(Protocol):
    """Takes outcomes as they come. One thread at a time calls it."""

    def send(self, outcome: Outcome) -> None:
        """Take one outcome: an `Inspection`, or a `Failure` if an image could not be inspected.

        Raises:
            OutputError: it cannot be delivered.
        """
        ...

    def close(self) -> None:
        """Deliver what waits, and release what is held. Nothing is sent afterwards.

        Raises:
            OutputError: what waits cannot be delivered.
        """
        ...
