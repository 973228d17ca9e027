"""Accepted parts as jobs: rows of `inspection` that are taken, worked on, and recorded once.

A part is accepted when its row is committed. A worker takes it for a time (its lease); whoever finishes it says
which attempt it was, so that a worker that was given up cannot record a second result. A part whose worker died
goes back, and after a few attempts it is given up, since it may be what kills the workers. A part that was begun
before is taken alone, so that it does not take others with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import CursorResult, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reason_iad.service.database import Database
from reason_iad.service.database.tables import (
    DONE,
    FAILED,
    WAITING,
    WORKING,
    Delivery,
    Inspection,
    Picture,
    Result,
    Term,
)
from reason_iad.service.database.terms import words_of
from reason_iad.service.faults import Fault, Unavailable

if TYPE_CHECKING:
    from reason_iad.service.keeping.pictures import Stored

MOST_NAME = 300
Takers = Callable[[str, str], Iterable[str]]
"""Names of the sinks that take a product's outcome."""


def nobody(product: str, outcome: str) -> Iterable[str]:
    """No outcome goes anywhere."""
    return ()


@dataclass(frozen=True, slots=True)
class Part:
    """A part to accept.

    Attributes:
        product: that it belongs to.
        picture: of it, on the disk.
        name: what people call it.
        source: where it comes from: 'http', or the name of a folder or a camera.
        key: unique for its source; a part with a key that is known is not accepted again.
        sampled: whether it belongs to the random sample that people review in any case.
        template: its own, on the disk; None: that of its product, if there is one.
    """

    product: str
    picture: Stored
    name: str
    source: str
    key: str | None = None
    sampled: bool = False
    template: Stored | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A part that a worker has taken. `picture` and `template`, where it has its own, are hashes."""

    id: int
    product: str
    picture: str
    name: str
    attempt: int
    template: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What is recorded of an inspected part.

    Attributes:
        outcome: 'pass', 'defect', 'review' or 'unjudged'.
        probability: of a defect.
        score: of the comparison; None without one.
        defect_type, place, explanation: in words.
        json: the full result.
    """

    outcome: str
    probability: float
    score: float | None
    defect_type: str | None
    place: str | None
    explanation: str
    json: str


def accept(database: Database, part: Part, most_waiting: int) -> tuple[int, bool]:
    """Accept a part.

    Returns:
        Its number, and whether it is new: a part with the same source and key was accepted before otherwise.

    Raises:
        Unavailable: too many parts are waiting.
        Fault: its key was used for another picture, template or product.
    """
    try:
        with database.writing() as session:
            if (known := _known(session, part)) is not None:
                return known, False
            _refuse_more(session, most_waiting)
            _know(session, part.picture)
            if part.template is not None:
                _know(session, part.template)
            row = Inspection(
                product=part.product, picture=part.picture.sha256, template=_template(part),
                name=part.name[:MOST_NAME], source=part.source, key=part.key, received=time.time(),
                sampled=part.sampled,
            )  # fmt: skip
            session.add(row)
            session.flush()
            return row.id, True
    except IntegrityError:  # on PostgreSQL, another request with the same key or picture was faster
        with database.reading() as session:
            if (known := _known(session, part)) is not None:
                return known, False
        return accept(database, part, most_waiting)


def _know(session: Session, stored: Stored) -> None:
    """Have the row of a picture."""
    if session.get(Picture, stored.sha256) is None:
        session.add(
            Picture(
                sha256=stored.sha256, bytes=stored.bytes, width=stored.width, height=stored.height,
                format=stored.format, added=time.time(),
            )
        )  # fmt: skip
        session.flush()


def _template(part: Part) -> str | None:
    return None if part.template is None else part.template.sha256


def refuse_early(session: Session, source: str, key: str | None, most_waiting: int) -> None:
    """Refuse a part before anything is written for it; one that was accepted before is not refused.

    Raises:
        Unavailable: too many parts are waiting.
    """
    same = select(Inspection.id).filter_by(source=source, key=key)
    if key is None or session.scalar(same) is None:
        _refuse_more(session, most_waiting)


def _refuse_more(session: Session, most_waiting: int) -> None:
    waiting = session.scalar(select(func.count()).where(Inspection.state.in_((WAITING, WORKING)))) or 0
    if waiting >= most_waiting:
        raise Unavailable(f"{waiting} parts are waiting. Send this one again in a few seconds.")


def _known(session: Session, part: Part) -> int | None:
    """The part that was accepted with this key."""
    if part.key is None:
        return None
    found = session.scalars(select(Inspection).filter_by(source=part.source, key=part.key)).one_or_none()
    if found is None:
        return None
    same = (part.picture.sha256, part.product, _template(part))
    if (found.picture, found.product, found.template) != same:
        raise Fault(f"The key '{part.key}' was used for another part. Use a new key for each part.")
    return found.id


def next_product(database: Database) -> str | None:
    """The product of the part that waits longest; None if none waits."""
    with database.reading() as session:  # looking does not hold up those who write
        return session.scalar(select(Inspection.product).filter_by(state=WAITING).order_by(Inspection.id).limit(1))


