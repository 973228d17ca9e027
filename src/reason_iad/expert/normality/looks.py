"""What an expert sees of a picture: patches at each resolution, and the picture as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from reason_iad.errors import ConfigError
from reason_iad.expert.encoders.tiling import TiledEncoder
from reason_iad.expert.memory.features import averaged, joined
from reason_iad.expert.normality.area import EVERYWHERE, Area
from reason_iad.images import WHOLE, at_most

if TYPE_CHECKING:
    from PIL import Image

    from reason_iad.expert.encoders.base import Encoder, FeatureMap

SIZES = (224, 320)
"""Roots of the numbers of pixels that pictures are scaled to. Both together were better on real parts than either
alone, and than 448 pixels (docs/results.md)."""
BATCH, HELD = 8, WHOLE
"""Pictures that are held at a time: so many, or as many as have so many pixels together."""
LARGE = 4
"""Pictures whose sides are so many times as long as what is seen of them are looked at in detail,
too. On real parts of 2.2 and 2.5 times details said nothing that the rest had not (docs/results.md)."""
FULL, LEAST_DETAIL, MOST_DETAIL = 2048, 0.5, 2896
"""Details are seen at full resolution up to a picture of `FULL` x `FULL` pixels in area. Sides of larger ones are
scaled down to that, but not to less than this share, up to `MOST_DETAIL` x `MOST_DETAIL` pixels: about 131,000
patches. Of a picture with 80 megapixels a patch then shows 25 x 25 pixels, and looking at it takes seconds."""
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
        detailed: whether the last encoder looks at details, in tiles.
    """

    encoders: tuple[Encoder, ...]
    sizes: tuple[int | None, ...]
    area: Area = EVERYWHERE
    detailed: bool = False

    @classmethod
    def of(cls, encoder: Encoder, sizes: Sequence[int] = SIZES, detail: int | None = None) -> Eyes:
        """The eyes that an encoder gives: at several resolutions where it takes pictures of any size.

        Args:
            encoder: any.
            sizes: the resolutions.
            detail: that of details (`detail_size`); None: these are not looked at.

        Raises:
            ConfigError: there is no resolution.
        """
        if not sizes:
            raise ConfigError("An expert needs at least one resolution; give one, for example 320.")
        scale: Any = getattr(encoder, "with_size", None)
        if scale is not None:
            try:
                eyes = cls(tuple(scale(size) for size in sorted(sizes)), tuple(sorted(sizes)))
                return eyes if detail is None else eyes._with_details(encoder, detail)
            except ConfigError:  # the network takes one size only
                pass
        return cls((encoder,), (None,))

    def look(self, pictures: Sequence[Image.Image]) -> Iterator[Look]:
        """What is seen of each; a few are looked at together. Only details need all pixels of a large picture."""
        for start, stop in few_together([picture.width * picture.height for picture in pictures]):
            some = [
                self.area.painted(picture if self.detailed else at_most(picture, WHOLE))
                for picture in pictures[start:stop]
            ]
            small = [at_most(picture, WHOLE) for picture in some]
            seen = [
                encoder.encode(some if self.is_detailed(level) else small)
                for level, encoder in enumerate(self.encoders)
            ]
            for number, picture in enumerate(small):
                maps = [each[number] for each in seen]
                yield Look(tuple(map(self._patches, range(len(maps)), maps)), whole(picture, maps[0]))

    def coarsest(self) -> Eyes:
        """The same at the lowest resolution alone."""
        return Eyes(self.encoders[:1], self.sizes[:1], self.area)

    def is_detailed(self, level: int) -> bool:
        """Whether an encoder, by its number, looks at details."""
        return self.detailed and level == len(self.encoders) - 1

    def _patches(self, level: int, maps: Sequence[FeatureMap]) -> FeatureMap:
        """What is compared. Of details it is the shallowest depth, whose patches are the smallest."""
        return averaged(maps[0]) if self.is_detailed(level) else joined(maps)

    def _with_details(self, encoder: Any, detail: int) -> Eyes:
        shallow: Any = getattr(encoder, "shallow", None)  # nothing deeper is looked at
        tiled = TiledEncoder(encoder if shallow is None else shallow(), size=detail)
        return Eyes((*self.encoders, tiled), (*self.sizes, detail), self.area, detailed=True)


def few_together(pixels: Sequence[int]) -> Iterator[tuple[int, int]]:
    """From and to which number pictures are held together, by how many pixels each has."""
    start = held = 0
    for at, each in enumerate(pixels):
        if at - start == BATCH or (at > start and held + each > HELD):
            yield start, at
            start, held = at, 0
        held += each
    if pixels:
        yield start, len(pixels)


def detail_size(pictures: Sequence[tuple[int, int]], seen: int = SIZES[-1], *, always: bool = False) -> int | None:
    """The root of the number of pixels at which details of such pictures are seen; None: they need not be.

    Args:
        pictures: width and height of the good ones; the median counts.
        seen: root of the number of pixels that are seen of them otherwise.
        always: also where the pictures are not large, but larger than that.
    """
    roots = sorted((width * height) ** 0.5 for width, height in pictures)
    root: float = roots[len(roots) // 2] if roots else 0.0
    if root <= seen * (1 if always else LARGE):
        return None
    return round(max(min(root, FULL), min(LEAST_DETAIL * root, MOST_DETAIL)))


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
