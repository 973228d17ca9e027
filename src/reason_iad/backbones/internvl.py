"""InternVL in its transformers form: one tile, whose pixel shuffle keeps the tokens in reading order."""

from __future__ import annotations

from typing import Any

from reason_iad.backbones.chat import ImageMarkup
from reason_iad.backbones.tile import TileBackbone


class InternVL(TileBackbone):
    """The InternVL family, on any dense text model that transformers gives it."""

    model_class = "InternVLForConditionalGeneration"
    image_token = "<IMG_CONTEXT>"  # noqa: S105
    text_types = frozenset({"llama", "qwen2", "qwen3"})
    one_tile: dict[str, Any] = {"crop_to_patches": False}  # noqa: RUF012

    @property
    def markup(self) -> ImageMarkup:
        """The processor puts the image between a start and an end token."""
        return ImageMarkup(self.image_token, self.image_token, f"<img>{self.image_token}</img>")
