"""How outcomes change over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Float, Integer, cast, func, select
from sqlalchemy.orm import Session

from reason_iad.service.database.tables import DONE, FAILED, Inspection


@dataclass(frozen=True, slots=True)
class Span:
    """Which parts are counted, and in what steps; times in seconds since 1970.

    Attributes:
        since, until: when they were received; `until` is exclusive.
        step: seconds that are counted together.
        product: of the parts; None: all.
    """

    since: float
    until: float
    step: float
    product: str | None = None

    @property
    def steps(self) -> int:
        """How many steps there are; the last one may be shorter."""
        return max(1, -int(-(self.until - self.since) // self.step))

    def fits(self, *states: str) -> list[ColumnElement[bool]]:
        """What the parts in these states have in common."""
        found = [Inspection.received >= self.since, Inspection.received < self.until, Inspection.state.in_(states)]
        return found if self.product is None else [*found, Inspection.product == self.product]


@dataclass(frozen=True, slots=True)
class Count:
    """How many parts of one step had an outcome, and a type of defect."""

    step: int
    outcome: str
    defect_type: str | None
    parts: int


def outcomes(session: Session, span: Span) -> list[Count]:
    """How many parts had each outcome and type, step by step."""
    number = _floor(session, (Inspection.received - span.since) / span.step).label("number")
    query = select(number, Inspection.outcome, Inspection.defect_type, func.count())
    query = query.where(*span.fits(DONE, FAILED))
    rows = session.execute(query.group_by(number, Inspection.outcome, Inspection.defect_type))
    return [Count(int(at), str(outcome), kind, int(parts)) for at, outcome, kind, parts in rows]


def waits(session: Session, span: Span) -> tuple[float | None, float | None]:
    """Seconds from a part's arrival to its result: the mean, and the longest."""
    took = Inspection.finished - Inspection.received
    mean, longest = session.execute(select(func.avg(took), func.max(took)).where(*span.fits(DONE))).one()
    return mean, longest


def scores(session: Session, product: str, most: int) -> list[Inspection]:
    """The newest parts of a product that have a score, the oldest of them first."""
    scored = (Inspection.product == product, Inspection.state == DONE, Inspection.score.is_not(None))
    rows = session.scalars(select(Inspection).where(*scored).order_by(Inspection.id.desc()).limit(most))
    return list(rows)[::-1]


def _floor(session: Session, value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Rounded down, for numbers that are not negative: casting rounds down on SQLite only."""
    if session.get_bind().dialect.name == "sqlite":
        return cast(value, Integer)
    return cast(func.floor(cast(value, Float)), Integer)
