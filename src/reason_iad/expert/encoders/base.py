"""What an encoder is: pixels in, feature maps out (METHOD section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from reason_iad.features import FeatureMap

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Encoder", "FeatureMap", "deepest"]


class Encoder(Protocol):
    """A frozen vision network.

    Attributes:
        name: what people call it.
        sha256: of everything that decides what it gives: weights and how an image is prepared.
    """

    name: str
    sha256: str

    def encode(self, images: Sequence[Image.Image]) -> list[tuple[FeatureMap, ...]]:
        """Per image, its feature maps at one or several depths, the deepest last.

        Raises:
            ImageError: an image cannot be brought into what the network accepts.
        """
        ...


class Scalable(Encoder, Protocol):
    """An encoder that takes pictures of any size and shape.

    Attributes:
        stride: width and height are rounded to multiples of so many pixels; the deepest map has one cell for each.
    """

    stride: int

    def with_size(self, size: int | None) -> Scalable:
        """The same encoder for pictures scaled to `size` x `size` pixels in area; None: pictures are not scaled.

        Raises:
            ConfigError: the network takes no other size.
        """
        ...


def deepest(encoder: Encoder, image: Image.Image) -> FeatureMap:
    """The deepest feature map of one image."""
    return encoder.encode([image])[0][-1]
