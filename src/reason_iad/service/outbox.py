"""The outbox: what has to go to sinks is written down with the result itself, and tried until it was taken.

A row of `delivery` is written in the transaction that records an outcome, so that no outcome is lost between the
two. A sink may get an outcome twice, when the server is killed right after it was taken; the message carries an id.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.orm import Session

from reason_iad.errors import ReasonIADError
from reason_iad.service.background import Background
from reason_iad.service.database import Database
from reason_iad.service.database.tables import Delivery, Inspection
from reason_iad.service.faults import Unavailable
from reason_iad.service.keeping.pictures import PictureStore
from reason_iad.service.sinks.base import Message, Sink

log = logging.getLogger(__name__)

TOGETHER = 8
"""Outcomes that are taken out of the box at once."""
LOOK_S = 0.3
"""Seconds between looks into the box."""
LEASE_S = 120.0
"""Seconds for which another server leaves them alone."""
SHORTEST_S, LONGEST_S = 1.0, 300.0
"""Pauses after a failed attempt: the first one, and the longest; each is twice the one before."""


@dataclass(frozen=True, slots=True)
class Post:
    """An outcome on its way.

    Attributes:
        id: of the row.
        attempts: that failed so far.
        message: the outcome.
    """

    id: int
    attempts: int
    message: Message


class Deliverer(Background):
    """Takes outcomes to one sink.

    Args:
        database, pictures: of the service.
        name: of the sink.
        sink: it; it is closed in the end.
    """

    def __init__(self, database: Database, pictures: PictureStore, name: str, sink: Sink) -> None:
        self._database, self._pictures, self._name, self._sink = database, pictures, name, sink
        super().__init__(f"sink {name}")

    def _run(self) -> None:
        failed, begun = 0, False
        while not self._stop.is_set():
            pause = LOOK_S
            try:
                if not begun:  # what waited for a later attempt is tried now
                    hurry(self._database, self._name)
                    begun = True
                posts = take(self._database, self._name)
                failed = self._deliver(posts, failed) if posts else failed
                pause = 0.0 if posts and not failed else min(LONGEST_S, LOOK_S * 2**failed)
            except Unavailable as error:
                log.warning("%s", error)
                pause = 2.0
            except Exception:  # whatever it is, deliveries must go on
                log.exception("the sink '%s' failed", self._name)
                pause = LONGEST_S
            self._stop.wait(pause)
        self._sink.close()

    def _deliver(self, posts: list[Post], failed: int) -> int:
        """Deliver until one attempt fails; returns how many have failed in a row."""
        taken: list[int] = []
        refused: dict[int, str] = {}
        for post in posts:
            if self._stop.is_set():
                break
            try:
                self._sink.send(post.message, self._pictures.path(post.message.picture))
            except ReasonIADError as error:
                log.warning("The sink '%s' did not take inspection %s. %s", self._name, post.message.inspection,
                            error)  # fmt: skip
                refused[post.id] = str(error)
                break
            taken.append(post.id)
        settle(self._database, posts, taken, refused)
        return failed + 1 if refused and not taken else bool(refused)


def take(database: Database, sink: str) -> list[Post]:
    """The oldest outcomes that wait for a sink; others leave them alone for `LEASE_S`."""
    now = time.time()
    due = and_(
        Delivery.sink == sink,
        Delivery.delivered.is_(None),
        or_(Delivery.next_try <= now, Delivery.next_try > now + LONGEST_S + LEASE_S),  # the clock was set back
    )
    with database.reading() as session:  # looking does not hold up those who write
        if session.scalar(select(Delivery.id).where(due).limit(1)) is None:
            return []
    with database.writing() as session:
        waiting = (
            select(Delivery, Inspection)
            .join(Inspection, Inspection.id == Delivery.inspection)
            .where(due)
            .order_by(Delivery.id)
            .limit(TOGETHER)
            .with_for_update(skip_locked=True, of=Delivery)
        )
        posts = []
        for delivery, row in session.execute(waiting).all():
            delivery.next_try = now + LEASE_S
            posts.append(Post(delivery.id, delivery.attempts, Message.of(row, sink)))
        return posts


def settle(database: Database, posts: list[Post], taken: list[int], refused: Mapping[int, str]) -> None:
    """Write down what was taken and what was not; the rest waits on."""
    now = time.time()
    with database.writing() as session:
        for post in posts:
            if post.id in taken:
                values: dict[str, object] = {"delivered": now, "error": None, "attempts": post.attempts + 1}
            elif post.id in refused:
                pause = min(LONGEST_S, SHORTEST_S * 2 ** min(post.attempts, 20))
                values = {"next_try": now + pause, "error": refused[post.id], "attempts": post.attempts + 1}
            else:
                values = {"next_try": now}
            session.execute(update(Delivery).filter_by(id=post.id).values(**values))


def hurry(database: Database, sink: str) -> None:
    """Let everything that waits for a sink be tried now."""
    with database.writing() as session:
        session.execute(
            update(Delivery).where(Delivery.sink == sink, Delivery.delivered.is_(None)).values(next_try=time.time())
        )


def waiting(session: Session) -> dict[str, int]:
    """How many outcomes wait, by sink."""
    query = select(Delivery.sink, func.count()).where(Delivery.delivered.is_(None)).group_by(Delivery.sink)
    return {str(sink): int(number) for sink, number in session.execute(query).all()}
