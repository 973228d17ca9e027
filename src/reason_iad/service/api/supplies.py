"""What workers on other machines fetch: products as archives, and where outcomes go."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from reason_iad import __version__
from reason_iad.products.exchange import export
from reason_iad.service.api.guard import needs
from reason_iad.service.api.parts import service_of
from reason_iad.service.api.problems import documented
from reason_iad.service.api.products import opened
from reason_iad.service.work.supplies import WorkerFacts

router = APIRouter(prefix="/v1", tags=["workers"])


@router.get("/worker", dependencies=[needs("inspect")], responses=documented(401, 403, 429, 503))
def worker_facts(request: Request) -> WorkerFacts:
    """What workers on other machines have to know."""
    return WorkerFacts(version=__version__, rules=service_of(request).settings.configuration.rules)


@router.get(
    "/products/{name}/archive", dependencies=[needs("inspect")], response_class=FileResponse,
    responses={
        **documented(401, 403, 404, 409, 422, 429, 503),
        200: {"content": {"application/zip": {}}},
        304: {"description": "Not Modified"},
    },
)  # fmt: skip
def archive(
    request: Request, name: str, if_none_match: Annotated[str | None, Header(max_length=2000)] = None
) -> Response:
    """A product as `reason-iad product import` takes it. Its tag is the hash of its state."""
    product = opened(service_of(request), name)
    headers = {"ETag": f'"{product.state_sha256}"'}
    if product.state_sha256 in (if_none_match or ""):
        return Response(status_code=304, headers=headers)
    folder = Path(mkdtemp(prefix="reason-iad-"))
    remove = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
    try:
        export(product, folder / f"{name}.zip")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return FileResponse(folder / f"{name}.zip", media_type="application/zip", headers=headers, background=remove)
