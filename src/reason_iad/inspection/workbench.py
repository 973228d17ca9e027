"""What stays between inspections: the model, the knowledge, and what was computed from references."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from reason_iad.backbones.base import ChatModel
from reason_iad.config import PRESETS, InspectorConfig
from reason_iad.errors import KnowledgeError, ModelError
from reason_iad.images import LoadedImage
from reason_iad.inspection.good_parts import Given, GoodParts
from reason_iad.inspection.recent import Recent
from reason_iad.schema import CategoryEvidence, RetrievedEntry

if TYPE_CHECKING:
    from PIL import Image

    from reason_iad.backbones.base import Backbone, ImageTokens
    from reason_iad.expert import AnomalyMap, Expert
    from reason_iad.expert.change import Change
    from reason_iad.expert.distance import Residuals
    from reason_iad.expert.encoders.base import FeatureMap
    from reason_iad.expert.nearest import Layout
    from reason_iad.expert.registration import Motion
    from reason_iad.expert.template import Grey
    from reason_iad.knowledge import Gallery, KnowledgeStore

    Laid = Mapping[str, tuple[Image.Image, Motion]]
    _Apart = tuple[Residuals, float | None]

CACHED_IMAGES = 32
"""Images whose tokens, and whose patch features, are kept."""
CACHED_PEERS = 512
"""Good parts of which it is kept how far they are from those most like them."""
CACHED_EXPERTS = 4
"""Sets of references whose calibrated expert is kept."""


class Workbench:
    """The tools of an inspector, and the steps before the first question (METHOD section 1).

    Attributes:
        backbone: the frozen model, local or behind an API.
        knowledge: the store, or None.
        gallery: where categories are found, or None.
        config: the configuration in force.
        good_parts: chooses references.
        fusion: how both looks and what differs are weighed, or None.
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
        from reason_iad.inspection.fusion import fusion_sha256, load_fusion

        directory = None if isinstance(backbone, ChatModel) else backbone.directory
        self.fusion = load_fusion(directory) if directory is not None and config.fuse else None
        self.fusion_sha256 = None if directory is None or self.fusion is None else fusion_sha256(directory)
        self.method = PRESETS[config.method]
        self.reasoning = config.reasoning_config()
        self.knowledge_sha256 = None if knowledge is None else knowledge.sha256()
        self._tokens: Recent[ImageTokens] = Recent(CACHED_IMAGES)
        self._query: Recent[ImageTokens] = Recent(1)
        self._features: Recent[FeatureMap] = Recent(CACHED_IMAGES)
        self._experts: Recent[_Calibration] = Recent(CACHED_EXPERTS)
        self._peers: Recent[_Apart] = Recent(CACHED_PEERS)
        remote, most = isinstance(backbone, ChatModel), max(config.max_references, config.map_references)
        self.good_parts = GoodParts(config.max_references if remote else most, None if remote else self.layout)

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

        vector = image_embedding(self._patches(image))
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

    def layout(self, image: LoadedImage) -> Layout:
        """What lies where on a picture, roughly, to find good parts that look like it."""
        from reason_iad.expert.nearest import layout

        return layout(self._patches(image))

    def _patches(self, image: LoadedImage) -> FeatureMap:
        return self._features.get(image.sha256, lambda: self.local.patch_features(image.pixels))

    def compare(
        self,
        image: LoadedImage,
        references: Sequence[LoadedImage],
        moved: Laid = MappingProxyType({}),
        given: Given | None = None,
    ) -> AnomalyMap:
        """How an image differs from good parts, patch by patch and pixel by pixel.

        Args:
            image: the inspected one.
            references: good parts, at least one.
            moved: some of them, by hash, as they are laid for this image, and how they were moved.
            given: where they were chosen from many, which says how much the good parts differ that look alike.
        """
        pictures = {sha256: picture for sha256, (picture, _) in moved.items()}
        known = self._calibration(references, given)
        found = self._laid(known.expert, references, pictures).inspect(self._patches(image))
        return replace(found, pixels=_pixels(image, references, moved), normal_pixels=known.pixels)

    def change(
        self,
        image: LoadedImage,
        references: Sequence[LoadedImage],
        moved: Laid,
        found: AnomalyMap,
        place: int | None = None,
    ) -> Change | None:
        """What changed where most differs, on a part of two tones; None if nobody can tell.

        Args:
            image, references, moved: as in `compare`.
            found: the map that this gave.
            place: look only in this one of `PLACES`.
        """
        from reason_iad.expert.change import change_at
        from reason_iad.expert.extent import region_box

        pixels = _small(image.pixels)
        box = region_box(found, pixels.shape[1], pixels.shape[0], place)
        good, unseen = _as_laid(image, references, moved)
        return None if box is None else change_at(pixels, good, box, unseen)

    def expert(self, references: Sequence[LoadedImage]) -> Expert:
        """The defect expert, calibrated on these good parts once."""
        return self._calibration(references).expert

    def _laid(self, expert: Expert, references: Sequence[LoadedImage], moved: Mapping[str, Image.Image]) -> Expert:
        """The same, with those references that are moved as they are laid."""
        if not any(reference.sha256 in moved for reference in references):
            return expert
        return expert.beside(
            [
                self.local.patch_features(moved[reference.sha256]) if reference.sha256 in moved else features
                for reference, features in zip(references, expert.normals, strict=True)
            ]
        )

    def _calibration(self, references: Sequence[LoadedImage], given: Given | None = None) -> _Calibration:
        """How much these references differ from one another, computed once."""
        if given is not None and given.alike and len(references) > 1:
            return self._among_many(references, given)
        key = ":".join(reference.sha256 for reference in references)
        return self._experts.get(key, lambda: self._calibrated(references))

    def _among_many(self, references: Sequence[LoadedImage], given: Given) -> _Calibration:
        """How much these differ from those that look most like *them*, as the inspected image is compared.

        The references that look most like an image are more like it than like each other; measured among
        themselves, they would call too much usual.
        """
        from reason_iad.expert import Expert

        usual = [self._kept_apart(reference, *given.peers(reference.sha256)) for reference in references]
        peaks = [peak for _, peak in usual if peak is not None]
        features = tuple(map(self._patches, references))
        expert = Expert(features, tuple(residual for residual, _ in usual), len(references))
        return _Calibration(expert, sum(peaks) / len(peaks) if peaks else None)

    def _kept_apart(self, reference: LoadedImage, key: str, peers: Callable[[], list[LoadedImage]]) -> _Apart:
        return self._peers.get(f"{reference.sha256}|{key}", lambda: self._apart(reference, peers()))

    def _apart(self, reference: LoadedImage, peers: Sequence[LoadedImage]) -> _Apart:
        """How a good part differs from others: patch by patch, and by how much its most different pixel does."""
        from reason_iad.expert.calibration import RADIUS
        from reason_iad.expert.distance import residual_map
        from reason_iad.expert.registration import lay_alike

        moved: Laid = lay_alike(peers, reference.pixels) if self.config.align else {}
        pictures = {sha256: picture for sha256, (picture, _) in moved.items()}
        laid = [
            self.local.patch_features(pictures[peer.sha256]) if peer.sha256 in pictures else self._patches(peer)
            for peer in peers
        ]
        pixels = _pixels(reference, peers, moved)
        residual = residual_map(self._patches(reference), laid, RADIUS)
        return residual, None if pixels is None else float(pixels.max())

    def _calibrated(self, references: Sequence[LoadedImage]) -> _Calibration:
        """What these references say about good parts, laid alike if references are laid at all."""
        from reason_iad.expert import build_expert
        from reason_iad.expert.jitter import jittered_copies
        from reason_iad.expert.registration import register
        from reason_iad.expert.template import usual_difference

        model, first = self.local, references[0]
        features = [self._patches(reference) for reference in references]
        if len(references) == 1:
            copies = [model.patch_features(copy) for copy in jittered_copies(first.pixels)]
            return _Calibration(build_expert(features, copies), None)
        laid, pictures = list(features), [reference.pixels for reference in references]
        motions: list[Motion] = []
        for number, reference in enumerate(references[1:], 1):
            found = register(reference.pixels, first.pixels) if self.config.align else None
            if found is not None:
                pictures[number], motion = found
                laid[number] = model.patch_features(pictures[number])
                motions.append(motion)
        unseen = _unseen(motions, first.width, first.height)
        usual = usual_difference([_small(picture) for picture in pictures], unseen)
        return _Calibration(build_expert(features, laid=laid), usual)


