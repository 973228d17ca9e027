"""What an expert sees of a picture: patches at each resolution, and the picture as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from reason_iad.errors import ConfigError
from reason_iad.expert.memory.features import joined
from reason_iad.expert.normality.area import EVERYWHERE, Area

if TYPE_CHECKING:
    from PIL import Image

    from reason_iad.expert.encoders.base import Encoder, FeatureMap

SIZES = (224, 320)
"""Roots of the numbers of pixels that pictures are scaled to. Both together were better on real parts than either
alone, and than 448 pixels (docs/results.md)."""
BATCH = 8
"""Pictures that are held at a time."""
GRID = 4
"""Cells each way in which it is kept what lies where."""
LOOKED_AT = 320
"""Root of the number of pixels at which light and sharpness are measured."""
NARROWEST = 16
"""Pixels of the shorter side of that copy, at least: it is looked at in half and in a quarter of its size too."""
LEAST = 1e-3
"""A picture that is less sharp, in grey levels, counts as so sharp."""


@dataclass(frozen=True, eq=False)
class Whole:
    """A picture as a whole.

    Attributes:
        embedding: (2 c,) mean and deviation of each channel.
        layout: (GRID * GRID * c,) what lies where, roughly; of unit length per cell.
        light: mean grey value in [0, 1].
        sharpness: mean absolute second derivative of the grey value, in grey levels.
        shape: ln of width over height.
        grain: the sharpness over that of the picture at half and at a quarter of the size. It falls where a picture
            was enlarged, and changes where it is out of focus, however strong its contrast is.
    """

    embedding: torch.Tensor
    layout: torch.Tensor
    light: float
    sharpness: float
    shape: float
    grain: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Look:
    """What is seen of one picture.

    Attributes:
        patches: at each resolution, the coarsest first.
        whole: the picture as a whole.
    """

    patches: tuple[FeatureMap, ...]
    whole: Whole


@dataclass(frozen=True, eq=False)
class Eyes:
    """An encoder at one or several resolutions.

    Attributes:
        encoders: the encoder at each of `sizes`.
        sizes: as in `SIZES`; None: as the encoder takes pictures.
        area: what counts of a picture; the rest is painted over before anything looks at it.
    """

    encoders: tuple[Encoder, ...]
    sizes: tuple[int | None, ...]
    area: Area = EVERYWHERE

    @classmethod
    def of(cls, encoder: Encoder, sizes: Sequence[int] = SIZES) -> Eyes:
        """The eyes that an encoder gives: at several resolutions where it takes pictures of any size.

        Raises:
            ConfigError: there is no resolution.
        """
        if not sizes:
            raise ConfigError("An expert needs at least one resolution; give one, for example 320.")
        scale: Any = getattr(encoder, "with_size", None)
        if scale is not None:
            try:
                return cls(tuple(scale(size) for size in sorted(sizes)), tuple(sorted(sizes)))
            except ConfigError:  # the network takes one size only
                pass
        return cls((encoder,), (None,))

    def look(self, pictures: Sequence[Image.Image]) -> Iterator[Look]:
        """What is seen of each; a few are looked at together."""
        for start in range(0, len(pictures), BATCH):
            some = [self.area.painted(pictures[at]) for at in range(start, min(start + BATCH, len(pictures)))]
            seen = [encoder.encode(some) for encoder in self.encoders]
            for number, picture in enumerate(some):
                maps = [each[number] for each in seen]
                yield Look(tuple(map(joined, maps)), whole(picture, maps[0]))


def whole(picture: Image.Image, maps: Sequence[FeatureMap]) -> Whole:
    """A picture as a whole, from its maps at the coarsest resolution, the deepest last."""
    values = grey(picture)
    half, sharp = _halved(values), sharpness(values)
    return Whole(
        embedding(maps),
        layout(maps[-1]),
        float(values.mean()) / 255,
        sharp,
        float(np.log(picture.width / picture.height)),
        (sharp / max(sharpness(half), LEAST), sharp / max(sharpness(_halved(half)), LEAST)),
    )


def embedding(maps: Sequence[FeatureMap]) -> torch.Tensor:
    """(2 c,) mean and deviation of each channel of the two deepest maps."""
    features = [each.features.float().cpu() for each in maps[-2:]]
    return torch.cat([part for each in features for part in (each.mean(0), each.std(0, correction=0))])


def layout(deepest: FeatureMap) -> torch.Tensor:
    """(GRID * GRID * c,) the mean features of each cell, of unit length."""
    planes = deepest.features.float().cpu().T.reshape(1, -1, deepest.rows, deepest.columns)
    cells = torch.nn.functional.adaptive_avg_pool2d(planes, (GRID, GRID))[0].flatten(1).T
    return torch.nn.functional.normalize(cells - cells.mean(0), dim=1).flatten()


def sharpness(values: Any) -> float:
    """Mean absolute second derivative of grey values (h, w)."""
    sides = values[1:-1, :-2] + values[1:-1, 2:] + values[:-2, 1:-1] + values[2:, 1:-1]
    return float(np.abs(sides - 4 * values[1:-1, 1:-1]).mean())


def grey(picture: Image.Image) -> Any:
    """(h, w) float32, at a size that is the same for all pictures."""
    from PIL import Image as Pillow

    scale = LOOKED_AT / (picture.width * picture.height) ** 0.5
    size = (max(NARROWEST, round(picture.width * scale)), max(NARROWEST, round(picture.height * scale)))
    return np.asarray(picture.convert("L").resize(size, Pillow.Resampling.BILINEAR, reducing_gap=3.0), np.float32)


def _halved(values: Any) -> Any:
    """(h // 2, w // 2) the mean of each 2 x 2 pixels."""
    rows, columns = (side // 2 for side in values.shape)
    return values[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2).mean((1, 3))
