"""What the routes share: the service that they belong to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec, TypeVar, cast

from fastapi import Path as InPath
from fastapi import Request, Response
from fastapi.responses import FileResponse, HTMLResponse
from sqlalchemy.orm import Session

from reason_iad.errors import ProductError
from reason_iad.products import Product, Products
from reason_iad.service.api.arrivals import Arrivals
from reason_iad.service.database import Database, records
from reason_iad.service.database.tables import DONE, FAILED, Event, Inspection, Picture
from reason_iad.service.faults import Fault, Missing
from reason_iad.service.flow import Flow
from reason_iad.service.keeping.pictures import PictureStore
from reason_iad.service.keeping.previews import MEDIA_TYPE, Size, preview
from reason_iad.service.people import People
from reason_iad.service.reviews.corrections import Corrections
from reason_iad.service.reviews.reviewing import Reviews
from reason_iad.service.reviews.trials import Trials
from reason_iad.service.settings import Settings

if TYPE_CHECKING:
    from reason_iad.schema import Inspection as Result

Args = ParamSpec("Args")
Answer = TypeVar("Answer")

Number = Annotated[int, InPath(ge=1, le=2**62, description="Of the inspection.")]

MEDIA_TYPES = {
    "PNG": "image/png", "JPEG": "image/jpeg", "BMP": "image/bmp", "TIFF": "image/tiff", "WEBP": "image/webp",
    "GIF": "image/gif", "PPM": "image/x-portable-pixmap",
}  # fmt: skip
"""Pillow's name of a format to what browsers call it."""
REPORT_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox allow-same-origin"
)
"""The report is a page of its own with its styles in it. It may be shown in ours, and runs no script anywhere."""


@dataclass(frozen=True, slots=True)
class _Done:
    """A part with a result, and the files of its picture and of its own template."""

    product: str
    result: Result
    picture: Path
    template: Path | None


@dataclass(frozen=True, eq=False)
class Service:
    """Everything that a request needs.

    Attributes:
        settings, database, products, pictures, people, reviews, corrections, trials: of the service.
        arrivals: lets requests wait.
        stopping: set when the server stops.
        flow: sources and sinks.
        sample: share of parts that people review in any case.
    """

    settings: Settings
    database: Database
    products: Products
    pictures: PictureStore
    people: People
    reviews: Reviews
    corrections: Corrections
    trials: Trials
    arrivals: Arrivals
    stopping: threading.Event
    flow: Flow
    sample: float = 0.02

    def read(
        self, ask: Callable[Concatenate[Session, Args], Answer], *args: Args.args, **options: Args.kwargs
    ) -> Answer:
        """Ask the database."""
        with self.database.reading() as session:
            return ask(session, *args, **options)

    def note(self, person: str, what: str, about: str, detail: dict[str, Any] | None) -> None:
        """Write down who did what."""
        with self.database.writing() as session:
            session.add(Event(at=time.time(), person=person, what=what, about=about, detail=detail))

    def require_product(self, name: str) -> Product:
        """The product of this name.

        Raises:
            Missing: there is none.
        """
        try:
            return self.products.open(name)
        except ProductError:
            raise Missing(f"There is no product '{name}'.") from None

    def picture(self, session: Session, sha256: str) -> Response:
        """A picture, as it was sent."""
        known = session.get(Picture, sha256)
        path = self.pictures.path(sha256)
        if known is None or not path.is_file():
            raise Missing("The picture is not kept any more.")
        headers = {"Content-Disposition": "inline", "Cache-Control": "private, max-age=86400, immutable"}
        return FileResponse(path, media_type=MEDIA_TYPES.get(known.format), headers=headers)

    def preview(self, path: Path, size: Size) -> Response:
        """A picture as browsers can show it."""
        headers = {"Cache-Control": "private, max-age=86400, immutable"}
        return Response(preview(path, size), media_type=MEDIA_TYPE, headers=headers)

    def report(self, number: int) -> Response:
        """The report of a part."""
        from reason_iad.report import save_report

        done = self._done(number)
        with TemporaryDirectory() as folder:
            path = Path(folder) / "report.html"
            save_report(done.result, path, image=done.picture, references=self._beside(done))
            return HTMLResponse(path.read_bytes(), headers={"Content-Security-Policy": REPORT_POLICY})

    def map(self, number: int) -> Response:
        """Where a part differs."""
        from reason_iad.exports import anomaly_map

        found = anomaly_map(self._done(number).result)
        if found is None:
            raise Missing("The result has no map.")
        return Response(found, media_type="image/png")

    def _beside(self, done: _Done) -> tuple[Path, ...]:
        """The pictures that a report shows beside that of the part, as far as they are still there."""
        from reason_iad.products.shown import shown_beside

        try:
            files = shown_beside(self.products.open(done.product), done.result, done.template)
        except ProductError:  # it was removed
            files = ()
        return tuple(path for path in files if path.is_file())

    def _done(self, number: int) -> _Done:
        """A part with its full result.

        Raises:
            Missing: there is no such part, or its result is not kept any more.
            Fault: it is not done yet.
        """
        from reason_iad.schema import Inspection as Result

        with self.database.reading() as session:
            row = session.get(Inspection, number)
            if row is None:
                raise Missing(f"There is no inspection {number}.")
            found, state, product = records.result_of(session, number), row.state, row.product
            picture = self.pictures.path(row.picture)
            template = None if row.template is None else self.pictures.path(row.template)
        if found is None and state == DONE:
            raise Missing("The result is not kept any more.")
        if found is None and state == FAILED:
            raise Missing(f"The part of inspection {number} could not be inspected, so there is no result.")
        if found is None:
            raise Fault(f"The inspection {number} is not done yet.")
        return _Done(product, Result.model_validate_json(found), picture, template)


def service_of(request: Request) -> Service:
    """The service that a request came to."""
    return cast(Service, request.app.state.service)
