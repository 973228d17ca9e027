"""How a picture differs from good parts: patch by patch and pixel by pixel (METHOD sections 4 and 5).

What is usual is measured on the good parts themselves: on slightly changed copies of a single one, on several laid
alike and compared with one another, or, where they were chosen from many, between each and those most like it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from reason_iad.expert.cache import ReferenceCache
from reason_iad.expert.calibration import RADIUS, AnomalyMap, Apart, Expert, Usual, build_expert
from reason_iad.expert.change import change_at
from reason_iad.expert.distance import residual_map
from reason_iad.expert.encoders.base import deepest
from reason_iad.expert.extent import region_box
from reason_iad.expert.jitter import jittered_copies
from reason_iad.expert.nearest import layout
from reason_iad.expert.registration import lay_alike, register
from reason_iad.expert.template import compared_size, pixel_differences, usual_difference

if TYPE_CHECKING:
    from PIL import Image

    from reason_iad.expert.change import Change
    from reason_iad.expert.encoders.base import Encoder, FeatureMap
    from reason_iad.expert.good_parts import GoodParts
    from reason_iad.expert.nearest import Layout
    from reason_iad.expert.registration import Motion
    from reason_iad.expert.template import Grey
    from reason_iad.images import LoadedImage

    Moved = Mapping[str, tuple[Image.Image, Motion]]
    """References as they are laid for one image, by hash, and how each was moved."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Compares pictures with good parts.

    Attributes:
        encoder: makes the feature maps.
        align: whether good parts are laid alike before they are compared with one another.
        cache: keeps what was computed from good parts.
    """

    encoder: Encoder
    align: bool = True
    cache: ReferenceCache = field(default_factory=ReferenceCache)

    def features(self, image: LoadedImage) -> FeatureMap:
        """The feature map of a picture."""
        return self.cache.features.get(image.key, lambda: deepest(self.encoder, image.whole))

    def layout(self, image: LoadedImage) -> Layout:
        """What lies where on a picture, roughly, to find good parts that look like it."""
        return layout(self.features(image))

    def compare(
        self,
        image: LoadedImage,
        references: Sequence[LoadedImage],
        moved: Moved = MappingProxyType({}),
        chosen: GoodParts | None = None,
    ) -> AnomalyMap:
        """How a picture differs from good parts.

        Args:
            image: the inspected one.
            references: good parts, at least one.
            moved: some of them as they are laid for this image.
            chosen: where they were chosen from many, which says how much good parts differ that look alike.
        """
        usual = self._usual(references, chosen)
        features = self.features(image)
        shown = _shown(image, features, references, moved)
        found = self._laid(usual.expert, references, moved).inspect(features, shown)
        return replace(found, pixels=_pixels(image, references, moved), normal_pixels=usual.pixels)

    def expert(self, references: Sequence[LoadedImage]) -> Expert:
        """The comparison of patches alone, calibrated on these good parts."""
        return self._usual(references, None).expert

    def _laid(self, expert: Expert, references: Sequence[LoadedImage], moved: Moved) -> Expert:
        """The same, with those references that are moved as they are laid."""
        if not any(reference.sha256 in moved for reference in references):
            return expert
        return expert.beside([self._features_as_laid(reference, moved) for reference in references])

    def _features_as_laid(self, reference: LoadedImage, moved: Moved) -> FeatureMap:
        if reference.sha256 in moved:
            return deepest(self.encoder, moved[reference.sha256][0])
        return self.features(reference)

    def _usual(self, references: Sequence[LoadedImage], chosen: GoodParts | None) -> Usual:
        """How much these references differ from one another, computed once."""
        if chosen is not None and chosen.alike and len(references) > 1:
            return self._among_many(references, chosen)
        key = ":".join(reference.key for reference in references)
        return self.cache.usual.get(key, lambda: self._among_few(references))

    def _among_many(self, references: Sequence[LoadedImage], chosen: GoodParts) -> Usual:
        """How much these differ from those that look most like *them*, as the inspected image is compared.

        The references that look most like an image are more like it than like each other; measured among
        themselves, they would call too much usual.
        """
        apart = [self._kept_apart(reference, *chosen.peers(reference.sha256)) for reference in references]
        peaks = [each.pixels for each in apart if each.pixels is not None]
        features = tuple(map(self.features, references))
        expert = Expert(features, tuple(each.patches for each in apart), len(references))
        return Usual(expert, sum(peaks) / len(peaks) if peaks else None)

    def _kept_apart(self, reference: LoadedImage, key: str, peers: Callable[[], list[LoadedImage]]) -> Apart:
        return self.cache.apart.get(f"{reference.key}|{key}", lambda: self.apart(reference, peers()))

    def apart(self, reference: LoadedImage, peers: Sequence[LoadedImage]) -> Apart:
        """How a good part differs from others."""
        moved: Moved = lay_alike(peers, reference.whole) if self.align else {}
        laid = [self._features_as_laid(peer, moved) for peer in peers]
        pixels = _pixels(reference, peers, moved)
        residual = residual_map(self.features(reference), laid, RADIUS)
        return Apart(residual, None if pixels is None else float(pixels.max()))

    def _among_few(self, references: Sequence[LoadedImage]) -> Usual:
        """What a few references say about good parts, laid alike if references are laid at all."""
        first = references[0]
        features = [self.features(reference) for reference in references]
        if len(references) == 1:
            copies = [deepest(self.encoder, copy) for copy in jittered_copies(first.whole)]
            return Usual(build_expert(features, copies), None)
        laid, pictures = list(features), [reference.whole for reference in references]
        motions: list[Motion] = []
        for number, reference in enumerate(references[1:], 1):
            found = register(reference.whole, first.whole) if self.align else None
            if found is not None:
                pictures[number], motion = found
                laid[number] = deepest(self.encoder, pictures[number])
                motions.append(motion)
        unseen = _unseen(motions, first.width, first.height)
        usual = usual_difference([_small(picture) for picture in pictures], unseen)
        return Usual(build_expert(features, laid=laid), usual)


def what_changed(
    image: LoadedImage,
    references: Sequence[LoadedImage],
    moved: Moved,
    found: AnomalyMap,
    place: int | None = None,
) -> Change | None:
    """What changed where most differs, on a part of two tones; None if nobody can tell.

    Args:
        image, references, moved: as in `Comparison.compare`.
        found: the map that this gave.
        place: look only in this one of `PLACES`.
    """
    pixels = _small(image.whole)
    box = region_box(found, pixels.shape[1], pixels.shape[0], place)
    good, unseen = _as_laid(image, references, moved)
    return None if box is None else change_at(pixels, good, box, unseen)


def _small(picture: Image.Image) -> npt.NDArray[np.uint8]:
    """A picture at the size at which pixels are compared."""
    from PIL import Image

    size = compared_size(picture.width, picture.height)
    shrunk = picture if size == picture.size else picture.resize(size, Image.Resampling.BOX, reducing_gap=2.0)
    return np.asarray(shrunk)


def _pixels(image: LoadedImage, references: Sequence[LoadedImage], moved: Moved) -> Grey | None:
    """By how much each pixel of an image differs from references, as they are laid for it."""
    good, unseen = _as_laid(image, references, moved)
    return pixel_differences(_small(image.whole), list(good), unseen)


def _as_laid(
    image: LoadedImage, references: Sequence[LoadedImage], moved: Moved
) -> tuple[Iterator[npt.NDArray[np.uint8]], tuple[float, float]]:
    """References as they are laid for an image, one by one, and what of it some moved one does not show."""
    pictures = (moved[each.sha256][0] if each.sha256 in moved else each.whole for each in references)
    motions = [moved[each.sha256][1] for each in references if each.sha256 in moved]
    return map(_small, pictures), _unseen(motions, image.width, image.height)


def _shown(
    image: LoadedImage, features: FeatureMap, references: Sequence[LoadedImage], moved: Moved
) -> npt.NDArray[np.bool_] | None:
    """(rows, columns) which patches of an image some reference shows as it is laid; None: all of them."""
    if any(reference.sha256 not in moved for reference in references):
        return None
    motions = [moved[reference.sha256][1] for reference in references]
    grids = [each.shows(features.rows, features.columns, image.width, image.height) for each in motions]
    return np.any(grids, axis=0)  # type: ignore[no-any-return]


def _unseen(motions: Sequence[Motion], width: int, height: int) -> tuple[float, float]:
    """Shares of the width and height at either border that some moved reference does not show."""
    shares = [motion.unseen(width, height) for motion in motions]
    return max((x for x, _ in shares), default=0.0), max((y for _, y in shares), default=0.0)
