"""The pages that people see: files of this package, sent as they are. What they show comes from `/v1`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from reason_iad.service.api.guard import needs
from reason_iad.service.faults import Missing

router = APIRouter(include_in_schema=False)
FOLDER = Path(__file__).parent.parent / "pages"
MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file of the pages.

    Attributes:
        content: what is sent.
        media_type: what it is.
        tag: changes when the content does.
    """

    content: bytes
    media_type: str
    tag: str


@cache
def page_files() -> dict[str, PageFile]:
    """All files by their names. A name that somebody asks for is only looked up here; it never becomes a path."""
    return {path.name: _read(path) for path in sorted(FOLDER.iterdir()) if path.suffix in MEDIA_TYPES}


@router.get("/login")
def login(request: Request) -> Response:
    """Log in."""
    return _send(request, "login.html")


@router.get("/", dependencies=[needs("inspect")])
def start() -> Response:
    """The first page is that of the line."""
    return RedirectResponse("/line", 303)


@router.get("/line", dependencies=[needs("inspect")])
@router.get("/review", dependencies=[needs("inspect")])
@router.get("/inspections", dependencies=[needs("inspect")])
@router.get("/products", dependencies=[needs("inspect")])
@router.get("/statistics", dependencies=[needs("inspect")])
@router.get("/people", dependencies=[needs("inspect")])
def page(request: Request) -> Response:
    """A page."""
    return _send(request, f"{request.url.path.strip('/')}.html")


@router.get("/products/{name}", dependencies=[needs("inspect")])
def product_page(request: Request, name: str) -> Response:
    """The page of a product; it reads the name from its own address."""
    return _send(request, "product.html")


@router.get("/inspections/{number}", dependencies=[needs("inspect")])
def inspection_page(request: Request, number: int) -> Response:
    """The page of an inspection; it reads the number from its own address."""
    return _send(request, "inspection.html")


@router.get("/static/login.js")
@router.get("/static/style.css")
@router.get("/static/icon.svg")
def open_file(request: Request) -> Response:
    """What the page of the login needs."""
    return _send(request, request.url.path.removeprefix("/static/"))


@router.get("/static/{name}", dependencies=[needs("inspect")])
def file(request: Request, name: str) -> Response:
    """Styles and scripts."""
    return _send(request, name)


def _send(request: Request, name: str) -> Response:
    found = page_files().get(name)
    if found is None:
        raise Missing("There is no such page.")
    headers = {"ETag": found.tag, "Cache-Control": "no-cache"}  # ask every time; an update is seen at once
    if request.headers.get("if-none-match") == found.tag:
        return Response(status_code=304, headers=headers)
    return Response(found.content, media_type=found.media_type, headers=headers)


def _read(path: Path) -> PageFile:
    content = path.read_bytes()
    return PageFile(content, MEDIA_TYPES[path.suffix], f'"{hashlib.sha256(content).hexdigest()[:32]}"')
