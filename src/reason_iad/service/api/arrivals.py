"""Lets requests wait for their result: one question to the database for all that wait."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from anyio.to_thread import run_sync
from sqlalchemy import select

from reason_iad.service.database import Database
from reason_iad.service.database.tables import DONE, FAILED, Inspection
from reason_iad.service.faults import Unavailable

LOOK_S = 0.02
"""Seconds between questions."""


class Arrivals:
    """Those who wait. Used from one event loop.

    Args:
        database: where results arrive.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[int, list[asyncio.Future[None]]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def wait(self, number: int, seconds: float) -> bool:
        """Wait until a part is done or has failed; false if the time is over before."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(number, []).append(future)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            await asyncio.wait_for(future, seconds)
        except TimeoutError:
            return False
        finally:
            left = self._waiting.get(number, [])
            with suppress(ValueError):
                left.remove(future)
            if not left:
                self._waiting.pop(number, None)
        return True

    async def _look(self) -> None:
        while self._waiting:
            with suppress(Unavailable):
                for number in await run_sync(self._arrived, list(self._waiting)):
                    for future in self._waiting.pop(number, []):
                        if not future.done():
                            future.set_result(None)
            await asyncio.sleep(LOOK_S)

    def _arrived(self, numbers: list[int]) -> list[int]:
        with self._database.reading() as session:
            query = select(Inspection.id).where(Inspection.id.in_(numbers), Inspection.state.in_((DONE, FAILED)))
            return list(session.scalars(query))
