"""Corrections that wait: what people said of parts, and the product learns only once somebody has confirmed it.

A correction is never deleted. It waits, until it is taken or dropped.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from reason_iad.schema import Box
from reason_iad.service.database import Database
from reason_iad.service.database.tables import Correction, Event, Inspection, Review
from reason_iad.service.faults import Fault, Missing
from reason_iad.service.keeping.pictures import PictureStore
from reason_iad.service.reviews.teaching import Lesson, lesson_of, teach

if TYPE_CHECKING:
    from reason_iad.products import Products

PENDING, TAKEN, DROPPED = "pending", "taken", "dropped"
"""States of a correction."""
MOST = 500
"""Corrections that are shown or taken at once."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A correction that waits, with what it is about."""

    correction: Correction
    review: Review
    part: Inspection


def wait_for_confirmation(session: Session, review: Review, product: str) -> None:
    """Keep what was said until somebody confirms it. It takes the place of what waits for the same part."""
    session.flush()  # so that the review has its number
    drop_of(session, review.inspection, review.person)
    session.add(Correction(review=review.id, product=product, state=PENDING))


def drop_of(session: Session, inspection: int, person: str) -> bool:
    """Drop what waits for a part; returns whether anything did."""
    said = select(Review.id).where(Review.inspection == inspection)
    found = session.scalars(
        select(Correction).where(Correction.review.in_(said), Correction.state == PENDING)
    ).all()
    for each in found:
        _decide(each, DROPPED, person)
    return bool(found)


def pending(session: Session, product: str, numbers: Sequence[int] | None = None) -> list[Pending]:
    """The corrections of a product that wait, the oldest first.

    Args:
        session: of the database.
        product: its name.
        numbers: of those that are asked for; None: all.

    Raises:
        Missing: one of these numbers does not wait.
    """
    query = (
        select(Correction, Review, Inspection)
        .join(Review, Review.id == Correction.review)
        .join(Inspection, Inspection.id == Review.inspection)
        .where(Correction.product == product, Correction.state == PENDING)
        .order_by(Correction.id)
        .limit(MOST)
    )
    if numbers is not None:
        query = query.where(Correction.id.in_(numbers))
    found = [Pending(*row) for row in session.execute(query)]
    gone = set(numbers or ()) - {each.correction.id for each in found}
    if gone:
        raise Missing(f"The correction {min(gone)} does not wait any more. Load the page again.")
    return found


def lessons(found: Sequence[Pending], pictures: PictureStore) -> list[Lesson]:
    """What a product learns of them."""
    return [
        lesson_of(each.part, pictures, each.review.says, each.review.defect_type, _box(each.review))
        for each in found
    ]


def _box(review: Review) -> Box | None:
    return None if review.box is None else Box(**review.box)


class Corrections:
    """Takes and drops corrections.

    Args:
        database, products, pictures: of the service.
    """

    def __init__(self, database: Database, products: Products, pictures: PictureStore) -> None:
        self._database, self._products, self._pictures = database, products, pictures

    def take(self, product: str, numbers: Sequence[int], person: str) -> str:
        """Let the product learn corrections; returns in words what came of it.

        Raises:
            Missing: one does not wait any more.
            Fault: none was named.
            ProductError, ImageError, OutputError: as `teach`.
        """
        with self._database.writing() as session:
            found = _named(session, product, numbers)
            before = self._products.open(product)
            after = teach(before, lessons(found, self._pictures))
            changed = after.state.revision != before.state.revision
            for each in found:
                _decide(each.correction, TAKEN, person)
                each.review.change = after.state.revision if changed else None
            session.add(_event(person, "corrections taken", product, numbers))
        if not changed:
            return f"The product '{product}' knew this already."
        return f"The product '{product}' has learnt {_counted(len(found))}."

    def drop(self, product: str, numbers: Sequence[int], person: str) -> str:
        """Leave the product as it is; returns in words what came of it. What people said of the parts stays.

        Raises:
            Missing: one does not wait any more.
            Fault: none was named.
        """
        with self._database.writing() as session:
            found = _named(session, product, numbers)
            for each in found:
                _decide(each.correction, DROPPED, person)
            session.add(_event(person, "corrections dropped", product, numbers))
        return f"{_counted(len(found)).capitalize()} dropped. The product was not changed."


def _named(session: Session, product: str, numbers: Sequence[int]) -> list[Pending]:
    if not numbers:
        raise Fault("No correction is named. Choose one or more.")
    return pending(session, product, numbers)


def _decide(correction: Correction, state: str, person: str) -> None:
    correction.state, correction.decided_by, correction.decided = state, person, time.time()


def _event(person: str, what: str, product: str, numbers: Sequence[int]) -> Event:
    return Event(at=time.time(), person=person, what=what, about=product, detail={"corrections": list(numbers)})


def _counted(number: int) -> str:
    return "1 correction" if number == 1 else f"{number} corrections"
