"""Corrections that wait until somebody confirms them: see them, take them, drop them."""

from __future__ import annotations

from fastapi import APIRouter, Request

from reason_iad.service.api.guard import identity_of, needs
from reason_iad.service.api.parts import service_of
from reason_iad.service.api.problems import documented
from reason_iad.service.api.products import opened
from reason_iad.service.api.schemas import Chosen, Said, WaitingCorrection, WaitingCorrections
from reason_iad.service.reviews.corrections import pending

router = APIRouter(prefix="/v1/products/{name}/corrections", tags=["products"])
_ERRORS = documented(401, 403, 404, 409, 422, 429, 503)


@router.get("", dependencies=[needs("inspect")], responses=_ERRORS)
def list_corrections(request: Request, name: str) -> WaitingCorrections:
    """The corrections of a product that wait, the oldest first, and when corrections are learnt."""
    service = service_of(request)
    opened(service, name)
    with service.database.reading() as session:
        waiting = [WaitingCorrection.of(each) for each in pending(session, name)]
    return WaitingCorrections(learn=service.settings.configuration.corrections.learn, corrections=waiting)


@router.post("/take", dependencies=[needs("review")], responses=_ERRORS)
def take(request: Request, name: str, chosen: Chosen) -> Said:
    """Let the product learn corrections. The next verdicts use them."""
    service = service_of(request)
    opened(service, name)
    return Said(words=service.corrections.take(name, chosen.corrections, identity_of(request).name))


@router.post("/drop", dependencies=[needs("review")], responses=_ERRORS)
def drop(request: Request, name: str, chosen: Chosen) -> Said:
    """Leave the product as it is. What people said of the parts stays."""
    service = service_of(request)
    opened(service, name)
    return Said(words=service.corrections.drop(name, chosen.corrections, identity_of(request).name))
