"""Qwen3-VL: deep-stack visual features.

Features of several depths of the tower are added to the hidden states of the image positions after the first
decoder layers. The pass over the head does so, exactly as the model's own forward. A patch injected into the latent
sequence is its projected token alone: it is at no image position, so nothing is added to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from reason_iad.backbones.base import ImageTokens, Prefix, Span
from reason_iad.backbones.mrope import MropeBackbone

if TYPE_CHECKING:
    from PIL import Image


class Qwen3VL(MropeBackbone):
    """The dense Qwen3-VL family. `ImageTokens.extra` is one (n, d) tensor per deep-stack layer."""

    model_class = "Qwen3VLForConditionalGeneration"

    def embed_image(self, image: Image.Image) -> ImageTokens:
        """Run the vision tower, the merger and the deep-stack mergers once."""
        seen = self.tower(image)
        output = seen.output
        return ImageTokens(output.pooler_output, seen.rows, seen.columns, tuple(output.deepstack_features))

    def head_inputs(self, images: Sequence[ImageTokens], spans: Sequence[Span], length: int) -> dict[str, Any]:
        """Where the images are, and what is added there after each of the first layers."""
        ordered = sorted(zip(spans, images, strict=True), key=lambda pair: pair[0])
        features = [torch.cat(layer) for layer in zip(*(image.extra for _, image in ordered), strict=True)]
        return {"visual_pos_masks": _mask(spans, length, self.device), "deepstack_visual_embeds": features}

    def plain_inputs(self, prefix: Prefix, length: int) -> dict[str, Any]:
        """The inputs of the head with the mask extended over the suffix."""
        return dict(prefix.state) | {"visual_pos_masks": _mask(prefix.images, length, self.device)}


def _mask(spans: Sequence[Span], length: int, device: torch.device) -> torch.Tensor:
    """(1, length), true at image positions."""
    mask = torch.zeros(1, length, dtype=torch.bool, device=device)
    for start, stop in spans:
        mask[:, start:stop] = True
    return mask
