"""The application: routes behind the guard, and what begins and ends with the server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Event
from typing import Any

from anyio.to_thread import run_sync
from fastapi import FastAPI
from starlette.middleware import Middleware

from reason_iad import __version__
from reason_iad.products import Products
from reason_iad.service.api import areas, exporting, inspections, pages, people, products, sources, supplies, system
from reason_iad.service.api import corrections as corrections_routes
from reason_iad.service.api import trials as trials_routes
from reason_iad.service.api.arrivals import Arrivals
from reason_iad.service.api.guard import OPEN, Guard
from reason_iad.service.api.parts import Service
from reason_iad.service.api.problems import Problem, documented, handle_problems
from reason_iad.service.database import Database
from reason_iad.service.flow import Flow
from reason_iad.service.keeping.pictures import PictureStore
from reason_iad.service.people import People
from reason_iad.service.reviews.corrections import Corrections
from reason_iad.service.reviews.reviewing import Reviews
from reason_iad.service.reviews.trials import Trials
from reason_iad.service.settings import Settings
from reason_iad.service.work.supervisor import Supervisor

ROOMS = (
    areas, corrections_routes, trials_routes, exporting, inspections, products, sources, supplies, people, system,
    pages,
)  # fmt: skip
"""What the routes are in."""


def make_app(settings: Settings, database: Database, supervisor: Supervisor | None = None) -> FastAPI:
    """The application.

    Args:
        settings: of the service.
        database: brought up to date.
        supervisor: of workers that begin and end with the server; None: workers are somewhere else.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if supervisor is not None:
            supervisor.start()
        try:
            await run_sync(trials.start)
            await run_sync(flow.start)
            yield
        finally:
            await run_sync(trials.stop)
            await run_sync(flow.stop)
            if supervisor is not None:
                await run_sync(supervisor.stop)

    catalogue, pictures = Products(settings.products), PictureStore(settings.pictures)
    folk, flow = People(database, settings.limits.logins), Flow(settings, database, catalogue, pictures)
    trials = Trials(settings, database)
    app = FastAPI(
        title="Reason-IAD", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None,
        openapi_url="/v1/openapi.json", middleware=[Middleware(Guard, people=folk, settings=settings)],
        description="Send pictures of parts, and get verdicts with reasons.",
    )  # fmt: skip
    stopping, done = Event(), (lambda: None if supervisor is None else supervisor.done)
    app.state.service = Service(
        settings=settings, database=database, products=catalogue, pictures=pictures, people=folk,
        reviews=Reviews(database, catalogue, pictures, settings.configuration.corrections.learn),
        corrections=Corrections(database, catalogue, pictures), trials=trials,
        arrivals=Arrivals(database, stopping, done), stopping=stopping, flow=flow,
    )  # fmt: skip
    app.state.ready = lambda: supervisor is None or supervisor.ready
    for room in ROOMS:
        app.include_router(room.router)
    handle_problems(app)
    _describe(app)
    return app


def _describe(app: FastAPI) -> None:
    """The OpenAPI document names what errors look like."""
    plain = app.openapi

    def described() -> dict[str, object]:
        if app.openapi_schema is None:
            document = plain()
            parts = document.setdefault("components", {})
            parts.setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
            parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            document["security"] = [{"key": []}]
            for path, operations in document["paths"].items():
                for operation in operations.values():
                    _describe_guard(path, operation)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]


def _describe_guard(path: str, operation: dict[str, Any]) -> None:
    """What the guard may answer to a request, and what every disk may do."""
    statuses = {421, 429, 500, 503, 507}
    if "requestBody" in operation:
        statuses |= {408, 413}
    if path in OPEN:
        operation["security"] = []
    else:
        statuses |= {401, 403}
    for status, answer in documented(*sorted(statuses)).items():
        operation["responses"].setdefault(str(status), answer)