def claim(database: Database, worker: str, most: int, lease_s: float) -> list[Job]:
    """Take the parts that wait longest, as long as they are of one product. Two workers never take the same one.

    A part that was begun before comes alone: if it stops the worker again, nothing else was begun with it.

    Args:
        database: the database.
        worker: who takes them.
        most: so many at most.
        lease_s: seconds after which they go back unless they are finished or renewed.
    """
    with database.writing() as session:
        waiting = select(Inspection).filter_by(state=WAITING).order_by(Inspection.id).limit(most)
        rows = session.scalars(waiting.with_for_update(skip_locked=True)).all()
        alone = (at for at, row in enumerate(rows) if row.attempts or row.product != rows[0].product)
        rows = rows[: max(1, next(alone, len(rows)))]
        for row in rows:
            row.state, row.worker, row.lease = WORKING, worker, time.time() + lease_s
            row.attempts += 1
        return [Job(row.id, row.product, row.picture, row.name, row.attempts, row.template) for row in rows]


def renew(database: Database, worker: str, jobs: Iterable[int], lease_s: float) -> None:
    """Keep parts for longer."""
    with database.writing() as session:
        session.execute(
            update(Inspection)
            .where(Inspection.id.in_(list(jobs)), Inspection.state == WORKING, Inspection.worker == worker)
            .values(lease=time.time() + lease_s)
        )


def finish(
    database: Database, worker: str, done: Sequence[tuple[Job, Finding | str]], takers: Takers = nobody
) -> list[int]:
    """Record results, or why there are none. A part that was taken from this worker meanwhile is left alone.

    Args:
        database: the database.
        worker: who did it.
        done: the parts, and what was found.
        takers: where outcomes go; what has to go there is written down together with the result.

    Returns:
        The numbers of the parts that were recorded.
    """
    recorded = []
    with database.writing() as session:
        for job, found in done:
            values: dict[str, object] = {"finished": time.time(), "lease": None}
            said: tuple[str | None, ...]
            if isinstance(found, str):
                said = None, None, found
                values |= {"state": FAILED, "outcome": FAILED, "error": found}
            else:
                said = found.defect_type, found.place, found.explanation
                values |= {
                    "state": DONE, "outcome": found.outcome, "probability": found.probability,
                    "score": found.score, "defect_type": found.defect_type, "place": found.place,
                    "explanation": found.explanation,
                }  # fmt: skip
            mine = update(Inspection).filter_by(id=job.id, state=WORKING, worker=worker, attempts=job.attempt)
            changed = session.execute(mine.values(**values))
            if not isinstance(changed, CursorResult) or changed.rowcount != 1:
                continue
            recorded.append(job.id)
            _send(session, [(job.id, job.product)], str(values["outcome"]), takers)
            if not isinstance(found, str):
                session.add(Result(inspection=job.id, json=found.json))
            _index(session, job.id, job.name, job.product, *said)
    return recorded


def unbegun(database: Database, worker: str, jobs: Iterable[Job]) -> None:
    """Parts that a worker took and did not begin wait again, as if they had not been taken."""
    with database.writing() as session:
        for job in jobs:
            mine = update(Inspection).filter_by(id=job.id, state=WORKING, worker=worker, attempts=job.attempt)
            session.execute(mine.values(state=WAITING, worker=None, lease=None, attempts=job.attempt - 1))


def _index(session: Session, number: int, name: str, product: str, *said: str | None) -> None:
    """Let a part be found by its name, its product, and what is said of it: type, place and explanation."""
    defect_type, place, explanation = said
    words = words_of(name, product, defect_type, place, explanation)
    session.add_all(Term(word=word, inspection=number) for word in words)


def _send(session: Session, parts: Iterable[tuple[int, str]], outcome: str, takers: Takers) -> None:
    """Put outcomes into the outbox."""
    now = time.time()
    session.add_all(
        Delivery(sink=sink, inspection=number, next_try=now)
        for number, product in parts
        for sink in takers(product, outcome)
    )


def give_back(
    database: Database, attempts: int, lease_s: float, *, worker: str | None = None, takers: Takers = nobody
) -> int:
    """Parts whose worker is gone wait again, or are given up after so many attempts.

    Args:
        database: the database.
        attempts, lease_s: as in `settings.Limits`.
        worker: the one that is gone; it may end with '*'. None: all whose time is over. A time that lies further
            ahead than any worker can ask for is over, too: the clock was set back.
        takers: where the outcomes of parts go that are given up.

    Returns:
        How many parts that are.
    """
    gone = Inspection.state == WORKING
    if worker is None:
        now = time.time()
        gone &= or_(Inspection.lease < now, Inspection.lease > now + 2 * lease_s)
    else:
        gone &= Inspection.worker.like(worker.replace("*", "%"))
    given_up = (
        f"The inspection was begun {attempts} times and never ended. Its picture may be what stops the workers: "
        "look at it, and send the part again."
    )
    with database.writing() as session:
        columns = (Inspection.id, Inspection.product, Inspection.name)
        hopeless = select(*columns).where(gone, Inspection.attempts >= attempts).with_for_update()
        parts = [(int(number), str(product), str(name)) for number, product, name in session.execute(hopeless)]
        lost = session.execute(
            update(Inspection)
            .where(Inspection.id.in_([number for number, *_ in parts]))
            .values(state=FAILED, outcome=FAILED, error=given_up, finished=time.time(), lease=None)
        )
        for number, product, name in parts:
            _index(session, number, name, product, None, None, given_up)
        _send(session, [(number, product) for number, product, _ in parts], FAILED, takers)
        back = session.execute(update(Inspection).where(gone).values(state=WAITING, worker=None, lease=None))
        return sum(each.rowcount for each in (lost, back) if isinstance(each, CursorResult))
