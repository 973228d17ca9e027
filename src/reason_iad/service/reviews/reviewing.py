"""What people say of inspected parts: who looks at which part, what they said, and what the product learns of it.

A part is held for one person at a time, so that two never get the same one. What somebody said is never deleted:
undoing is said, too. The product learns it at once, or after somebody has confirmed it (`corrections.py`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from reason_iad.errors import ProductError
from reason_iad.products import Product, Products
from reason_iad.schema import Box
from reason_iad.service.configuration import When
from reason_iad.service.database import Database
from reason_iad.service.database.tables import DONE, Event, Inspection, Review
from reason_iad.service.faults import Fault, Missing
from reason_iad.service.keeping.pictures import PictureStore
from reason_iad.service.reviews.contradictions import contradictions
from reason_iad.service.reviews.corrections import drop_of, wait_for_confirmation
from reason_iad.service.reviews.teaching import DEFECT, GOOD, SKIP, UNDO, lesson_of, teach

HOLD_S = 600.0
"""Seconds for which a part is held for whoever looks at it."""
LATER = "Noted. The product '{}' learns it when somebody takes this correction on the page of the product."

UNTAUGHT = "Noted. The part is the same picture as its template, so the product '{}' learns nothing of it."


@dataclass(frozen=True, slots=True)
class Said:
    """What a person says of a part."""

    says: str
    defect_type: str | None = None
    box: Box | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it.

    Attributes:
        words: what was changed, in a sentence.
        contradicts: what speaks against it: the same picture, or one that looks nearly the same.
    """

    words: str
    contradicts: str | None = None


class Reviews:
    """What people say.

    Args:
        database, products, pictures: of the service.
        learn: when a product learns what was said.
    """

    def __init__(
        self, database: Database, products: Products, pictures: PictureStore, learn: When = "at once"
    ) -> None:
        self._database, self._products, self._pictures, self._learn = database, products, pictures, learn

    def next(self, person: str, product: str | None = None) -> Inspection | None:
        """The next part that a person should look at: doubtful ones first, then those of the random sample."""
        with self._database.writing() as session:
            free = or_(Inspection.held_until.is_(None), Inspection.held_until < time.time(),
                       Inspection.held_by == person)  # fmt: skip
            open_ = select(Inspection).where(Inspection.state == DONE, Inspection.review.is_(None), free)
            if product is not None:
                open_ = open_.where(Inspection.product == product)
            for wanted in (Inspection.outcome.in_(("review", "unjudged")), Inspection.sampled.is_(True)):
                query = open_.where(wanted).order_by(Inspection.id).limit(1).with_for_update(skip_locked=True)
                found = session.scalar(query)
                if found is not None:
                    found.held_by, found.held_until = person, time.time() + HOLD_S
                    session.flush()
                    session.expunge(found)
                    return found
        return None

    def say(self, number: int, person: str, said: Said) -> Outcome:
        """Record what a person says, and let the product learn it.

        Raises:
            Missing: there is no such part.
            Fault: it is not inspected yet, held for somebody else, or there is nothing to undo.
        """
        with self._database.writing() as session:
            part = session.get(Inspection, number)
            if part is None:
                raise Missing(f"There is no inspection {number}.")
            if part.state != DONE:
                raise Fault(f"The inspection {number} is not done yet.")
            held = part.held_by not in (None, person) and (part.held_until or 0) > time.time()
            if held:
                raise Fault(f"'{part.held_by}' is looking at this part.")
            if said.says == UNDO:
                return self._undone(session, part, person)
            contradicts = self._against(session, part, said)
            review = Review(
                inspection=number, person=person, at=time.time(), says=said.says, defect_type=said.defect_type,
                box=None if said.box is None else said.box.model_dump(), note=said.note,
            )  # fmt: skip
            if said.says == SKIP:
                part.held_by, part.held_until = "nobody", time.time() + HOLD_S
                session.add(review)
                return Outcome("The part is left to somebody else.", contradicts)
            part.review, part.held_by, part.held_until = said.says, None, None
            session.add(review)
            session.add(Event(at=time.time(), person=person, what="review", about=str(number),
                              detail={"says": said.says, "type": said.defect_type}))  # fmt: skip
            if self._learn == "after confirmation":
                wait_for_confirmation(session, review, part.product)
                return Outcome(LATER.format(part.product), contradicts)
            words, review.change = self._taught(part, said)
            return Outcome(words, contradicts)

    def _taught(self, part: Inspection, said: Said) -> tuple[str, int | None]:
        """Let the product learn a part; returns what was done, and the number of the change."""
        product = self._products.open(part.product)
        lesson = lesson_of(part, self._pictures, said.says, said.defect_type, said.box)
        if not lesson.teaches:
            return UNTAUGHT.format(product.name), None
        changed = teach(product, [lesson])
        if changed.state.revision == product.state.revision:
            return f"The product '{product.name}' knew this part already.", None
        return f"The product '{product.name}' knows this part as {lesson.in_words()} now.", changed.state.revision

    def _undone(self, session: Session, part: Inspection, person: str) -> Outcome:
        """Take back what was said last, and what the product learnt of it."""
        said = [each for each in self._history(session, part.id) if each.says in (GOOD, DEFECT)]
        if not said or part.review is None:
            raise Fault("Nothing was said of this part that could be undone.")
        last = said[-1]
        drop_of(session, part.id, person)
        if last.change is not None:
            self._forget(self._products.open(part.product), part)
        part.review, part.held_by, part.held_until = None, None, None
        session.add(Review(inspection=part.id, person=person, at=time.time(), says=UNDO))
        session.add(Event(at=time.time(), person=person, what="review undone", about=str(part.id)))
        return Outcome("The review is undone.")

    def _forget(self, product: Product, part: Inspection) -> None:
        """Take a part out of its product. What was changed since then stays."""
        try:
            product.without(str(self._pictures.path(part.picture)))
        except ProductError:  # somebody took it out already
            return

    def _against(self, session: Session, part: Inspection, said: Said) -> str | None:
        """What speaks against it."""
        if said.says == SKIP:
            return None
        product = self._products.open(part.product)
        return " ".join(contradictions(session, product, part, said.says, said.defect_type)) or None

    def _history(self, session: Session, number: int) -> list[Review]:
        return list(session.scalars(select(Review).filter_by(inspection=number).order_by(Review.id)))


def disagreement(session: Session) -> dict[str, Any]:
    """How often the verdict and people agree, on reviewed parts."""
    rows = session.execute(
        select(Inspection.outcome, Inspection.review, func.count())
        .where(Inspection.review.in_((GOOD, DEFECT)))
        .group_by(Inspection.outcome, Inspection.review)
    )
    found = {(outcome, review): int(number) for outcome, review, number in rows}
    judged = {each: number for each, number in found.items() if each[0] in ("pass", "defect")}
    agree = judged.get(("pass", GOOD), 0) + judged.get(("defect", DEFECT), 0)
    return {"reviewed": sum(found.values()), "judged": sum(judged.values()), "agree": agree}
