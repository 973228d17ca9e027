"""What the families share that see an image as one square tile and count positions in one dimension.

The image is resized to the tower's square, whatever its aspect ratio, and becomes a fixed number of tokens, row by
row: token (r, c) of the grid covers that part of the image. Several of these families can also cut an image into
many tiles; that is another prompt, switched off here by the option their own image processor has for it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from reason_iad.backbones.base import ImageTokens
from reason_iad.backbones.transformers_base import TransformersBackbone
from reason_iad.errors import ModelError
from reason_iad.features import FeatureMap

if TYPE_CHECKING:
    from PIL import Image


class TileBackbone(TransformersBackbone):
    """A family with one tile per image."""

    text_types: frozenset[str]
    """Text models under which the family is exact (and tested)."""

    @classmethod
    def unsupported(cls, text: dict[str, Any]) -> str | None:
        """Another text model may have attention that is not applied exactly (sinks, capped scores)."""
        if (kind := text.get("model_type")) in cls.text_types:
            return None
        return f"its text model is of type '{kind}', and only {', '.join(sorted(cls.text_types))} are supported"

    one_tile: dict[str, Any]
    """Options of the image processor that make one tile of an image."""

    def tile_rows(self, image: Image.Image) -> torch.Tensor:
        """(m, d) rows that stand for one tile in the decoder's input."""
        batch = self.image_processor(images=[image.convert("RGB")], return_tensors="pt", **self.one_tile)
        pixels = batch["pixel_values"].to(self.device, self.model.dtype)
        with torch.no_grad():
            rows: torch.Tensor = self.model.model.get_image_features(pixel_values=pixels).pooler_output[0]
        return rows

    def embed_image(self, image: Image.Image) -> ImageTokens:
        """Run the vision tower and the projector once."""
        rows = self.tile_rows(image)
        side = math.isqrt(len(rows))
        if side * side != len(rows):
            raise ModelError(
                f"'{self.version.name}' makes {len(rows)} tokens of an image, which is no square grid."
            )
        return ImageTokens(rows, side, side)

    def patch_features(self, image: Image.Image) -> FeatureMap:
        """The projected tokens of the tile, (rows * columns, d) float32."""
        seen = self.embed_image(image)
        return FeatureMap(seen.tokens.float(), seen.rows, seen.columns)

    def image_positions(self, start: int, image: ImageTokens) -> tuple[torch.Tensor, int]:
        """Positions (1, m) of the rows of an image, counted like text, and the position after it."""
        length = len(self.image_rows(image))
        return self.text_positions(start, length), start + length

    def text_positions(self, start: int, length: int) -> torch.Tensor:
        """Positions (1, length)."""
        return torch.arange(start, start + length, device=self.device)[None]
