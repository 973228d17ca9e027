"""Deletes pictures and results of parts that passed long ago. Their rows stay, so that counts stay right.

A picture may belong to several parts, and a template mostly does; it is deleted with the last of them. A part that
somebody reviewed, or whose outcome is still on its way to a sink, keeps what it has.
"""

from __future__ import annotations

import time

from sqlalchemy import delete, exists, func, or_, select
from sqlalchemy.orm import Session

from reason_iad.service.database import Database
from reason_iad.service.database.tables import DONE, Delivery, Event, Inspection, Result
from reason_iad.service.keeping.pictures import PictureStore

TOGETHER = 200
"""Parts of one transaction: others wait until it has ended."""
DAY_S = 86400.0


def sweep(database: Database, pictures: PictureStore, passed_days: float) -> int:
    """Delete what is too old; returns how many parts lost picture and result.

    Args:
        database, pictures: of the service.
        passed_days: as in `configuration.Retention`.

    Raises:
        Unavailable: the database cannot be reached.
    """
    before, total = time.time() - DAY_S * passed_days, 0
    while True:
        with database.writing() as session:
            old = _old(session, before)
            if not old:
                break
            session.execute(delete(Result).where(Result.inspection.in_([number for number, *_ in old])))
            session.flush()
            used = dict.fromkeys(sha256 for _, *both in old for sha256 in both if sha256 is not None)
            free = [sha256 for sha256 in used if _is_free(session, sha256)]
        for sha256 in free:  # after the commit: what is killed here leaves a picture, never a result without one
            pictures.forget(sha256)
        total += len(old)
    if total:
        with database.writing() as session:
            what = Event(at=time.time(), person="retention", what="deleted", about=f"{total} passed parts")
            session.add(what)
    return total


def _old(session: Session, before: float) -> list[tuple[int, str, str | None]]:
    """Numbers, pictures and templates of parts that are too old, the oldest first."""
    on_its_way = exists().where(Delivery.inspection == Inspection.id, Delivery.delivered.is_(None))
    query = (
        select(Inspection.id, Inspection.picture, Inspection.template)
        .join(Result, Result.inspection == Inspection.id)
        .where(
            Inspection.state == DONE,
            Inspection.outcome == "pass",
            Inspection.review.is_(None),
            Inspection.finished < before,
            ~on_its_way,
        )
        .order_by(Inspection.id)
        .limit(TOGETHER)
    )
    return [(int(number), str(picture), template) for number, picture, template in session.execute(query).all()]


def _is_free(session: Session, sha256: str) -> bool:
    """Whether no part needs a picture any more."""
    needs = (
        select(func.count())
        .select_from(Inspection)
        .outerjoin(Result, Result.inspection == Inspection.id)
        .where(
            or_(Inspection.picture == sha256, Inspection.template == sha256),
            or_(Inspection.state != DONE, Result.inspection.is_not(None)),
        )
    )
    return not session.scalar(needs)
