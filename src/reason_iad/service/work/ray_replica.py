"""What runs on a Ray cluster: a replica that holds products and a model, and inspects the pictures that it is sent.

It reaches neither the database nor the server: pictures come with each call, products as an object of Ray, and only
where the replica does not have that state yet. Calls and answers are JSON.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from reason_iad.errors import ProductError
from reason_iad.products import Product
from reason_iad.service.database.queue import Finding, Job, Takers, nobody
from reason_iad.service.work.kinds import Kinds
from reason_iad.service.work.product_copies import ProductCopies
from reason_iad.service.work.supplies import Catalogue, Files
from reason_iad.service.work.worker import inspected

LOOK_S = 1.0
"""Seconds between looks at whether the replica goes on."""


class Replica:
    """Inspects parts, one after the other.

    Args:
        model: asked about doubtful parts and defects; None: no model is asked.
        lease_s: seconds after which a replica that shows no life is ended; Ray starts another one.
        gpus: that are reserved for it; with 0 it sees none.
    """

    def __init__(self, model: str | None, lease_s: float, gpus: float) -> None:
        if not gpus:
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
        self._folder = TemporaryDirectory(prefix="reason-iad-")
        self._delivered = _Delivered(ProductCopies(Path(self._folder.name) / "products"))
        self._kinds = Kinds(self._delivered, model, self._goes_on)
        self._lock, self._lease_s = threading.Lock(), lease_s
        self._busy, self._alive = False, time.monotonic()
        threading.Thread(target=self._watch, daemon=True).start()
        if model is not None:
            self._kinds.open_model()

    def inspect(self, job: str, pictures: list[bytes], state: str, archive: list[Any]) -> str:
        """Inspect a part.

        Args:
            job: the part, as JSON.
            pictures: the file of the part, and that of its own template, if it has one.
            state: hash of the product.
            archive: a reference to the exported product.

        Returns:
            What is found, or why the part cannot be inspected, as JSON (`found_of`).
        """
        import ray

        part = Job(**json.loads(job))
        with self._lock:
            self._busy, self._alive = True, time.monotonic()
            try:
                self._delivered.take(part.product, state, lambda: bytes(ray.get(archive[0])))
                return text_of(inspected(self._kinds, _Sent(self._delivered, pictures), part))
            except ProductError as error:
                return text_of(str(error))
            finally:
                self._busy = False

    def _goes_on(self, _step: str = "", _done: int = 0, _total: int = 0, /) -> None:
        self._alive = time.monotonic()

    def _watch(self) -> None:
        while True:
            time.sleep(LOOK_S)
            if self._busy and time.monotonic() - self._alive > self._lease_s:
                os._exit(1)


class _Delivered:
    """Products that came with calls."""

    def __init__(self, copies: ProductCopies) -> None:
        self._copies = copies
        self._here: dict[str, Product] = {}

    def take(self, name: str, state: str, content: Callable[[], bytes]) -> None:
        """Have this state of a product."""
        known = self._here.get(name)
        if known is not None and known.state_sha256 == state:
            return
        with TemporaryDirectory(prefix="reason-iad-") as folder:
            archive = Path(folder) / "product.zip"
            archive.write_bytes(content())
            self._here[name] = self._copies.take(name, state, archive)

    def open(self, name: str) -> Product:
        """The product that came last."""
        return self._here[name]


class _Sent:
    """The pictures that came with a call."""

    def __init__(self, products: _Delivered, pictures: list[bytes]) -> None:
        self.products: Catalogue = products
        self._pictures = pictures

    @contextmanager
    def files(self, job: Job) -> Iterator[Files]:
        """The pictures, in files that are deleted afterwards."""
        names = [job.picture] if job.template is None else [job.picture, job.template]
        with TemporaryDirectory(prefix="reason-iad-") as folder:
            for name, content in zip(names, self._pictures, strict=True):
                (Path(folder) / name).write_bytes(content)
            yield Files(*(Path(folder) / name for name in names))

    def takers(self) -> Takers:
        """Nobody: the server records what is found."""
        return nobody


def text_of(found: Finding | str) -> str:
    """What is found, as JSON."""
    return json.dumps({"error": found} if isinstance(found, str) else asdict(found))


def found_of(text: str) -> Finding | str:
    """The inverse of `text_of`."""
    values = json.loads(text)
    return str(values["error"]) if "error" in values else Finding(**values)
