"""What parts are judged by, per product, kept up to date while parts go on coming."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from reason_iad.errors import ReasonIADError
from reason_iad.product_inspectors import product_inspector
from reason_iad.products import Progress
from reason_iad.products.learning import no_progress

if TYPE_CHECKING:
    from reason_iad.inspection.by_product import PartInspector
    from reason_iad.inspection.inspector import Inspector
    from reason_iad.products import Product
    from reason_iad.service.work.supplies import Catalogue

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ready:
    """An inspector for one state of a product."""

    state_sha256: str
    inspector: PartInspector


class Kinds:
    """Inspectors of products. Where a product was changed, the old one goes on until the new one has learnt.

    Args:
        products: the products.
        model: asked about doubtful parts and defects; None: no model is asked.
        progress: told how far it is while everybody waits for a product to be learnt.
    """

    def __init__(self, products: Catalogue, model: str | None = None, progress: Progress = no_progress) -> None:
        self._products, self._model, self._progress = products, model, progress
        self._lock = threading.Lock()
        self._ready: dict[str, Ready] = {}
        self._learning: set[str] = set()
        self._opened: Inspector | None = None

    def of(self, name: str) -> PartInspector:
        """The inspector of a product.

        Raises:
            ProductError: there is no such product.
            ReasonIADError: it cannot learn its good pictures.
        """
        product = self._products.open(name)
        with self._lock:
            ready = self._ready.get(name)
            if ready is not None and ready.state_sha256 == product.state_sha256:
                return ready.inspector
            if ready is not None and name in self._learning:
                return ready.inspector
            if ready is not None:
                self._learning.add(name)
                threading.Thread(target=self._learn, args=(product,), name=f"learning {name}", daemon=True).start()
                return ready.inspector
        return self._learnt(product, self._progress).inspector

    def _learn(self, product: Product) -> None:
        try:
            self._learnt(product)
        except ReasonIADError as error:
            log.warning("The change of '%s' is not used yet. %s", product.name, error)
        finally:
            with self._lock:
                self._learning.discard(product.name)

    def _learnt(self, product: Product, progress: Progress = no_progress) -> Ready:
        """Learn what the product is now; the first time, everybody waits for it."""
        inspector = product_inspector(
            product, self._model, load=partial(self._model_of, product), progress=progress
        )
        ready = Ready(product.state_sha256, inspector)
        with self._lock:
            self._ready[product.name] = ready
        return ready

    def _model_of(self, product: Product) -> Inspector:
        """The model with the knowledge of a product; the model itself is shared by all products."""
        from reason_iad.inspection.inspector import Inspector
        from reason_iad.knowledge import open_knowledge

        shared = self.open_model()
        if product.knowledge is None:
            return shared
        return Inspector(shared.setup.model, open_knowledge(product.knowledge), shared.setup.config)

    def open_model(self) -> Inspector:
        """The model, loaded when it is first asked for, once for all products."""
        from reason_iad.inspection.inspector import Inspector

        with self._lock:
            if self._opened is None:
                assert self._model is not None, "only called where there is one"
                self._opened = Inspector.from_pretrained(self._model)
            return self._opened
