"""Sources and sinks: how they are, and a picture on request. What they are is in the configuration file only."""

from __future__ import annotations

from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse

from reason_iad.service import outbox
from reason_iad.service.api.guard import needs
from reason_iad.service.api.parts import service_of
from reason_iad.service.api.problems import documented
from reason_iad.service.api.schemas import Part, SinkFacts, SourceFacts
from reason_iad.service.database.tables import Inspection

router = APIRouter(prefix="/v1", tags=["sources and sinks"])


@router.get("/sources", dependencies=[needs("inspect")], responses=documented(401, 403, 429, 503))
def list_sources(request: Request) -> list[SourceFacts]:
    """All sources of this server."""
    states = service_of(request).flow.states()
    return [
        SourceFacts(name=each.name, kind=each.kind, product=each.product, works=each.works, words=each.words)
        for each in states
    ]


@router.post(
    "/sources/{name}/trigger", dependencies=[needs("inspect")], response_model=Part, status_code=202,
    responses=documented(401, 403, 404, 409, 422, 429, 503),
)  # fmt: skip
async def take_picture(
    request: Request,
    name: str,
    part: Annotated[str | None, Query(description="What you call the part.", max_length=300)] = None,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> Response:
    """Let a camera take a picture now. The answer says where to ask for the result.

    A request that is sent again with the same `Idempotency-Key` takes no second picture.
    """
    service = service_of(request)
    number = await run_sync(service.flow.trigger, name, part, idempotency_key)

    def accepted() -> Part:
        with service.database.reading() as session:
            return Part.of(session.get_one(Inspection, number))

    taken = await run_sync(accepted)
    return JSONResponse(taken.model_dump(), 202, {"Location": f"/v1/inspections/{number}", "Retry-After": "1"})


@router.get("/sinks", dependencies=[needs("inspect")], responses=documented(401, 403, 429, 503))
def list_sinks(request: Request) -> list[SinkFacts]:
    """All sinks of this server."""
    service = service_of(request)
    waiting = service.read(outbox.waiting)
    return [
        SinkFacts(name=name, kind=table.kind, waiting=waiting.get(name, 0))
        for name, table in service.settings.configuration.sinks.items()
    ]
