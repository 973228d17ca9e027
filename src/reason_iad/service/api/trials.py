"""The effect of a change of a product, shown before it is made: asked for, and asked again until it is there."""

from __future__ import annotations

import base64
import io
from typing import Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request

from reason_iad.service.api.areas import BODY, Which, fitting
from reason_iad.service.api.guard import identity_of, needs
from reason_iad.service.api.parts import Number, Service, service_of
from reason_iad.service.api.problems import documented
from reason_iad.service.api.products import check_settings, opened
from reason_iad.service.api.schemas import Chosen, TrialFacts
from reason_iad.service.reviews import trials
from reason_iad.service.reviews.corrections import pending

router = APIRouter(prefix="/v1/products/{name}", tags=["products"])
_ERRORS = documented(401, 403, 404, 409, 413, 422, 429, 503)


@router.post("/corrections/trial", dependencies=[needs("review")], responses=_ERRORS)
def try_corrections(request: Request, name: str, chosen: Chosen) -> TrialFacts:
    """Ask what taking these corrections would do. Ask for the trial until its state is `done` or `failed`."""
    service = service_of(request)
    opened(service, name)
    service.read(pending, name, chosen.corrections)
    return _asked(service, name, identity_of(request).name, {"corrections": chosen.corrections})


@router.post("/trial", dependencies=[needs("administer")], responses=_ERRORS)
def try_settings(request: Request, name: str, settings: dict[str, float | None]) -> TrialFacts:
    """Ask what other settings would do; they are those that can be changed."""
    service = service_of(request)
    opened(service, name)
    check_settings(settings)
    return _asked(service, name, identity_of(request).name, {"settings": settings})


@router.post("/areas/{which}/trial", dependencies=[needs("administer")], responses=_ERRORS, openapi_extra=BODY,
             response_model=TrialFacts)  # fmt: skip
async def try_area(request: Request, name: str, which: Which) -> TrialFacts:
    """Ask what an area would do. Without a body: what taking it away would do."""
    service, person = service_of(request), identity_of(request).name
    content = b"".join([chunk async for chunk in request.stream()])

    def asked() -> TrialFacts:
        product, drawn = opened(service, name), None
        if content:
            out = io.BytesIO()
            fitting(content, product).convert("1").save(out, "PNG")
            drawn = base64.b64encode(out.getvalue()).decode()
        return _asked(service, name, person, {which: drawn})

    return await run_sync(asked)


@router.post("/detection", dependencies=[needs("review")], responses=_ERRORS)
def test_detection(request: Request, name: str) -> TrialFacts:
    """Let defects be drawn on good pictures and looked for. When it is done, `detection` has the outcome."""
    service = service_of(request)
    opened(service, name)
    return _asked(service, name, identity_of(request).name, {"check": True})


@router.get("/trials/{number}", dependencies=[needs("inspect")], responses=_ERRORS)
def one_trial(request: Request, name: str, number: Number) -> TrialFacts:
    """How far a trial is, or what it showed."""
    return _facts(service_of(request), name, number)


def _asked(service: Service, name: str, person: str, what: dict[str, Any]) -> TrialFacts:
    with service.database.writing() as session:
        number = trials.ask(session, name, person, what)
    service.trials.wake()
    return _facts(service, name, number)


def _facts(service: Service, name: str, number: int) -> TrialFacts:
    product = opened(service, name)
    with service.database.reading() as session:
        return TrialFacts.of(trials.trial_of(session, name, number), product.state_sha256)
