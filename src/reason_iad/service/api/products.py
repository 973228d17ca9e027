"""Products: make one, add pictures, see and change its settings."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse

from reason_iad.products import GivenDefect, Product
from reason_iad.products.detected import last_detected
from reason_iad.products.limits import last_limits
from reason_iad.service.api.guard import identity_of, needs
from reason_iad.service.api.parts import Service, service_of
from reason_iad.service.api.problems import documented
from reason_iad.service.api.schemas import DetectionFacts, ProductFacts
from reason_iad.service.api.uploads import PICTURES_BODY, Kept, kept_of, sent_pictures
from reason_iad.service.faults import Missing
from reason_iad.service.keeping.pictures import Stored
from reason_iad.service.keeping.previews import MEDIA_TYPE, Size

router = APIRouter(prefix="/v1/products", tags=["products"])
_ERRORS = documented(401, 403, 404, 409, 413, 422, 429, 503)


@router.get("", dependencies=[needs("inspect")], responses=documented(401, 403, 429, 503))
def list_products(request: Request) -> list[ProductFacts]:
    """All products."""
    products = service_of(request).products
    return [facts_of(products.open(name)) for name in products.names()]


@router.get("/{name}", dependencies=[needs("inspect")], responses=_ERRORS)
def one_product(request: Request, name: str) -> ProductFacts:
    """A product."""
    return facts_of(opened(service_of(request), name))


@router.post(
    "/{name}/pictures", dependencies=[needs("review")], responses=_ERRORS, openapi_extra=PICTURES_BODY,
    response_model=ProductFacts,
)  # fmt: skip
async def add_pictures(
    request: Request,
    name: str,
    defect: Annotated[str | None, Query(description="Type of the defect; not given: a good part.")] = None,
) -> ProductFacts:
    """Add pictures: one as the body, or several in a form. Good ones for a name that is new make the product.

    Pictures of one form are one change of the product. If one of them cannot be used, none is added. Where
    parts have a template each, these are further files of the form, `template`, with the names of their pictures.
    """
    service, person = service_of(request), identity_of(request).name
    sent = await sent_pictures(request)

    def added() -> ProductFacts:
        kept = kept_of(sent, service.pictures, service.settings.limits.body_bytes)
        with TemporaryDirectory() as folder:  # the product names its files by what they were called
            return facts_of(_added(service, name, kept, Path(folder), defect))

    facts = await run_sync(added)
    await run_sync(service.note, person, "product picture", name, {"defect": defect})
    return facts


@router.patch("/{name}", dependencies=[needs("administer")], responses=_ERRORS)
def change_settings(request: Request, name: str, settings: dict[str, float | None]) -> ProductFacts:
    """Change `false_alarms`, `missed` or `scale`; null takes one away."""
    service = service_of(request)
    check_settings(settings)
    changed = opened(service, name).with_settings(**settings)
    service.note(identity_of(request).name, "product settings", name, dict(settings))
    return facts_of(changed)


@router.post("/{name}/undo", dependencies=[needs("administer")], responses=_ERRORS)
def undo(
    request: Request,
    name: str,
    to: Annotated[int | None, Query(description="Go back to this change; not given: take back the last.")] = None,
) -> ProductFacts:
    """Take back the last change, or all that came after one."""
    service = service_of(request)
    changed = opened(service, name).undone(to)
    service.note(identity_of(request).name, "product undo", name, None if to is None else {"to": to})
    return facts_of(changed)


@router.get("/{name}/history", dependencies=[needs("inspect")], responses=_ERRORS)
def history(request: Request, name: str) -> list[dict[str, Any]]:
    """What was changed, the oldest first."""
    changes = opened(service_of(request), name).history()
    return [{"revision": each.revision, "time": each.time.isoformat(), "words": each.words} for each in changes]


@router.get("/{name}/detection", dependencies=[needs("inspect")], responses=_ERRORS)
def detection(request: Request, name: str) -> DetectionFacts:
    """How small a defect may be and still be found, as the last self-test says."""
    found = last_detected(opened(service_of(request), name))
    if found is None:
        return DetectionFacts(change=None, current=False, scale=None, untested=None, kinds=[])
    said = found.detected
    return DetectionFacts(
        change=said.change, current=found.current, scale=said.scale, untested=said.untested,
        kinds=[each.model_dump(include={"kind", "words", "a90_95", "curve"}) for each in said.detection],
    )  # fmt: skip


@router.get("/{name}/pictures", dependencies=[needs("inspect")], responses=_ERRORS)
def pictures(request: Request, name: str) -> dict[str, list[dict[str, str | int | None]]]:
    """Which pictures a product has."""
    product = opened(service_of(request), name)
    return {
        "good": [
            {"sha256": each.sha256, "view": each.view, "width": each.width, "height": each.height}
            for each in product.good
        ],
        "defects": [{"sha256": each.sha256, "type": each.type} for each in product.defects],
    }


@router.get("/{name}/pictures/{sha256}", dependencies=[needs("inspect")], responses=_ERRORS,
            response_class=FileResponse)  # fmt: skip
def one_picture(request: Request, name: str, sha256: str) -> Response:
    """A picture of a product."""
    product = opened(service_of(request), name)
    return FileResponse(_file(product, sha256), headers={"Content-Disposition": "inline"})


@router.get(
    "/{name}/pictures/{sha256}/preview", dependencies=[needs("inspect")], response_class=Response,
    responses={**_ERRORS, 200: {"content": {MEDIA_TYPE: {}}}},
)  # fmt: skip
def preview_of(request: Request, name: str, sha256: str, size: Size = "large") -> Response:
    """A picture of a product as any browser shows it."""
    service = service_of(request)
    return service.preview(_file(opened(service, name), sha256), size)


@router.delete("/{name}/pictures/{sha256}", dependencies=[needs("review")], responses=_ERRORS)
def drop_picture(request: Request, name: str, sha256: str) -> ProductFacts:
    """Take a picture out of a product."""
    service = service_of(request)
    product = opened(service, name)
    changed = product.without(str(_file(product, sha256)))
    service.note(identity_of(request).name, "product picture dropped", name, {"sha256": sha256})
    return facts_of(changed)


def _added(service: Service, name: str, kept: list[Kept], folder: Path, defect: str | None) -> Product:
    paths = [_called(service, folder, each.picture) for each in kept]
    templates = {
        path: _called(service, folder, each.template)
        for path, each in zip(paths, kept, strict=True)
        if each.template is not None
    } or None
    if defect is not None:
        given = [GivenDefect(path, defect) for path in paths]
        return opened(service, name).with_defects(given, template=templates)
    if name in service.products.names():
        return opened(service, name).with_good(*paths, template=templates)
    return service.products.create(name, paths, template=templates)


def _called(service: Service, folder: Path, stored: Stored) -> Path:
    path = folder / f"{stored.sha256[:12]}.{stored.format.lower()}"
    if not path.is_symlink():  # parts may share a template
        path.symlink_to(service.pictures.path(stored.sha256).resolve())
    return path


def check_settings(settings: dict[str, float | None]) -> None:
    """Refuse a setting that cannot be changed here.

    Raises:
        Missing: there is one.
    """
    unknown = sorted(set(settings) - {"false_alarms", "missed", "scale"})
    if unknown:
        raise Missing(f"There is no setting '{unknown[0]}' here. Change it with `reason-iad product set`.")


def opened(service: Service, name: str) -> Product:
    """The product of this name.

    Raises:
        Missing: there is none.
    """
    if name not in service.products.names():
        raise Missing(f"There is no product '{name}'.")
    return service.products.open(name)


def _file(product: Product, sha256: str) -> Path:
    files = {each.sha256: each.path for each in product.good} | {each.sha256: each.path for each in product.defects}
    if sha256 not in files:
        raise Missing("The product has no such picture.")
    return files[sha256]


def facts_of(product: Product) -> ProductFacts:
    """What is answered of a product."""
    found = last_limits(product)
    limits = None if found is None else found.limits
    return ProductFacts(
        name=product.name,
        revision=product.state.revision,
        good=len(product.good),
        good_for_limits=sum(each.counts for each in product.good),
        defects=dict(sorted(Counter(each.type for each in product.defects).items())),
        templates="each" if product.needs_templates else "none" if product.template is None else "one",
        settings=product.settings.model_dump(mode="json"),
        limits=None
        if limits is None
        else {**limits.model_dump(mode="json", exclude={"follows_from"}), "words": limits.in_words()},
        limits_are_current=found is not None and found.current,
    )
