"""Inspections over time, and as a table for other programs."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from reason_iad.service.api.guard import needs
from reason_iad.service.api.parts import Service, service_of
from reason_iad.service.api.problems import documented
from reason_iad.service.api.schemas import Part, PartFilter, Scored, Series, SeriesAsked, SeriesCount
from reason_iad.service.database import records, series
from reason_iad.service.faults import Invalid

router = APIRouter(prefix="/v1", tags=["statistics"])
MOST_STEPS = 1000
"""Steps that a series has at most."""
TOGETHER = 500
"""Rows of a table that are read at once."""
COLUMNS = (
    "id", "received", "finished", "product", "name", "state", "outcome", "probability", "score", "defect_type",
    "place", "explanation", "error", "review", "source", "picture",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@router.get("/statistics/series", dependencies=[needs("inspect")], responses=documented(401, 403, 422, 429, 503))
def outcome_series(request: Request, asked: Annotated[SeriesAsked, Query()]) -> Series:
    """How many parts had each outcome and type of defect, step by step, and how long they took."""
    until = time.time() if asked.until is None else asked.until
    since = until - 24 * 3600 if asked.since is None else asked.since
    if not since < until:
        raise Invalid("The time is empty. `until` has to be later than `since`.")
    span = series.Span(since, until, asked.step, asked.product)
    if span.steps > MOST_STEPS:
        raise Invalid(f"This would be {span.steps} steps; at most {MOST_STEPS} are possible. Make `step` longer.")
    with service_of(request).database.reading() as session:
        counts = [
            SeriesCount(begin=since + each.step * span.step, outcome=each.outcome, defect_type=each.defect_type,
                        parts=each.parts)
            for each in series.outcomes(session, span)
        ]  # fmt: skip
        mean, longest = series.waits(session, span)
    return Series(since=since, until=until, step=span.step, counts=counts, mean_seconds=mean, most_seconds=longest)


@router.get(
    "/products/{name}/scores", dependencies=[needs("inspect")], responses=documented(401, 403, 422, 429, 503)
)
def scores(
    request: Request, name: str, last: Annotated[int, Query(description="How many parts.", ge=1, le=5000)] = 1000
) -> list[Scored]:
    """How far the last parts of a product stood out, the oldest first."""
    with service_of(request).database.reading() as session:
        return [Scored.of(row) for row in series.scores(session, name, last)]


@router.get(
    "/inspections.csv", dependencies=[needs("inspect")], response_class=Response,
    responses={**documented(401, 403, 422, 429, 503), 200: {"content": {"text/csv": {}}}},
)  # fmt: skip
def table(request: Request, asked: Annotated[PartFilter, Query()]) -> StreamingResponse:
    """All parts that fit as a table (CSV), the newest first."""
    headers = {"Content-Disposition": 'attachment; filename="inspections.csv"'}
    return StreamingResponse(_rows(service_of(request), asked), media_type="text/csv", headers=headers)


def _rows(service: Service, asked: PartFilter) -> Iterator[str]:
    yield _line(COLUMNS)
    before: int | None = None
    while True:
        wanted = records.Wanted(**asked.model_dump(), before=before)
        with service.database.reading() as session:
            rows, before = records.page(session, wanted, TOGETHER)
            text = "".join(_line(_cells(Part.of(row))) for row in rows)
        yield text
        if before is None:
            return


def _cells(part: Part) -> list[str]:
    values = part.model_dump()
    for name in ("received", "finished"):
        if values[name] is not None:
            values[name] = datetime.fromtimestamp(values[name], timezone.utc).isoformat(timespec="milliseconds")
    return [_cell(values[name]) for name in COLUMNS]


def _cell(value: object) -> str:
    """A value as text. Text that a spreadsheet would take for a formula is quoted: senders choose names."""
    if value is None:
        return ""
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text


def _line(cells: list[str] | tuple[str, ...]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()
