"""Where a worker has pictures and products from: the folder of its server, or the server, over HTTP.

A worker on another machine takes parts from the same PostgreSQL. It fetches each picture and keeps it only while it
looks at it. It asks for each product before each part, and fetches it again where it was changed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

import httpx2
from pydantic import ValidationError

from reason_iad import __version__
from reason_iad.errors import ImageError, OutputError, ProductError, ServiceError
from reason_iad.products import Product, Products
from reason_iad.schema import Record
from reason_iad.service.configuration import Rule, sinks_for
from reason_iad.service.faults import Unavailable
from reason_iad.service.keeping.pictures import PictureStore
from reason_iad.service.work.product_copies import ProductCopies

if TYPE_CHECKING:
    from reason_iad.service.database.queue import Job, Takers
    from reason_iad.service.settings import Settings

PATIENCE_S = 30.0
"""Seconds for an answer of the server."""
_DISK = "The worker cannot write to its disk: {}."
_BLOCK = 2**20
_STATE = re.compile(r'"([0-9a-f]{64})"')


class Catalogue(Protocol):
    """Knows products."""

    def open(self, name: str) -> Product:
        """The product of this name, as it is now.

        Raises:
            ProductError: there is none.
            Unavailable: it cannot be asked for now.
        """
        ...


@dataclass(frozen=True, slots=True)
class Files:
    """The picture of a part, and its own template; None: it has none."""

    picture: Path
    template: Path | None = None


class Supplies(Protocol):
    """What a worker needs besides the database.

    Attributes:
        products: that parts belong to.
    """

    products: Catalogue

    def files(self, job: Job) -> AbstractContextManager[Files]:
        """The pictures of a part, there while the block runs.

        Raises:
            ImageError: one is not kept any more.
            Unavailable: one cannot be fetched now.
        """
        ...

    def takers(self) -> Takers:
        """Where outcomes go.

        Raises:
            Unavailable: it cannot be asked for now.
        """
        ...


class WorkerFacts(Record):
    """What a server tells workers on other machines.

    Attributes:
        version: of the server.
        rules: which outcomes go where.
    """

    version: str
    rules: tuple[Rule, ...]


class OwnFolder:
    """The data folder of a server on this machine.

    Args:
        settings: of the service.
    """

    def __init__(self, settings: Settings) -> None:
        self.products: Catalogue = Products(settings.products)
        self._pictures, self._takers = PictureStore(settings.pictures), settings.configuration.sinks_for

    @contextmanager
    def files(self, job: Job) -> Iterator[Files]:
        """The pictures of a part."""
        template = None if job.template is None else self._pictures.path(job.template)
        yield Files(self._pictures.path(job.picture), template)

    def takers(self) -> Takers:
        """Where outcomes go."""
        return self._takers


class FromServer:
    """A server on another machine.

    Args:
        settings: of the worker, with the address of the server.
    """

    def __init__(self, settings: Settings) -> None:
        assert settings.server is not None, "only made where there is one"
        headers = {} if settings.key is None else {"authorization": f"Bearer {settings.key}"}
        try:
            self._http = httpx2.Client(
                base_url=settings.server, headers=headers, timeout=PATIENCE_S, follow_redirects=False
            )
        except (httpx2.InvalidURL, UnicodeEncodeError):
            raise ServiceError("The address or the key of the server has characters that it cannot have.") from None
        self._most = settings.limits.body_bytes
        self.products: Catalogue = _FetchedProducts(self._fetch, ProductCopies(settings.products))

    def check(self) -> None:
        """Make sure that the server is one that this worker can work for.

        Raises:
            Unavailable: it cannot be reached, or does not accept the key.
            ServiceError: it has another version.
        """
        version = self._facts().version
        if version != __version__:
            raise ServiceError(
                f"The server has the version {version}, and this worker {__version__}. Install the same version."
            )

    def takers(self) -> Takers:
        """Where outcomes go, by the configuration of the server."""
        rules = self._facts().rules
        return lambda product, outcome: sinks_for(rules, product, outcome)

    @contextmanager
    def files(self, job: Job) -> Iterator[Files]:
        """The pictures of a part; their content is checked."""
        with TemporaryDirectory(prefix="reason-iad-") as folder:
            picture = self._picture(job, "picture", Path(folder) / job.picture)
            own = None if job.template is None else Path(folder) / job.template
            yield Files(picture, None if own is None else self._picture(job, "template", own))

    def _picture(self, job: Job, which: str, path: Path) -> Path:
        if self._fetch(f"/v1/inspections/{job.id}/{which}", path, self._most) is None:
            raise ImageError(f"The {which} is not kept any more.")
        if hashlib.sha256(path.read_bytes()).hexdigest() != path.name:
            raise Unavailable(f"A {which} came damaged from the server.")
        return path

    def _facts(self) -> WorkerFacts:
        with TemporaryDirectory(prefix="reason-iad-") as folder:
            path = Path(folder) / "facts"
            if self._fetch("/v1/worker", path, _BLOCK) is not None:
                try:
                    return WorkerFacts.model_validate_json(path.read_bytes())
                except ValidationError:
                    pass
        raise ServiceError(
            "The answer is not one of this service. Check --server, and that server and worker have the same "
            "version."
        )

    def _fetch(self, path: str, target: Path, most: int | None, known: str = "") -> httpx2.Response | None:
        """Fetch something into a file; None if there is no such thing.

        Args:
            path: of it.
            target: the file; nothing is written if what is known is still right.
            most: bytes that it may have; None: any number.
            known: tags of what is known.
        """
        try:
            with self._http.stream("GET", path, headers={"if-none-match": known} if known else {}) as answer:
                if answer.status_code == 304:
                    return answer
                if answer.status_code == 404:
                    return None
                if answer.status_code != 200:
                    raise Unavailable(_refusal(answer.status_code))
                size = 0
                with target.open("wb") as file:
                    for chunk in answer.iter_bytes(_BLOCK):
                        size += len(chunk)
                        if most is not None and size > most:
                            raise Unavailable("The server sent more than it should.")
                        file.write(chunk)
                return answer
        except httpx2.TransportError as error:
            raise Unavailable(f"The server cannot be reached ({type(error).__name__}).") from None
        except OSError as error:
            raise Unavailable(_DISK.format(error.strerror)) from None


class _FetchedProducts:
    """Products of a server, fetched again where they were changed."""

    def __init__(self, fetch: Callable[..., httpx2.Response | None], copies: ProductCopies) -> None:
        self._fetch, self._copies = fetch, copies

    def open(self, name: str) -> Product:
        """The product, as it is on the server now."""
        known = self._copies.states(name)
        with TemporaryDirectory(prefix="reason-iad-") as folder:
            archive = Path(folder) / "product.zip"
            tags = ", ".join(f'"{state}"' for state in known)
            answer = self._fetch(f"/v1/products/{quote(name, safe='')}/archive", archive, None, tags)
            if answer is None:
                raise ProductError(f"There is no product '{name}' on the server.")
            tag = _STATE.fullmatch(answer.headers.get("etag", ""))
            if tag is None:
                raise Unavailable("The server does not say which state a product has.")
            try:
                return self._copies.take(name, tag[1], None if answer.status_code == 304 else archive)
            except (OSError, OutputError) as error:
                raise Unavailable(_DISK.format(error)) from None


def _refusal(status: int) -> str:
    if status in (401, 403):
        return "The server does not accept the key. Make one with the scope 'inspect', and give it with --key."
    return f"The server answered {status}."


def supplies_of(settings: Settings) -> Supplies:
    """What a worker with these settings needs."""
    return OwnFolder(settings) if settings.server is None else FromServer(settings)
