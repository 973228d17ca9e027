"""Lets requests wait for their result: one question to the database for all that wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from threading import Event

from anyio.to_thread import run_sync
from sqlalchemy import select

from reason_iad.service.database import Database
from reason_iad.service.database.tables import DONE, FAILED, Inspection
from reason_iad.service.faults import Unavailable

LOOK_S = 0.005
"""Seconds between looks at the workers."""
ASK_S = 0.1
"""Seconds between questions to the database where no worker of this machine has done a part."""


class Arrivals:
    """Those who wait. Used from one event loop.

    Args:
        database: where results arrive.
        stopping: set when the server stops; nobody waits any longer then.
        done: gives another value whenever a worker of this machine has done a part.
    """

    def __init__(self, database: Database, stopping: Event, done: Callable[[], object]) -> None:
        self._database, self._stopping, self._done = database, stopping, done
        self._waiting: dict[int, list[asyncio.Future[bool]]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def wait(self, number: int, seconds: float) -> bool:
        """Wait until a part is done or has failed; false if the time is over before, or the server stops."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(number, []).append(future)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            return await asyncio.wait_for(future, seconds)
        except asyncio.TimeoutError:
            return False
        finally:
            left = self._waiting.get(number, [])
            with suppress(ValueError):
                left.remove(future)
            if not left:
                self._waiting.pop(number, None)

    async def _look(self) -> None:
        asked, seen, time = -ASK_S, self._done(), asyncio.get_running_loop().time
        while self._waiting:
            if (now := self._done()) != seen or time() - asked > ASK_S:
                seen, asked = now, time()
                with suppress(Unavailable):
                    self._tell(await run_sync(self._arrived, list(self._waiting)), True)
            if self._stopping.is_set():
                self._tell(list(self._waiting), False)
            await asyncio.sleep(LOOK_S)

    def _tell(self, numbers: list[int], there: bool) -> None:
        for number in numbers:
            for future in self._waiting.pop(number, []):
                if not future.done():
                    future.set_result(there)

    def _arrived(self, numbers: list[int]) -> list[int]:
        with self._database.reading() as session:
            query = select(Inspection.id).where(Inspection.id.in_(numbers), Inspection.state.in_((DONE, FAILED)))
            return list(session.scalars(query))
