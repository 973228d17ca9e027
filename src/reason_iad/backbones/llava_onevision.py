"""LLaVA-OneVision: the base tile, followed by one line-end row.

The model reads several images as one tile each (tiling is for a lone image), and so is every image here. It is made
square first, by the resize that the processor uses for the base tile; the processor would otherwise pad it to a
square, and the grid of tokens would not be the grid of the image. The chat template moves images to the front of a
message; they are written where they stand instead, as the model's processor allows.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from reason_iad.backbones.base import ImageTokens
from reason_iad.backbones.chat import ImageMarkup
from reason_iad.backbones.tile import TileBackbone

if TYPE_CHECKING:
    from PIL import Image


class LlavaOnevision(TileBackbone):
    """The LLaVA-OneVision family. `ImageTokens.extra` is the (1, d) line end after the tile."""

    model_class = "LlavaOnevisionForConditionalGeneration"
    image_token = "<image>"  # noqa: S105
    text_types = frozenset({"qwen2"})

    @property
    def markup(self) -> ImageMarkup:
        """Images stand where they are written."""
        return ImageMarkup(self.image_token, self.image_token, inline=True)

    def embed_image(self, image: Image.Image) -> ImageTokens:
        """Run the vision tower and the projector once."""
        rows = self.tile_rows(image)
        side = math.isqrt(len(rows) - 1)
        return ImageTokens(rows[:-1], side, side, rows[-1:])

    def image_rows(self, image: ImageTokens) -> torch.Tensor:
        """The tokens and the line end."""
        return torch.cat((image.tokens, image.extra))

    def tile_rows(self, image: Image.Image) -> torch.Tensor:
        """(n + 1, d): the tile and its line end."""
        # Two images in one message: the processor and the model then make one tile of each.
        batch = self.image_processor(images=[[self.square(image)] * 2], return_tensors="pt")
        pixels = batch["pixel_values"][:1].to(self.device, self.model.dtype)
        with torch.no_grad():
            out = self.model.model.get_image_features(
                pixels, image_sizes=batch["image_sizes"][:1], batch_num_images=batch["batch_num_images"]
            )
        rows: torch.Tensor = out.pooler_output[0]
        return rows

    def square(self, image: Image.Image) -> Image.Image:
        """The image at the size of one tile."""
        size = self.image_processor.size
        return image.convert("RGB").resize((int(size["width"]), int(size["height"])), self.image_processor.resample)
