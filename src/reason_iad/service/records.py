"""Inspections as people and programs ask for them: one, a page of a list, and counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, func, select
from sqlalchemy.orm import Session

from reason_iad.service.database.tables import DONE, Inspection, Result, Review, Term
from reason_iad.service.terms import asked_terms

REVIEWED, OPEN = "yes", "no"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which inspections are asked for; None: all of them.

    Attributes:
        product, outcome, state: as in the table.
        reviewed: whether somebody said what the part really is.
        since, until: when it was received, in seconds since 1970; `until` is exclusive.
        text: words that all have to be there: of the name, the product, the type, the place or the explanation.
        before: only those with a smaller number: the cursor.
    """

    product: str | None = None
    outcome: str | None = None
    state: str | None = None
    reviewed: bool | None = None
    since: float | None = None
    until: float | None = None
    text: str | None = None
    before: int | None = None


def page(session: Session, wanted: Wanted, most: int) -> tuple[list[Inspection], int | None]:
    """The newest inspections that are asked for.

    Returns:
        They, and the cursor of the next page; None if this is the last one.
    """
    query = _filtered(select(Inspection), wanted).order_by(Inspection.id.desc()).limit(most + 1)
    rows = list(session.scalars(query))
    return rows[:most], (rows[most - 1].id if len(rows) > most else None)


def _filtered(query: Select[Any], wanted: Wanted) -> Select[Any]:
    for column, value in (
        (Inspection.product, wanted.product),
        (Inspection.outcome, wanted.outcome),
        (Inspection.state, wanted.state),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.reviewed is not None:
        query = query.where(Inspection.review.is_not(None) if wanted.reviewed else Inspection.review.is_(None))
    if wanted.since is not None:
        query = query.where(Inspection.received >= wanted.since)
    if wanted.until is not None:
        query = query.where(Inspection.received < wanted.until)
    if wanted.before is not None:
        query = query.where(Inspection.id < wanted.before)
    for word in asked_terms(wanted.text):
        query = query.where(
            select(Term.word).where(and_(Term.word == word, Term.inspection == Inspection.id)).exists()
        )
    return query


def result_of(session: Session, number: int) -> str | None:
    """The full result, as JSON; None while there is none."""
    found = session.get(Result, number)
    return None if found is None else found.json


def reviews_of(session: Session, number: int) -> list[Review]:
    """What people said of it, in order."""
    return list(session.scalars(select(Review).filter_by(inspection=number).order_by(Review.id)))


def counts(session: Session, since: float, product: str | None = None) -> dict[str, int]:
    """How many parts had each outcome since then; 'failed' are those without one."""
    query = select(Inspection.outcome, Inspection.state, func.count()).where(Inspection.received >= since)
    if product is not None:
        query = query.where(Inspection.product == product)
    found: dict[str, int] = {}
    for outcome, state, number in session.execute(query.group_by(Inspection.outcome, Inspection.state)):
        name = str(outcome if state == DONE else state)
        found[name] = found.get(name, 0) + int(number)
    return found
