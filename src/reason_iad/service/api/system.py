"""Whether the service works, and how it does."""

from __future__ import annotations

import time
from typing import Annotated, get_args

from fastapi import APIRouter, Query, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from sqlalchemy import func, select

from reason_iad.service import outbox
from reason_iad.service.api.guard import needs
from reason_iad.service.api.parts import service_of
from reason_iad.service.api.problems import documented
from reason_iad.service.api.schemas import Counts, Health
from reason_iad.service.configuration import Outcome
from reason_iad.service.database import records
from reason_iad.service.database.series import Span, waits
from reason_iad.service.database.tables import Inspection
from reason_iad.service.faults import Unavailable
from reason_iad.service.reviews.reviewing import disagreement

router = APIRouter(prefix="/v1", tags=["system"])


@router.get("/health", responses=documented(429))
def health() -> Health:
    """Whether the server answers."""
    return Health(status="ok")


@router.get("/ready", responses=documented(429, 503))
def ready(request: Request) -> Health:
    """Whether parts can be inspected: the database answers, and a worker is there."""
    service_of(request).database.ping()
    if not request.app.state.ready():
        raise Unavailable("No worker is ready yet. Ask again in a few seconds.")
    return Health(status="ok")


@router.get("/statistics", dependencies=[needs("inspect")], responses=documented(401, 403, 422, 429, 503))
def statistics(
    request: Request,
    since: Annotated[float | None, Query(description="Default: eight hours ago.", allow_inf_nan=False)] = None,
    product: Annotated[str | None, Query(max_length=100)] = None,
) -> Counts:
    """How many parts had each outcome."""
    begin = time.time() - 8 * 3600 if since is None else since
    return Counts(since=begin, counts=service_of(request).read(records.counts, begin, product))


@router.get("/statistics/agreement", dependencies=[needs("inspect")], responses=documented(401, 403, 429, 503))
def agreement(request: Request) -> dict[str, int]:
    """How often verdicts and people agree."""
    return service_of(request).read(disagreement)


@router.get(
    "/metrics", dependencies=[needs("inspect")], response_class=Response,
    responses={**documented(401, 403, 429, 503), 200: {"content": {"text/plain": {}}}},
)  # fmt: skip
def metrics(request: Request) -> Response:
    """The same for Prometheus."""
    registry = CollectorRegistry()
    states = Gauge("reason_iad_parts", "Accepted parts by state.", ["state"], registry=registry)
    hour = Gauge("reason_iad_outcomes_hour", "Parts of the last hour by outcome.", ["outcome"], registry=registry)
    away = Gauge("reason_iad_undelivered", "Outcomes that a sink has not taken yet.", ["sink"], registry=registry)
    works = Gauge("reason_iad_source_works", "1 if a source brings parts, else 0.", ["source"], registry=registry)
    took = Gauge(
        "reason_iad_seconds_hour", "Seconds from a part's arrival to its verdict, within an hour: 'mean', 'most'.",
        ["of"], registry=registry,
    )  # fmt: skip
    service, now = service_of(request), time.time()
    for source in service.flow.states():
        works.labels(source.name).set(source.works)
    for outcome in get_args(Outcome):  # a series that begins at 0 shows the first part, too
        hour.labels(outcome).set(0)
    for sink in service.settings.configuration.sinks:
        away.labels(sink).set(0)
    with service.database.reading() as session:
        for sink, number in outbox.waiting(session).items():
            away.labels(sink).set(number)
        for state in ("waiting", "working"):
            states.labels(state).set(session.scalar(select(func.count()).where(Inspection.state == state)) or 0)
        for outcome, number in records.counts(session, now - 3600).items():
            hour.labels(outcome).set(number)
        for name, seconds in zip(("mean", "most"), waits(session, Span(now - 3600, now, 3600)), strict=True):
            if seconds is not None:
                took.labels(name).set(seconds)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
