"""Who asks, and whether they may: every path is closed unless it is listed here as open.

Programs show a key (`Authorization: Bearer riad_…`), browsers a cookie. A browser sends its cookie with requests
that other sites make, too; so a request that changes something also has to carry the token of the login in a
header, which other sites cannot read.

Before the first person or key is added, a service that only this machine reaches is open to whoever sits at it.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import Any, cast
from urllib.parse import quote

from anyio.to_thread import run_sync
from fastapi import Depends, Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reason_iad.service.api.bodies import Bodies, too_large
from reason_iad.service.api.problems import problem, public
from reason_iad.service.faults import Forbidden, Unavailable
from reason_iad.service.people import KEY, Identity, People, Role
from reason_iad.service.settings import LOOPBACK, Settings

COOKIE = "reason_iad_session"
OPEN = frozenset(
    {"/v1/health", "/v1/ready", "/v1/login", "/login", "/static/login.js", "/static/style.css", "/static/icon.svg"}
)
"""Paths that anybody may ask for."""
SAFE = ("GET", "HEAD", "OPTIONS")
AT_THIS_MACHINE = Identity("local", "administer")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def needs(role: Role) -> Any:
    """What a route asks for of whoever calls it; gives their identity."""

    def check(request: Request) -> Identity:
        identity = identity_of(request)
        if not identity.may(role):
            raise Forbidden(f"This needs the role '{role}'. You have the role '{identity.role}'.")
        return identity

    check.__dict__["role"] = role
    return Depends(check)


def identity_of(request: Request) -> Identity:
    """Who asks; the guard has let them in."""
    return cast(Identity, request.scope["state"]["identity"])


class Guard:
    """Stands before the application.

    Args:
        app: the application.
        people: knows people and keys.
        settings: of the service.
    """

    def __init__(self, app: ASGIApp, people: People, settings: Settings) -> None:
        self._app, self._people, self._settings = app, people, settings
        self._rates = _Rates(settings.limits.per_minute)
        self._bodies = Bodies(settings.limits)
        self._closed = False  # once there was a person or a key, there is no way back to an open door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return  # nothing here speaks over a WebSocket
        sending = _with_headers(send, scope["path"])
        try:
            refused = await self._refusal(scope)
        except Unavailable as error:
            refused = (503, public(error))
        if refused is not None:
            await (_to_login(scope, refused[0]) or problem(*refused))(scope, receive, sending)
            return
        with self._bodies.of(scope, receive) as counted:
            await self._app(scope, counted, sending)

    async def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Why a request is not let through; None if it is."""
        headers = Headers(scope=scope)
        if self._settings.local and headers.get("host", "").rsplit(":", 1)[0].strip("[]") not in LOOPBACK:
            return 421, "This service answers only requests to localhost."
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > 15 or int(length) > self._settings.limits.body_bytes:
            return 413, too_large(self._settings.limits.body_bytes)
        client = scope.get("client")
        open_path = scope["path"] in OPEN
        if open_path:  # whether the server is alive can be asked while the database is not
            identity, cookie = None, session_token(headers) is not None
        else:
            identity, cookie = await run_sync(self._identified, headers)
        if not self._rates.take(identity.name if identity else str(client[0] if client else "")):
            return 429, "Too many requests were sent within a minute. Wait a little."
        if identity is None and not open_path:
            return 401, "Log in, or send a key: Authorization: Bearer riad_…"
        if scope["method"] not in SAFE and (cookie or headers.get("origin")) and not _same_site(headers):
            return 403, "This request comes from another site."
        changes = identity is not None and cookie and scope["method"] not in SAFE and not open_path
        if changes and identity is not None and headers.get("x-csrf-token") != identity.csrf:
            return 403, "The header X-CSRF-Token is missing or wrong. Load the page again."
        scope.setdefault("state", {})["identity"] = identity or Identity("nobody", "inspect")
        return None

    def _identified(self, headers: Headers) -> tuple[Identity | None, bool]:
        """Who asks, and whether a cookie says so."""
        kind, _, secret = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and secret.strip().startswith(KEY):
            return self._people.of_key(secret.strip()), False
        if token := session_token(headers):
            return self._people.of_session(token), True
        if self._settings.local and not self._closed:
            self._closed = self._people.anybody()
            if not self._closed:
                return AT_THIS_MACHINE, False
        return None, False


def _to_login(scope: Scope, status: int) -> Response | None:
    """Where a person is sent who opens a page without a login; None if it is a program that asks."""
    headers = Headers(scope=scope)
    shown = scope["method"] == "GET" and "text/html" in headers.get("accept", "")
    if status != 401 or not shown or scope["path"].startswith("/v1/"):
        return None
    return RedirectResponse(f"/login?next={quote(scope['path'], safe='')}", 303)


def session_token(headers: Headers) -> str | None:
    """The token of a login that a browser sent."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return None if found is None else found.value


def _same_site(headers: Headers) -> bool:
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2] == headers.get("host")


def _with_headers(send: Send, path: str) -> Send:
    """Adds what browsers have to keep to."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            if path.startswith("/v1/"):
                headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sending


class _Rates:
    """Requests per minute from each address or person."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute, self._clock = per_minute, clock
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str) -> bool:
        """Count a request; false if it is one too many."""
        now = self._clock()
        with self._lock:
            left, at = self._left.pop(name, (float(self._per_minute), now))
            left = min(self._per_minute, left + (now - at) * self._per_minute / 60)
            self._left[name] = (max(0.0, left - 1), now)
            while len(self._left) > 10_000:
                self._left.popitem(last=False)
            return left >= 1
