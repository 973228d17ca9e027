"""How pictures become the input of a network, and its output feature maps. Encoders share this."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reason_iad.expert.encoders.base import FeatureMap

if TYPE_CHECKING:
    import torch
    from PIL import Image

    Network = Callable[[torch.Tensor], Sequence[torch.Tensor]]
    """(b, 3, h, w) to maps (b, c, rows, columns), the deepest last."""

BATCH_PIXELS, BATCH_PIXELS_CPU = 8 * 448 * 448, 512 * 512
"""Pictures of equal size go through a network together, up to so many pixels: memory stays bounded. On processors
it is fewer: with more, the memory of each step is given back to the system and fetched again, which takes half as
long as computing."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """How a picture is scaled and normalised. Nothing is cut off.

    Attributes:
        size: root of the number of pixels that a picture is scaled to, whatever its shape; None: not scaled.
        stride: width and height become multiples of it, so that the grid covers the whole picture.
        mean, std: of each channel, for values in [0, 1].
        least: a shorter side is scaled up to so many pixels, and the other with it.
        square: every picture becomes `size` x `size`, for networks that take no other shape.
    """

    size: int | None
    stride: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    least: int = 1
    square: bool = False

    def sides(self, width: int, height: int) -> tuple[int, int]:
        """Width and height in pixels that a picture is scaled to."""
        if self.square and self.size is not None:
            return self.size, self.size
        scale = 1.0 if self.size is None else self.size / math.sqrt(width * height)
        scale = max(scale, self.least / min(width, height))
        return self._rounded(width * scale), self._rounded(height * scale)

    def tensor(self, image: Image.Image) -> torch.Tensor:
        """(3, h, w) float32: the picture, scaled and normalised."""
        import torch
        from PIL import Image as Pillow

        sides = self.sides(image.width, image.height)
        scaled = image if image.mode == "RGB" else image.convert("RGB")
        if scaled.size != sides:
            scaled = scaled.resize(sides, Pillow.Resampling.BILINEAR, reducing_gap=3.0)
        pixels = torch.from_numpy(np.array(scaled, np.float32)).permute(2, 0, 1) / 255
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (self.mean, self.std))
        return (pixels - mean) / std

    def _rounded(self, side: float) -> int:
        return max(1, round(side / self.stride)) * self.stride


def encode_batched(
    images: Sequence[Image.Image], preparation: Preparation, network: Network, device: str = "cpu"
) -> list[tuple[FeatureMap, ...]]:
    """The feature maps of each picture. Pictures that become equally large go through the network together.

    Args:
        images: of any size and shape.
        preparation: how they are scaled and normalised.
        network: what makes maps of them.
        device: where it is.
    """
    import torch

    groups: dict[tuple[int, int], list[int]] = {}
    for number, image in enumerate(images):
        groups.setdefault(preparation.sides(image.width, image.height), []).append(number)
    found: dict[int, tuple[FeatureMap, ...]] = {}
    for (width, height), numbers in groups.items():
        most = max(1, (BATCH_PIXELS_CPU if device == "cpu" else BATCH_PIXELS) // (width * height))
        for start in range(0, len(numbers), most):
            together = numbers[start : start + most]
            batch = torch.stack([preparation.tensor(images[number]) for number in together])  # (b, 3, h, w)
            with torch.inference_mode():
                depths = network(batch.to(device))
            for place, number in enumerate(together):
                found[number] = tuple(feature_map(depth[place]) for depth in depths)
    return [found[number] for number in range(len(images))]


def feature_map(values: torch.Tensor) -> FeatureMap:
    """A map (c, rows, columns) as features, row by row."""
    _, rows, columns = values.shape
    return FeatureMap(values.flatten(1).T.float().contiguous(), rows, columns)
