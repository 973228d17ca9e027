"""Inspections as people and programs ask for them: one, a page of a list, and counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select, tuple_
from sqlalchemy.orm import Session, aliased

from reason_iad.service.database.tables import Inspection, Result, Review, Term
from reason_iad.service.terms import asked_terms

MANY = 20_000
"""Words that more parts have than this are all the same to a search."""


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
    words = asked_terms(wanted.text)
    rarest = _rarest(session, words)
    if rarest is None:
        query = _behind(session, _filtered(select(Inspection), wanted), wanted)
    else:
        found = select(Inspection).join(Term, Term.inspection == Inspection.id).where(Term.word == rarest)
        query = _filtered(found, wanted).order_by(Term.inspection.desc())
        if wanted.before is not None:
            query = query.where(Term.inspection < wanted.before, Inspection.id < wanted.before)
    for word in words:
        if word != rarest:
            there = aliased(Term)
            query = query.where(
                select(there.word).where(there.word == word, there.inspection == Inspection.id).exists()
            )
    rows = list(session.scalars(query.limit(most + 1)))
    return rows[:most], (rows[most - 1].id if len(rows) > most else None)


def _behind(session: Session, query: Select[Any], wanted: Wanted) -> Select[Any]:
    """The newest first, behind the cursor: by number, or by time where a time is asked for."""
    if wanted.since is None and wanted.until is None:
        query = query.order_by(Inspection.id.desc())
        return query if wanted.before is None else query.where(Inspection.id < wanted.before)
    query = query.order_by(Inspection.received.desc(), Inspection.id.desc())
    if wanted.before is None:
        return query
    last = session.get(Inspection, wanted.before)
    if last is None:
        return query.where(Inspection.id < wanted.before)
    return query.where(tuple_(Inspection.received, Inspection.id) < (last.received, last.id))


def _rarest(session: Session, words: list[str]) -> str | None:
    """The word by which to look, so that the fewest parts are looked at; None without words."""
    if len(words) < 2:
        return words[0] if words else None

    def number(word: str) -> int:
        first = select(Term.inspection).filter_by(word=word).limit(MANY).subquery()
        return session.scalar(select(func.count()).select_from(first)) or 0

    return min(words, key=number)


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
    name = func.coalesce(Inspection.outcome, Inspection.state)
    query = select(name, func.count()).where(Inspection.received >= since).group_by(name)
    if product is not None:
        query = query.where(func.coalesce(Inspection.product, "") == product)  # so that SQLite looks by time
    return {outcome: int(number) for outcome, number in session.execute(query)}
