"""What is loaded once and used by every method: the model, the knowledge, and which of its categories is meant."""

from __future__ import annotations

import sys
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reason_iad.bench.conditions import Settings
from reason_iad.errors import KnowledgeError, ModelError
from reason_iad.images import LoadedImage, load_image

if TYPE_CHECKING:
    from reason_iad.backbones.base import Backbone, ChatModel
    from reason_iad.knowledge import KnowledgeStore

CACHED_PIXELS = 64 * 2**20
"""So many pixels of templates are kept decoded: sets show the same few normal images again and again."""


@dataclass(frozen=True, slots=True)
class Tools:
    """The model and the knowledge."""

    backbone: Backbone | ChatModel
    knowledge: KnowledgeStore


def load_tools(settings: Settings, method: str) -> Tools:
    """Load the model and open the knowledge.

    Args:
        settings: which.
        method: any of those that will be run.

    Raises:
        ModelError, KnowledgeError, ConfigError, MissingExtraError: as `Inspector.from_pretrained`.
    """
    from reason_iad.inspection.inspector import Inspector

    inspector = Inspector.from_pretrained(
        settings.model,
        knowledge=settings.knowledge,
        config=settings.config(method),
        device=settings.device,
        dtype=settings.dtype,
        base_url=settings.base_url,
        timeout=settings.timeout,
    )
    if inspector.knowledge is None:
        raise KnowledgeError("There is no knowledge; give --knowledge.")
    if settings.fuse and inspector.fusion is None:
        raise ModelError(f"'{settings.model}' has no weights for the map; leave out --fuse.")
    return Tools(inspector.backbone, inspector.knowledge)


def known_category(knowledge: KnowledgeStore, dataset: str, category: str) -> str | None:
    """The category of the knowledge that an image's folders name; None if there is none.

    Both names together tell most ('commutator/surface'), then that of the data set, if it is a product
    ('magnetic_tile/tile' is no ceramic tile), then that of the category.
    """
    from reason_iad.knowledge import resolve_category

    for name in (f"{dataset} {category}", dataset, category):
        try:
            return resolve_category(knowledge, name)
        except KnowledgeError:
            continue
    return None


class Pictures:
    """Images of a folder by key; templates are kept decoded.

    Args:
        folder: what keys are relative to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: OrderedDict[str, LoadedImage] = OrderedDict()

    def load(self, key: str) -> LoadedImage:
        """Decode an image.

        Raises:
            ImageError: it cannot be used.
        """
        return load_image(self._folder / key)

    def template(self, key: str) -> LoadedImage:
        """A template, from before if it was shown lately.

        Raises:
            ImageError: it cannot be used.
        """
        if key not in self._kept:
            self._kept[key] = self.load(key)
        self._kept.move_to_end(key)
        while len(self._kept) > 1 and sum(each.width * each.height for each in self._kept.values()) > CACHED_PIXELS:
            self._kept.popitem(last=False)
        return self._kept[key]


def peak_mb() -> float:
    """Peak memory so far in MB: of the GPU if it is used, else of this process; 0 where the system cannot tell."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and (used := torch.cuda.max_memory_allocated()):
        return round(float(used) / 2**20, 1)
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)
