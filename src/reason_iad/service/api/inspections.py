"""Parts: send one, wait for it, look for others, see their pictures and reports, say what they really are."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from typing import Annotated, Literal

from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from sqlalchemy.orm import Session

from reason_iad.service.api.bodies import arrived
from reason_iad.service.api.guard import identity_of, needs
from reason_iad.service.api.parts import Number, service_of
from reason_iad.service.api.problems import documented
from reason_iad.service.api.schemas import Asked, Details, GivenReview, NewReview, Part, Parts
from reason_iad.service.api.uploads import PICTURE_BODY, sent_picture
from reason_iad.service.database import records
from reason_iad.service.database.queue import Part as Accepted
from reason_iad.service.database.queue import accept, refuse_early
from reason_iad.service.database.tables import Inspection
from reason_iad.service.faults import Invalid, Missing
from reason_iad.service.keeping.previews import MEDIA_TYPE, Size
from reason_iad.service.reviews.reviewing import Said

router = APIRouter(prefix="/v1", tags=["inspections"])
LATEST = 50
"""Parts that the events tell of."""
LOOK_S, STREAM_S = 0.5, 300.0
"""Seconds between looks for events, and for which one stream of them lasts."""


@router.post(
    "/inspections", dependencies=[needs("inspect")], response_model=Part, openapi_extra=PICTURE_BODY,
    responses={**documented(401, 403, 404, 409, 413, 422, 429, 503), 202: {"model": Part}},
)  # fmt: skip
async def send_part(
    request: Request,
    product: Annotated[str, Query(description="The product that it belongs to.", max_length=100)],
    name: Annotated[
        str | None,
        Query(description="What you call it. Not given: the name of the file in a form.", max_length=300),
    ] = None,
    wait: Annotated[float, Query(description="Seconds to wait for the result.", ge=0)] = 10.0,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> Response:
    """Inspect a picture. Its file is the body of the request, or a file of a form.

    A part with a template of its own comes as a form with two files, `picture` and `template`.
    If the result is there within `wait` seconds, it is the answer. Otherwise the answer is 202, and `Location` says
    where to ask again. A request that is sent again with the same `Idempotency-Key` is inspected once.
    """
    service = service_of(request)
    limits, sent = service.settings.limits, await sent_picture(request)

    def taken() -> int:
        service.require_product(product).require_template(sent.template is not None)
        service.read(refuse_early, "http", idempotency_key, limits.waiting)
        kept = sent.keep(service.pictures, limits.body_bytes)
        called, sampled = name or sent.name or "part", random.random() < service.sample
        part = Accepted(product, kept.picture, called, "http", idempotency_key, sampled, kept.template)
        return accept(service.database, part, limits.waiting)[0]

    number = await run_sync(taken)
    arrived(request)
    done = await service.arrivals.wait(number, min(wait, limits.wait_s)) if wait else False
    part = await run_sync(service.read, _part, number)
    done = done or part.state in ("done", "failed")
    place = {"Location": f"/v1/inspections/{number}", **({} if done else {"Retry-After": "1"})}
    return JSONResponse(part.model_dump(), 200 if done else 202, place)


@router.get("/inspections", dependencies=[needs("inspect")], responses=documented(401, 403, 422, 429, 503))
def list_parts(request: Request, asked: Annotated[Asked, Query()]) -> Parts:
    """The newest parts that fit."""
    service = service_of(request)
    wanted = records.Wanted(**asked.model_dump(exclude={"limit"}))
    with service.database.reading() as session:
        rows, more = records.page(session, wanted, min(asked.limit, service.settings.limits.page))
        return Parts(parts=[Part.of(row) for row in rows], next=more)


@router.get(
    "/inspections/{number}", dependencies=[needs("inspect")], responses=documented(401, 403, 404, 422, 429, 503)
)
def one_part(request: Request, number: Number) -> Details:
    """A part, its full result, and what people said of it."""
    with service_of(request).database.reading() as session:
        row = _row(session, number)
        result = records.result_of(session, number)
        reviews = [GivenReview.of(each) for each in records.reviews_of(session, number)]
        return Details(part=Part.of(row), result=None if result is None else json.loads(result), reviews=reviews)


@router.get(
    "/inspections/{number}/picture", dependencies=[needs("inspect")], response_class=FileResponse,
    responses=documented(401, 403, 404, 422, 429, 503),
)  # fmt: skip
def picture_of(request: Request, number: Number) -> Response:
    """The picture, as it was sent."""
    service = service_of(request)
    with service.database.reading() as session:
        row = _row(session, number)
        return service.picture(session, row.picture)


@router.get(
    "/inspections/{number}/template", dependencies=[needs("inspect")], response_class=FileResponse,
    responses=documented(401, 403, 404, 422, 429, 503),
)  # fmt: skip
def template_of(request: Request, number: Number) -> Response:
    """The template that came with the part, as it was sent."""
    service = service_of(request)
    with service.database.reading() as session:
        return service.picture(session, _template(_row(session, number)))


@router.get(
    "/inspections/{number}/preview", dependencies=[needs("inspect")], response_class=Response,
    responses={**documented(401, 403, 404, 422, 429, 503), 200: {"content": {MEDIA_TYPE: {}}}},
)  # fmt: skip
def preview_of(
    request: Request, number: int, size: Size = "large", of: Literal["picture", "template"] = "picture"
) -> Response:
    """The picture, or the part's own template, as any browser shows it: upright, and as large as it is shown."""
    service = service_of(request)
    row = service.read(_row, number)
    return service.preview(service.pictures.path(_template(row) if of == "template" else row.picture), size)


