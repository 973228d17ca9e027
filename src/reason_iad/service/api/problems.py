"""Errors as problem documents (RFC 9457), in the sentences of this package."""

from __future__ import annotations

import errno
import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from reason_iad.errors import ConfigError, ImageError, OutputError, ProductError, ReasonIADError
from reason_iad.service.faults import Fault, Unreachable

log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
RETRY_S = 2
"""Seconds after which a request that came at a bad time may come again."""
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EMFILE, errno.ENFILE)
_STATUS = ((ImageError, 422), (ConfigError, 422), (ProductError, 409), (OutputError, 507))


class Problem(BaseModel):
    """What is answered instead of a result."""

    type: str = "about:blank"
    title: str = Field(description="Name of the status.", examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(description="What is wrong, and what to do.", examples=["There is no inspection 12."])


def problem(status: int, detail: str) -> JSONResponse:
    """The answer with this status and this sentence."""
    headers = {"Retry-After": str(RETRY_S)} if status in (429, 503) else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    content = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail).model_dump()
    return JSONResponse(content, status, headers, MEDIA_TYPE)


def public(error: Exception) -> str:
    """What those who ask are told of an error: everything, unless it may name files or machines."""
    if isinstance(error, Unreachable):
        log.warning("%s", error)
        return "The database cannot be used at the moment. Send this again in a few seconds."
    return str(error)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What the OpenAPI document says of these statuses."""
    return {
        each: {
            "description": HTTPStatus(each).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for each in statuses
    }


def handle_problems(app: FastAPI) -> None:
    """Answer every error with a problem document. No answer names a file or a line of this machine."""

    async def ours(_: Request, error: Exception) -> JSONResponse:
        status = error.status if isinstance(error, Fault) else 422
        for kind, known in _STATUS:
            if isinstance(error, kind):
                status = known
        return problem(status, public(error))

    async def wrong(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError), "registered for it"
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
        return problem(422, f"{place}: {first['msg']}.")

    async def plain(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException), "registered for it"
        if error.status_code == 400:  # FastAPI says so of bytes that are no text
            return problem(422, "The body is not JSON.")
        answer = problem(error.status_code, str(error.detail))
        answer.headers.update(error.headers or {})
        return answer

    async def disk(request: Request, error: Exception) -> JSONResponse:
        if not isinstance(error, OSError) or error.errno not in _DISK:
            return await bug(request, error)
        log.error("%s %s: %s", request.method, request.url.path, error)
        return problem(507, f"The server cannot write to its disk: {error.strerror}. Tell its administrator.")

    async def gone(_: Request, __: Exception) -> JSONResponse:
        return problem(400, "The connection ended before everything was sent.")  # nobody reads it

    async def bug(request: Request, error: Exception) -> JSONResponse:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return problem(500, f"The program has a bug ({type(error).__name__}). The log of the server says more.")

    app.add_exception_handler(ReasonIADError, ours)
    app.add_exception_handler(ClientDisconnect, gone)
    app.add_exception_handler(OSError, disk)
    app.add_exception_handler(RequestValidationError, wrong)
    app.add_exception_handler(HTTPException, plain)
    app.add_exception_handler(Exception, bug)
