"""What a source is: something that brings parts for as long as the server runs."""

from __future__ import annotations

import logging
import random
import threading
import time
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from pydantic import Field
from sqlalchemy import select

from reason_iad.errors import ProductError, ReasonIADError
from reason_iad.products import Products
from reason_iad.service.database import Database, queue
from reason_iad.service.database.tables import Event, Inspection
from reason_iad.service.faults import Fault, Missing, Unavailable
from reason_iad.service.keeping.pictures import PictureStore
from reason_iad.service.options import Options

if TYPE_CHECKING:
    from reason_iad.service.settings import Limits

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Intake:
    """Accepts what sources bring.

    Attributes:
        database, products, pictures, limits: of the service.
        sample: share of parts that people review in any case.
    """

    database: Database
    products: Products
    pictures: PictureStore
    limits: Limits
    sample: float = 0.02

    def take(
        self,
        source: str,
        product: str,
        name: str,
        chunks: Iterable[bytes],
        key: str | None = None,
        template: Iterable[bytes] | None = None,
    ) -> int:
        """Accept a part; returns its number. A part that was accepted before is not accepted again.

        Args:
            source: its name.
            product: that the part belongs to.
            name: what people call the part.
            chunks: the file of its picture.
            key: of the part. If it was used for another picture, the picture belongs to the key.
            template: the file of the part's own template; None: it comes without.

        Raises:
            ImageError: it is no picture that can be inspected, or the template is none.
            Missing: there is no such product.
            ProductError: each part needs a template, and this one has none; or one has, and none needs one.
            Unavailable: too many parts wait, or the database cannot be reached.
            OutputError: the picture cannot be written.
        """
        try:
            known = self.products.open(product)
        except ProductError:
            raise Missing(f"There is no product '{product}' yet.") from None
        known.require_template(template is not None)
        with self.database.reading() as session:
            queue.refuse_early(session, source, key, self.limits.waiting)
        picture = self.pictures.take(chunks, self.limits.body_bytes)
        own = None if template is None else self.pictures.take_template(template, self.limits.body_bytes)
        part = queue.Part(product, picture, name, source, key, random.random() < self.sample, own)
        try:
            return queue.accept(self.database, part, self.limits.waiting)[0]
        except Unavailable:
            raise
        except Fault:
            part = replace(part, key=f"{key}-{picture.sha256}")
            return queue.accept(self.database, part, self.limits.waiting)[0]

    def known(self, source: str, key: str) -> int | None:
        """The part of a source that was accepted with this key; None if there is none."""
        with self.database.reading() as session:
            return session.scalar(select(Inspection.id).filter_by(source=source, key=key))

    def refuse(self, source: str, name: str, why: str) -> None:
        """Write down that something a source brought cannot be inspected."""
        log.warning("The source '%s' brought '%s'. %s", source, name, why)
        with self.database.writing() as session:
            session.add(
                Event(at=time.time(), person=source, what="refused", about=name[:300], detail={"why": why[:2000]})
            )


class Source(Protocol):
    """Brings parts. One thread runs it.

    Attributes:
        trouble: why what it brings is not accepted at the moment; '' if it is.
    """

    trouble: str

    def run(self, stop: threading.Event) -> None:
        """Bring parts until told to stop; coming back earlier means that nothing will follow.

        Raises:
            ReasonIADError: it cannot go on; it is run again after a pause.
        """
        ...

    def trigger(self, name: str | None, key: str | None) -> int:
        """Take a picture now; returns the number of the part.

        Args:
            name: what people call the part; None: the source names it.
            key: a second trigger with the same key takes no second picture.

        Raises:
            Fault: this source cannot do that.
            Unavailable: it cannot do it now.
        """
        ...


class SourceTable(Options):
    """The table of a source in the configuration file.

    Attributes:
        kind: of the source.
        product: that its parts belong to.
    """

    kind: str
    product: str = Field(min_length=1, max_length=100)

    @abstractmethod
    def open(self, name: str, intake: Intake) -> Source:
        """The source.

        Args:
            name: of the source.
            intake: accepts what it brings.
        """


def trouble_of(error: ReasonIADError) -> str:
    """What people may see of an error; that of a database can name machines."""
    return "The service takes no parts at the moment." if isinstance(error, Unavailable) else str(error)


def no_trigger(name: str) -> Fault:
    """What a source answers that takes no pictures itself."""
    return Fault(f"The source '{name}' takes no pictures itself, so there is nothing to trigger.")