@router.get(
    "/inspections/{number}/map", dependencies=[needs("inspect")], response_class=Response,
    responses={**documented(401, 403, 404, 409, 422, 429, 503), 200: {"content": {"image/png": {}}}},
)  # fmt: skip
def map_of(request: Request, number: Number) -> Response:
    """Where the part differs: grey, 0 is normal and 255 is not. It lies over the whole picture, and is coarser."""
    return service_of(request).map(number)


@router.get(
    "/inspections/{number}/report", dependencies=[needs("inspect")], response_class=Response,
    responses={**documented(401, 403, 404, 409, 422, 429, 503), 200: {"content": {"text/html": {}}}},
)  # fmt: skip
def report_of(request: Request, number: Number) -> Response:
    """The report, as a page of its own."""
    return service_of(request).report(number)


@router.post(
    "/inspections/{number}/review", dependencies=[needs("review")],
    responses=documented(401, 403, 404, 409, 422, 429, 503),
)  # fmt: skip
def review_part(request: Request, number: Number, review: NewReview) -> dict[str, str | None]:
    """Say what a part really is. The product learns it, and the next verdicts use it."""
    from reason_iad.schema import Box

    service, person = service_of(request), identity_of(request).name
    if review.box is not None and not (review.box.x1 < review.box.x2 and review.box.y1 < review.box.y2):
        raise Invalid("The box is empty. x2 has to be above x1, and y2 above y1.")
    box = None if review.box is None else Box(**review.box.model_dump())
    came = service.reviews.say(number, person, Said(review.says, review.defect_type, box, review.note))
    return {"words": came.words, "contradicts": came.contradicts}


@router.get("/review/next", dependencies=[needs("review")], responses=documented(401, 403, 422, 429, 503))
def next_part(
    request: Request, product: Annotated[str | None, Query(max_length=100)] = None
) -> dict[str, Part | None]:
    """The next part to look at. It is held for you for ten minutes."""
    found = service_of(request).reviews.next(identity_of(request).name, product)
    return {"part": None if found is None else Part.of(found)}


@router.get("/events", dependencies=[needs("inspect")], response_class=StreamingResponse, include_in_schema=False)
async def events(
    request: Request, product: Annotated[str | None, Query(max_length=100)] = None
) -> StreamingResponse:
    """The last parts, again whenever one of them changes, as server-sent events.

    The stream ends after a while and browsers ask again, so that whoever logged out does not go on watching.
    """
    service = service_of(request)

    async def changes() -> AsyncIterator[str]:
        last, end = "", time.monotonic() + STREAM_S
        yield "retry: 500\n\n"
        while time.monotonic() < end and not service.stopping.is_set():
            if await request.is_disconnected():
                return
            now = await run_sync(service.read, _latest, product)
            yield ": still here\n\n" if now == last else f"data: {now}\n\n"
            last = now
            await asyncio.sleep(LOOK_S)

    return StreamingResponse(changes(), media_type="text/event-stream")


def _latest(session: Session, product: str | None) -> str:
    rows, _ = records.page(session, records.Wanted(product=product), LATEST)
    return json.dumps([Part.of(row).model_dump() for row in rows])


def _row(session: Session, number: int) -> Inspection:
    row = session.get(Inspection, number)
    if row is None:
        raise Missing(f"There is no inspection {number}.")
    return row


def _template(row: Inspection) -> str:
    if row.template is None:
        raise Missing("The part came without a template of its own.")
    return row.template


def _part(session: Session, number: int) -> Part:
    return Part.of(_row(session, number))
