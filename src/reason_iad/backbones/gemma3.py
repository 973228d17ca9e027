"""Gemma 3: the tokens of an image see each other in both directions, and most layers have a sliding window.

The pass over the head applies both, exactly as the model's own masks do: a token sees earlier tokens and its own
image whole, within the window in windowed layers. The window holds in every suffix too. A patch injected into the
latent sequence is no image of its own: it is read in order, like text. Embeddings are scaled as they are looked up,
image tokens are not, and the unit of the noise is the scaled embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reason_iad.backbones.base import ImageTokens, Prefix, Span
from reason_iad.backbones.chat import ImageMarkup
from reason_iad.backbones.tile import TileBackbone


class Gemma3(TileBackbone):
    """The multimodal Gemma 3 models."""

    model_class = "Gemma3ForConditionalGeneration"
    image_token = "<image_soft_token>"  # noqa: S105
    one_tile: dict[str, Any] = {"do_pan_and_scan": False}  # noqa: RUF012

    @classmethod
    def unsupported(cls, text: dict[str, Any]) -> str | None:
        """Embedding models of the family read text in both directions."""
        return "its text is read in both directions" if text.get("use_bidirectional_attention") else None

    @property
    def markup(self) -> ImageMarkup:
        """The processor sets the image apart with blank lines."""
        start, end = "<start_of_image>", "<end_of_image>"
        return ImageMarkup(start, self.image_token, f"\n\n{start}{self.image_token}{end}\n\n")

    def head_inputs(self, images: Sequence[ImageTokens], spans: Sequence[Span], length: int) -> dict[str, Any]:
        """The blocks that see themselves whole."""
        del images, length
        return {"blocks": tuple((start, stop) for start, stop in spans)}

    def plain_inputs(self, prefix: Prefix, length: int) -> dict[str, Any]:
        """The same blocks."""
        return self.head_inputs((), prefix.images, length)
