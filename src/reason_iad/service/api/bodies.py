"""What arrives with requests: how much of it, in which time, and how much of all requests together."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope

from reason_iad.service.settings import Limits

_ARRIVED = "arrived"


class Bodies:
    """The bodies of all requests. Used from one event loop.

    Args:
        limits: of the service.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._bytes = 0

    @contextmanager
    def of(self, scope: Scope, receive: Receive) -> Iterator[Receive]:
        """The same messages, until more comes than is taken, or it comes too slowly.

        What a request says of its length may be a lie, so what comes is counted.
        """
        seen, end = 0, asyncio.get_running_loop().time() + self._limits.body_s
        complete = False

        def arrived() -> None:
            nonlocal seen
            self._bytes, seen = self._bytes - seen, 0

        async def counting() -> Message:
            nonlocal seen, complete
            if complete:  # what comes now is the end of the connection, whenever that is
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), max(0.0, end - asyncio.get_running_loop().time()))
            except asyncio.TimeoutError:
                raise HTTPException(408, f"The body did not arrive within {self._limits.body_s:g} s.") from None
            size = len(message.get("body", b""))
            seen, self._bytes = seen + size, self._bytes + size
            complete = not message.get("more_body", False)
            if seen > self._limits.body_bytes:
                raise HTTPException(413, too_large(self._limits.body_bytes))
            if self._bytes > self._limits.arriving_bytes:
                raise HTTPException(503, "Too much arrives at the same time. Send this again in a few seconds.")
            return message

        scope.setdefault("state", {})[_ARRIVED] = arrived
        try:
            yield counting
        finally:
            arrived()


def arrived(request: Request) -> None:
    """The body of this request is dealt with and does not count any more."""
    request.scope["state"][_ARRIVED]()


def too_large(most: int) -> str:
    """What is answered to more than that."""
    return f"More than {most // 2**20} MiB were sent. Crop the picture or save it compressed."
