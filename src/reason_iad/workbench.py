"""What stays between inspections: the model, the knowledge, and what was computed from references."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from reason_iad.backbones.base import ChatModel
from reason_iad.config import PRESETS, InspectorConfig
from reason_iad.errors import KnowledgeError, ModelError
from reason_iad.images import LoadedImage
from reason_iad.schema import CategoryEvidence, RetrievedEntry

if TYPE_CHECKING:
    from PIL import Image

    from reason_iad.backbones.base import Backbone, ImageTokens
    from reason_iad.expert import AnomalyMap, Expert
    from reason_iad.knowledge import Gallery, KnowledgeStore

CACHED_IMAGES = 32
"""Reference images whose tokens are kept."""
CACHED_EXPERTS = 4
"""Sets of references whose calibrated expert is kept."""

T = TypeVar("T")


class Workbench:
    """The tools of an inspector, and the steps before the first question (METHOD section 1).

    Attributes:
        backbone: the frozen model, local or behind an API.
        knowledge: the store, or None.
        gallery: where categories are found, or None.
        config: the configuration in force.
        fusion: how the map is weighed into verdict and place, or None.
        method, reasoning: what it resolves to.
    """

    def __init__(
        self,
        backbone: Backbone | ChatModel,
        knowledge: KnowledgeStore | None,
        config: InspectorConfig,
        gallery: Gallery | None,
    ) -> None:
        self.backbone, self.knowledge, self.gallery, self.config = backbone, knowledge, gallery, config
        from reason_iad.expert.fusion import load_fusion

        directory = None if isinstance(backbone, ChatModel) else backbone.directory
        self.fusion = load_fusion(directory) if directory is not None and config.fuse else None
        self.method = PRESETS[config.method]
        self.reasoning = config.reasoning_config()
        self.knowledge_sha256 = None if knowledge is None else knowledge.sha256()
        self._tokens: _Recent[ImageTokens] = _Recent(CACHED_IMAGES)
        self._query: _Recent[ImageTokens] = _Recent(1)
        self._experts: _Recent[Expert] = _Recent(CACHED_EXPERTS)
        self._pixels: _Recent[float | None] = _Recent(CACHED_EXPERTS)

    @property
    def local(self) -> Backbone:
        """The model, where its inside can be reached.

        Raises:
            ModelError: it is behind an API.
        """
        if isinstance(self.backbone, ChatModel):
            raise ModelError(f"'{self.backbone.version.name}' gives text only, no features; use a local model.")
        return self.backbone

    def category(self, given: str | None, image: LoadedImage) -> CategoryEvidence:
        """The category: as given, else the nearest in the gallery, else unknown."""
        if given is not None:
            return CategoryEvidence(name=self._resolved(given), origin="given", score=None, margin=None)
        if self.gallery is None:
            return CategoryEvidence(name=None, origin="unknown", score=None, margin=None)
        from reason_iad.expert.embedding import image_embedding

        vector = image_embedding(self.local.patch_features(image.pixels))
        found = self.gallery.classify(
            vector, min_score=self.config.category_score, min_margin=self.config.category_margin
        )
        if found.name is None or self.knowledge is None:
            return found
        from reason_iad.knowledge import resolve_category

        try:  # a gallery's names are folder names: 'magnetic_tile' for 'magnetic tile'
            return found.model_copy(update={"name": resolve_category(self.knowledge, found.name)})
        except KnowledgeError:
            return found

    def _resolved(self, given: str) -> str:
        from reason_iad.knowledge import resolve_category

        if self.knowledge is None:
            return given
        try:
            return resolve_category(self.knowledge, given)
        except KnowledgeError:
            if self.method.knowledge:
                raise
            return given

    def retrieve(self, category: str | None, question: str) -> tuple[RetrievedEntry, ...]:
        """Knowledge for the prompt, within its share of the context window."""
        if self.knowledge is None or not self.method.knowledge:
            return ()
        from reason_iad.knowledge import retrieve

        return retrieve(
            self.knowledge,
            category=category if category is not None and category in self.knowledge.categories() else None,
            question=question,
            count_tokens=self.backbone.count_tokens,
            budget=int(self.backbone.context_length * self.config.knowledge_share),
            limit=self.config.knowledge_entries,
        )

    def embed(self, reference: LoadedImage, moved: Image.Image | None = None) -> ImageTokens:
        """Tokens of a reference, kept for the next inspection; one moved for this image serves it alone."""
        if moved is not None:
            return self.local.embed_image(moved)
        return self._tokens.get(reference.sha256, lambda: self.local.embed_image(reference.pixels))

    def embed_query(self, image: LoadedImage) -> ImageTokens:
        """Tokens of the inspected image, kept until the next one: a second look at it costs no vision."""
        return self._query.get(image.sha256, lambda: self.local.embed_image(image.pixels))

    def compare(
        self,
        image: LoadedImage,
        references: Sequence[LoadedImage],
        moved: Mapping[str, Image.Image] = MappingProxyType({}),
    ) -> AnomalyMap:
        """How an image differs from good parts, patch by patch and pixel by pixel.

        Args:
            image: the inspected one.
            references: good parts, at least one.
            moved: some of them, by hash, as they are laid for this image.
        """
        from reason_iad.expert.template import pixel_differences

        found = self.expert(references, moved).inspect(self.local.patch_features(image.pixels))
        good = [np.asarray(moved.get(reference.sha256, reference.pixels)) for reference in references]
        pixels = pixel_differences(np.asarray(image.pixels), good)
        return replace(found, pixels=pixels, normal_pixels=self.usual_pixels(references))

    def expert(
        self, references: Sequence[LoadedImage], moved: Mapping[str, Image.Image] = MappingProxyType({})
    ) -> Expert:
        """The defect expert, calibrated on these references once.

        Args:
            references: good parts.
            moved: some of them, by hash, as they are laid for the image at hand.
        """
        key = ":".join(reference.sha256 for reference in references)
        expert = self._experts.get(key, lambda: self._calibrated(references))
        if not any(reference.sha256 in moved for reference in references):
            return expert
        return expert.beside(
            [
                self.local.patch_features(moved[reference.sha256]) if reference.sha256 in moved else features
                for reference, features in zip(references, expert.normals, strict=True)
            ]
        )

    def _calibrated(self, references: Sequence[LoadedImage]) -> Expert:
        """An expert that knows how much these references differ, laid alike if references are laid at all."""
        from reason_iad.expert import build_expert
        from reason_iad.expert.jitter import jittered_copies

        model, first = self.local, references[0].pixels
        features = [model.patch_features(reference.pixels) for reference in references]
        if len(references) == 1:
            return build_expert(features, [model.patch_features(copy) for copy in jittered_copies(first)])
        laid = [
            before if picture is reference.pixels else model.patch_features(picture)
            for before, picture, reference in zip(features, self._alike(references), references, strict=True)
        ]
        return build_expert(features, laid=laid)

    def _alike(self, references: Sequence[LoadedImage]) -> list[Image.Image]:
        """The references, laid as the first of them lies if references are laid at all."""
        from reason_iad.registration import register

        first = references[0].pixels
        if not self.config.align:
            return [reference.pixels for reference in references]
        found = [register(reference.pixels, first) for reference in references[1:]]
        moved = [one.pixels if laid is None else laid[0] for one, laid in zip(references[1:], found, strict=True)]
        return [first, *moved]

    def usual_pixels(self, references: Sequence[LoadedImage]) -> float | None:
        """By how many grey levels these references differ from one another, computed once; None for one."""
        from reason_iad.expert.template import usual_difference

        def differ() -> float | None:
            pictures = [np.asarray(picture) for picture in self._alike(references)]
            return usual_difference(pictures) if len(pictures) > 1 else None

        return self._pixels.get(":".join(reference.sha256 for reference in references), differ)


class _Recent(OrderedDict[str, T]):
    """A small cache that forgets the least recently used."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size

    def get(self, key: str, make: Callable[[], T]) -> T:  # type: ignore[override]
        if key not in self:
            self[key] = make()
        self.move_to_end(key)
        while len(self) > self._size:
            self.popitem(last=False)
        return self[key]
