"""Connections of a server: one that says nothing is closed, so that a few cannot keep all others out."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


def protocol(header_s: float) -> type[H11Protocol]:
    """HTTP/1.1 that closes a connection whose next request does not arrive in time.

    uvicorn has a time limit between requests only: none before the first, and none once a first byte is there.

    Args:
        header_s: seconds in which the head of a request has to arrive.
    """

    class Patient(H11Protocol):
        _late: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._wait()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._asked():
                self._forget()
            elif self._late is None:
                self._wait()

        def connection_lost(self, exc: Exception | None) -> None:
            self._forget()
            super().connection_lost(exc)

        def _asked(self) -> bool:
            """Whether a request is being answered."""
            return self.cycle is not None and not self.cycle.response_complete

        def _wait(self) -> None:
            self._late = self.loop.call_later(header_s, self._over)

        def _forget(self) -> None:
            if self._late is not None:
                self._late.cancel()
                self._late = None

        def _over(self) -> None:
            self._late = None
            if not self._asked() and not self.transport.is_closing():
                self.transport.close()

    return Patient
