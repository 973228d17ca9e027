"""Areas of a product: what is ignored on its parts, and what alone is inspected."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse
from PIL import Image

from reason_iad.errors import ImageError
from reason_iad.images import load_image
from reason_iad.products import Product
from reason_iad.service.api.guard import identity_of, needs
from reason_iad.service.api.parts import service_of
from reason_iad.service.api.problems import documented
from reason_iad.service.api.products import facts_of, opened
from reason_iad.service.api.schemas import ProductFacts
from reason_iad.service.faults import Missing

router = APIRouter(prefix="/v1/products/{name}/areas", tags=["products"])
_ERRORS = documented(401, 403, 404, 409, 413, 422, 429, 503)
BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}
}
MARKED = 127
"""Pixels that are lighter are marked."""
Which = Literal["ignore", "inspect"]


@router.get(
    "/{which}", dependencies=[needs("inspect")], response_class=FileResponse,
    responses={**_ERRORS, 200: {"content": {"image/png": {}}}},
)  # fmt: skip
def one_area(request: Request, name: str, which: Which) -> Response:
    """The picture in which the area is marked, white on black."""
    product = opened(service_of(request), name)
    path = product.ignore if which == "ignore" else product.inspect
    if path is None:
        raise Missing("The product has no such area.")
    return FileResponse(path, headers={"Content-Disposition": "inline"})


@router.put("/{which}", dependencies=[needs("administer")], responses=_ERRORS, openapi_extra=BODY,
            response_model=ProductFacts)  # fmt: skip
async def set_area(request: Request, name: str, which: Which) -> ProductFacts:
    """Set an area. It is drawn white on black over a good picture, in any size; the body is the file."""
    service, person = service_of(request), identity_of(request).name
    content = b"".join([chunk async for chunk in request.stream()])

    def changed() -> ProductFacts:
        product = opened(service, name)
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"{which}.png"
            fitting(content, product).save(path)
            facts = facts_of(product.with_settings(**{which: path}))
        service.note(person, "product area", name, {"area": which})
        return facts

    return await run_sync(changed)


@router.delete("/{which}", dependencies=[needs("administer")], responses=_ERRORS)
def drop_area(request: Request, name: str, which: Which) -> ProductFacts:
    """Take an area away."""
    service = service_of(request)
    changed = opened(service, name).with_settings(**{which: None})
    service.note(identity_of(request).name, "product area dropped", name, {"area": which})
    return facts_of(changed)


def fitting(content: bytes, product: Product) -> Image.Image:
    """What was drawn, in the size of the good pictures and in black and white.

    Raises:
        ImageError: it is no picture, or nothing is marked in it.
    """
    if not content:
        raise ImageError("The picture of the area is empty (zero bytes); send it again.")
    drawn = load_image(content).pixels.convert("L").point(lambda value: 255 if value > MARKED else 0)
    if not drawn.getbbox():
        raise ImageError("Nothing is marked. Draw the area white on black, or take it away.")
    good = product.good[0]
    return drawn.resize((good.width, good.height), Image.Resampling.NEAREST)