class _Calibration(NamedTuple):
    """What a set of references says about good parts: by patches, and by pixels (None for a single one)."""

    expert: Expert
    pixels: float | None


def _small(picture: Image.Image) -> npt.NDArray[np.uint8]:
    """A picture at the size at which pixels are compared."""
    from PIL import Image

    from reason_iad.expert.template import compared_size

    size = compared_size(picture.width, picture.height)
    shrunk = picture if size == picture.size else picture.resize(size, Image.Resampling.BOX, reducing_gap=2.0)
    return np.asarray(shrunk)


def _pixels(image: LoadedImage, references: Sequence[LoadedImage], moved: Laid) -> Grey | None:
    """By how much each pixel of an image differs from references, as they are laid for it."""
    from reason_iad.expert.template import pixel_differences

    good, unseen = _as_laid(image, references, moved)
    return pixel_differences(_small(image.pixels), list(good), unseen)


def _as_laid(
    image: LoadedImage, references: Sequence[LoadedImage], moved: Laid
) -> tuple[Iterator[npt.NDArray[np.uint8]], tuple[float, float]]:
    """References as they are laid for an image, one by one, and what of it some moved one does not show."""
    pictures = (moved[each.sha256][0] if each.sha256 in moved else each.pixels for each in references)
    motions = [moved[each.sha256][1] for each in references if each.sha256 in moved]
    return map(_small, pictures), _unseen(motions, image.width, image.height)


def _unseen(motions: Sequence[Motion], width: int, height: int) -> tuple[float, float]:
    """Shares of the width and height at either border that some moved reference does not show."""
    shares = [motion.unseen(width, height) for motion in motions]
    return max((x for x, _ in shares), default=0.0), max((y for _, y in shares), default=0.0)
