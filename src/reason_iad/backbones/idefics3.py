"""Idefics3 and SmolVLM: one tile, written as the image of the whole ("global image").

With splitting off, the processor writes <fake_token_around_image><global-img> ... <fake_token_around_image>. The
answer follows "Assistant:" after a space, so an answer letter is read with the space before it.
"""

from __future__ import annotations

from typing import Any

from reason_iad.backbones.chat import ImageMarkup
from reason_iad.backbones.tile import TileBackbone

_FAKE = "<fake_token_around_image>"


class Idefics3(TileBackbone):
    """The Idefics3 family."""

    model_class = "Idefics3ForConditionalGeneration"
    image_token = "<image>"  # noqa: S105
    answer_prefix = " "
    text_types = frozenset({"llama"})
    one_tile: dict[str, Any] = {"do_image_splitting": False}  # noqa: RUF012

    @property
    def markup(self) -> ImageMarkup:
        """The processor marks the image as the whole one."""
        return ImageMarkup(self.image_token, self.image_token, f"{_FAKE}<global-img>{self.image_token}{_FAKE}")

    @property
    def decoder(self) -> Any:
        """The text model."""
        return self.model.model.text_model


class SmolVLM(Idefics3):
    """The SmolVLM family: the same architecture under another class."""

    model_class = "SmolVLMForConditionalGeneration"
