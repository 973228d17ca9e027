"""What the families with multimodal rotary positions (M-RoPE) share: Qwen2-VL and its successors, GLM-4.1V.

Rotary positions follow the models' own `get_rope_index` for still images: text advances all three axes by one; an
image of h x w tokens takes (start, start + row, start + column) and the text after it resumes at start + max(h, w).
Images keep their aspect ratio; the tower takes any number of patches and merges squares of them into tokens.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from reason_iad.backbones.base import ImageTokens
from reason_iad.backbones.transformers_base import TransformersBackbone
from reason_iad.errors import ImageError
from reason_iad.features import FeatureMap

if TYPE_CHECKING:
    from PIL import Image

FEATURE_PIXELS = 448 * 448
"""Pixels to which an image is scaled for patch features: 16 x 16 merged patches of 28 pixels [ours]."""


class Seen(NamedTuple):
    """One image after the tower: its output, and the grid of merged patches."""

    output: Any
    rows: int
    columns: int


LARGE = 4_000_000
"""Pixels from which a picture is made smaller for the image processor, which copies it several times."""
SPARE = 8
"""Sides of the smaller copy are at least so many times as long as what the model sees of it."""


def lighter(image: Image.Image, most: int) -> Image.Image:
    """A large picture made smaller by a whole factor, if a model sees far less of it; else the same.

    Args:
        image: any.
        most: pixels that the model sees of it, at most.
    """
    pixels = image.width * image.height
    factor = int(math.sqrt(pixels / most) / SPARE) if pixels > LARGE else 1
    return image if factor < 2 else image.reduce(min(factor, image.width, image.height))


class MropeBackbone(TransformersBackbone):
    """A family whose image processor gives `pixel_values` and `image_grid_thw`."""

    image_token = "<|image_pad|>"  # noqa: S105
    counted_frames = 1
    """How often the image processor counts the pixels of a still image against its limits."""

    def embed_image(self, image: Image.Image) -> ImageTokens:
        """Run the vision tower and the merger once."""
        seen = self.tower(image)
        return ImageTokens(seen.output.pooler_output, seen.rows, seen.columns)

    def patch_features(self, image: Image.Image) -> FeatureMap:
        """Merged patch tokens of the image scaled to `FEATURE_PIXELS`, (rows * columns, d) float32."""
        pixels = FEATURE_PIXELS * self.counted_frames
        size = {"shortest_edge": pixels, "longest_edge": pixels}
        seen = self.tower(image, size=size)
        return FeatureMap(seen.output.pooler_output.float(), seen.rows, seen.columns)

    def image_positions(self, start: int, image: ImageTokens) -> tuple[torch.Tensor, int]:
        """M-RoPE positions (3, n) of an image and the position after it."""
        row = torch.arange(image.rows, device=self.device).repeat_interleave(image.columns)
        column = torch.arange(image.columns, device=self.device).repeat(image.rows)
        axes = torch.stack((torch.zeros_like(row), row, column)) + start
        return axes, start + max(image.rows, image.columns)

    def text_positions(self, start: int, length: int) -> torch.Tensor:
        """The same position on all three axes, (3, length)."""
        return torch.arange(start, start + length, device=self.device).expand(3, -1)

    def tower(self, image: Image.Image, **options: Any) -> Seen:
        """Run the vision tower and the merger once; options go to the image processor."""
        size = dict(options.get("size") or self.image_processor.size)
        most = size.get("longest_edge") or image.width * image.height
        try:
            batch = self.image_processor(images=[lighter(image, most)], return_tensors="pt", **options)
        except ValueError as error:  # the resize refuses extreme aspect ratios
            raise ImageError(
                f"The image of {image.width} x {image.height} pixels cannot be resized for the model: {error}"
            ) from error
        visual = self.model.model.visual
        grid = batch["image_grid_thw"]
        with torch.no_grad():
            output = visual(batch["pixel_values"].to(self.device, visual.dtype), grid_thw=grid.to(self.device))
        merge = int(visual.spatial_merge_size)
        return Seen(output, int(grid[0, 1]) // merge, int(grid[0, 2]) // merge)
