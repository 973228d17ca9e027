"""The vision tower of the model that answers, as an encoder: no further weights are loaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from reason_iad.errors import ConfigError
from reason_iad.expert.encoders.base import FeatureMap

if TYPE_CHECKING:
    from PIL import Image

    from reason_iad.schema import ModelVersion


class HasTower(Protocol):
    """The part of a local model that the encoder needs."""

    version: ModelVersion

    def patch_features(self, image: Image.Image) -> FeatureMap:
        """Features of the image's patches, as the decoder is given them."""
        ...


class TowerEncoder:
    """One feature map per image: what the model itself sees.

    Args:
        model: whose tower it is.

    Raises:
        ConfigError: there is no model.
    """

    def __init__(self, model: HasTower | None) -> None:
        if model is None:
            raise ConfigError(
                "The encoder 'tower' is part of a local model, and none is loaded; choose another encoder, for "
                "example 'efficientnet_lite0'."
            )
        self._model = model
        self.name = f"{model.version.name} (its vision tower)"
        self.sha256 = model.version.encoder_sha256

    def encode(self, images: Sequence[Image.Image]) -> list[tuple[FeatureMap, ...]]:
        """One map per image, one after another: pictures of different shapes make no batch."""
        return [(self._model.patch_features(image),) for image in images]
