"""Inspections as people and programs ask for them: one, a page of a list, and counts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select, tuple_
from sqlalchemy.orm import Session, aliased

from reason_iad.service.database.tables import Inspection, Result, Review, Term
from reason_iad.service.database.terms import asked_terms

MANY = 20_000
"""Words that more parts have than this are all the same to a search."""
FEW = 2_000
"""Parts that are few enough to be looked at all."""
MOST_WORDS = 20
"""Words that an unfinished one may stand for: the first in the order of their characters."""
FIRST, LAST = "\x01", "\U0010ffff"
"""Characters before and behind all that words have."""
BEHIND_JOINTS = "/"
"""The character behind '-' and '.', which join words."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which inspections are asked for; None: all of them.

    Attributes:
        product, outcome, state: as in the table.
        reviewed: whether somebody said what the part really is.
        since, until: when it was received, in seconds since 1970; `until` is exclusive.
        text: words that all have to be there: of the name, the product, the type, the place or the explanation. The
            last one may be the beginning of a word.
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
    asked = asked_terms(wanted.text)
    groups = [[word] for word in asked.whole]
    if asked.beginning is not None:
        groups.append(_beginning_with(session, asked.beginning))
    if not all(groups):
        return [], None
    rarest = _rarest(session, groups)
    if rarest is None:
        rows = list(
            session.scalars(_behind(session, _filtered(select(Inspection), wanted), wanted).limit(most + 1))
        )
    else:
        others = [each for each in groups if each is not rarest]
        few = len(rarest) > 1 and _number(session, rarest, FEW) < FEW
        asked_at_once = [rarest] if few else [[word] for word in rarest]
        found = {
            row.id: row for words in asked_at_once for row in _with_one(session, wanted, words, others, most + 1)
        }
        rows = [found[number] for number in sorted(found, reverse=True)]
    return rows[:most], (rows[most - 1].id if len(rows) > most else None)


def _with_one(
    session: Session, wanted: Wanted, words: list[str], others: list[list[str]], most: int
) -> Iterable[Inspection]:
    """The newest parts with one of some words, and with one of each of the others.

    The parts with a single word are in order in the index; of several words, all parts are looked at.
    """
    if len(words) > 1:
        these = select(Term.inspection).where(Term.word.in_(words))
        query = _filtered(select(Inspection).where(Inspection.id.in_(these)), wanted).order_by(Inspection.id.desc())
        query = query if wanted.before is None else query.where(Inspection.id < wanted.before)
    else:
        found = select(Inspection).join(Term, Term.inspection == Inspection.id).where(Term.word == words[0])
        query = _filtered(found, wanted).order_by(Term.inspection.desc())
        if wanted.before is not None:
            query = query.where(Term.inspection < wanted.before, Inspection.id < wanted.before)
    for group in others:
        there = aliased(Term)
        query = query.where(
            select(there.word).where(there.word.in_(group), there.inspection == Inspection.id).exists()
        )
    return session.scalars(query.limit(most))


def _beginning_with(session: Session, beginning: str) -> list[str]:
    """The words that begin so. Joined ones, such as names of files, are found by their parts."""
    found: list[str] = []
    start, end = beginning, beginning + LAST
    while len(found) < MOST_WORDS:
        word = session.scalar(
            select(Term.word).where(Term.word >= start, Term.word < end).order_by(Term.word).limit(1)
        )
        if word is None:
            break
        alone, *joined = re.split(r"[-.]", word, maxsplit=1)
        if not joined:
            found.append(word)
            start = f"{word}{FIRST}"
        else:
            start = f"{alone}{BEHIND_JOINTS}"
    return found


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


def _rarest(session: Session, groups: list[list[str]]) -> list[str] | None:
    """The words by which to look, so that the fewest parts are looked at; None without words."""
    if len(groups) < 2:
        return groups[0] if groups else None
    return min(groups, key=lambda words: _number(session, words, MANY))


def _number(session: Session, words: list[str], most: int) -> int:
    """How often there is one of these words; no more than `most` is counted."""
    first = select(Term.inspection).where(Term.word.in_(words)).limit(most).subquery()
    return session.scalar(select(func.count()).select_from(first)) or 0


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
    """How many parts had each outcome since then; those that wait or are worked on count by their state."""
    name = func.coalesce(Inspection.outcome, Inspection.state)
    query = select(name, func.count()).where(Inspection.received >= since).group_by(name)
    if product is not None:
        query = query.where(func.coalesce(Inspection.product, "") == product)  # so that SQLite looks by time
    return {outcome: int(number) for outcome, number in session.execute(query)}
