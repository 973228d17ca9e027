"""Qwen2.5-VL: explicit M-RoPE positions, one vision pass per image.

Rotary positions follow the model's own `get_rope_index` for still images: text advances all three axes by one; an
image of h x w tokens takes (start, start + row, start + column) and the text after it resumes at start + max(h, w).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from reason_iad.backbones.base import ImageTokens, PatchFeatures
from reason_iad.backbones.transformers_base import TransformersBackbone
from reason_iad.errors import ImageError

if TYPE_CHECKING:
    from PIL import Image

FEATURE_PIXELS = 448 * 448
"""Pixels to which an image is scaled for patch features: 16 x 16 merged patches of 28 pixels [ours]."""


class Qwen25VL(TransformersBackbone):
    """The Qwen2.5-VL family, and the embedded `nano`, which is a small model of the same class."""

    model_class = "Qwen2_5_VLForConditionalGeneration"
    image_token = "<|image_pad|>"  # noqa: S105

    def embed_image(self, image: Image.Image) -> ImageTokens:
        """Run the vision tower and the merger once."""
        tokens, rows, columns = self._tower(image)
        return ImageTokens(tokens, rows, columns)

    def patch_features(self, image: Image.Image) -> PatchFeatures:
        """Merged patch tokens of the image scaled to `FEATURE_PIXELS`, (rows * columns, d) float32."""
        size = {"shortest_edge": FEATURE_PIXELS, "longest_edge": FEATURE_PIXELS}
        tokens, rows, columns = self._tower(image, size=size)
        return PatchFeatures(tokens.float(), rows, columns)

    def image_positions(self, start: int, image: ImageTokens) -> tuple[torch.Tensor, int]:
        """M-RoPE positions (3, n) of an image and the position after it."""
        row = torch.arange(image.rows, device=self.device).repeat_interleave(image.columns)
        column = torch.arange(image.columns, device=self.device).repeat(image.rows)
        axes = torch.stack((torch.zeros_like(row), row, column)) + start
        return axes, start + max(image.rows, image.columns)

    def text_positions(self, start: int, length: int) -> torch.Tensor:
        """The same position on all three axes, (3, length)."""
        return torch.arange(start, start + length, device=self.device).expand(3, -1)

    @property
    def decoder(self) -> Any:
        """The language model."""
        return self.model.model.language_model

    def _tower(self, image: Image.Image, **options: Any) -> tuple[torch.Tensor, int, int]:
        try:
            batch = self.image_processor(images=[image], return_tensors="pt", **options)
        except ValueError as error:  # the resize refuses extreme aspect ratios
            raise ImageError(
                f"The image of {image.width} x {image.height} pixels cannot be resized for the model: {error}"
            ) from error
        visual = self.model.model.visual
        grid = batch["image_grid_thw"]
        with torch.no_grad():
            out = visual(batch["pixel_values"].to(self.device, visual.dtype), grid_thw=grid.to(self.device))
        merge = int(visual.spatial_merge_size)
        rows, columns = int(grid[0, 1]) // merge, int(grid[0, 2]) // merge
        tokens: torch.Tensor = out.pooler_output
        return tokens, rows, columns
