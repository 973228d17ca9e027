"""Large pictures: encoded in tiles that overlap, at full or nearly full detail, and put together again [ours].

A tile is encoded with a margin of its surroundings. The margin is dropped where another tile continues, so that a
cell next to a seam has seen what lies behind the seam. Nothing is dropped at the borders of the picture.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from reason_iad.errors import ConfigError
from reason_iad.expert.encoders.base import FeatureMap

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from reason_iad.expert.encoders.base import Scalable

TILE = 512
"""Side of a tile in pixels."""
MARGIN = 64
"""Pixels of a tile that are dropped next to another one: two cells of the deepest map of EfficientNet-Lite0."""
TOGETHER = 1
"""Tiles that are in memory at a time. Several take twice as long on processors (`pictures.BATCH_PIXELS_CPU`)."""


class Span(NamedTuple):
    """Part of one axis, in cells: a tile from `start` to `stop`, of which `first` to `last` are kept."""

    start: int
    stop: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Piece:
    """The features of one tile without its margin.

    Attributes:
        top, left: of the piece, in cells of the deepest map of the whole picture.
        rows, columns: its size in these cells.
        maps: its features at several depths, the deepest last.
    """

    top: int
    left: int
    rows: int
    columns: int
    maps: tuple[FeatureMap, ...]


def spans(cells: int, tile: int, margin: int) -> list[Span]:
    """Tiles that cover an axis. Each cell is kept once, and at least `margin` cells away from a seam.

    Args:
        cells: length of the axis.
        tile: length of a tile; the only one is shorter where the axis is.
        margin: cells that are dropped next to another tile.
    """
    step = tile - 2 * margin
    starts = [*range(0, max(cells - tile, 0), step), max(cells - tile, 0)]
    cuts = [0, *(start + margin for start in starts[1:]), cells]
    return [
        Span(start, min(start + tile, cells), first, last)
        for start, first, last in zip(starts, cuts, cuts[1:], strict=False)
    ]


class TiledEncoder:
    """Encodes every picture at full detail, tile by tile. A picture that fits into a tile is encoded as it is.

    Args:
        encoder: encodes the tiles.
        tile, margin: in pixels; rounded to multiples of the encoder's stride.
        size: larger pictures are scaled down to `size` x `size` pixels in area; None: none is.

    Raises:
        ConfigError: the margins leave nothing of a tile, or the encoder takes only one size.
    """

    def __init__(self, encoder: Scalable, tile: int = TILE, margin: int = MARGIN, size: int | None = None) -> None:
        self._encoder = encoder.with_size(None)
        self.stride = self._encoder.stride
        self._tile, self._margin = (round(length / self.stride) for length in (tile, margin))
        if not 0 <= 2 * self._margin < self._tile:
            raise ConfigError(
                f"Tiles of {tile} pixels with margins of {margin} cannot be used; the margins must be below half a "
                f"tile, and a tile at least {self.stride} pixels."
            )
        self._size = size
        self.name = f"{encoder.name}, in tiles"
        seen = f"{self._encoder.sha256} {self._tile} {self._margin}" + ("" if size is None else f" {size}")
        self.sha256 = hashlib.sha256(seen.encode()).hexdigest()

    def encode(self, images: Sequence[Image.Image]) -> list[tuple[FeatureMap, ...]]:
        """Per image, the maps of the whole picture. Large images are encoded one after another."""
        small = [max(self._grid(image)) <= self._tile and self._scale(image) == 1 for image in images]
        whole = iter(self._encoder.encode([image for image, fits in zip(images, small, strict=True) if fits]))
        return [next(whole) if fits else self._joined(image) for image, fits in zip(images, small, strict=True)]

    def pieces(self, image: Image.Image) -> Iterator[Piece]:
        """The features of a picture tile by tile, without ever holding those of the whole picture."""
        coloured = image if image.mode == "RGB" else image.convert("RGB")
        rows, columns = self._grid(image)
        tiles = [
            (down, across)
            for down in spans(rows, self._tile, self._margin)
            for across in spans(columns, self._tile, self._margin)
        ]
        while tiles:
            together, tiles = tiles[:TOGETHER], tiles[TOGETHER:]
            cut = [self._cut(coloured, down, across) for down, across in together]
            for (down, across), maps in zip(together, self._encoder.encode(cut), strict=True):
                yield Piece(
                    top=down.first,
                    left=across.first,
                    rows=down.last - down.first,
                    columns=across.last - across.first,
                    maps=tuple(_kept(each, down, across) for each in maps),
                )

    def _grid(self, image: Image.Image) -> tuple[int, int]:
        """Rows and columns of the deepest map of the whole picture."""
        pixels = self.stride / self._scale(image)  # of the picture, to a side of a cell
        return max(1, round(image.height / pixels)), max(1, round(image.width / pixels))

    def _scale(self, image: Image.Image) -> float:
        """By how much a picture is scaled; at most 1."""
        return 1.0 if self._size is None else min(1.0, self._size / math.sqrt(image.width * image.height))

    def _cut(self, image: Image.Image, down: Span, across: Span) -> Image.Image:
        """A tile with its margin. Sides of the picture are stretched to multiples of the stride on the way."""
        from PIL import Image as Pillow

        rows, columns = self._grid(image)
        x, y = image.width / columns, image.height / rows  # pixels of the picture per cell
        box = (across.start * x, down.start * y, across.stop * x, down.stop * y)
        size = ((across.stop - across.start) * self.stride, (down.stop - down.start) * self.stride)
        return image.resize(size, Pillow.Resampling.BILINEAR, box=box)

    def _joined(self, image: Image.Image) -> tuple[FeatureMap, ...]:
        import torch

        rows, columns = self._grid(image)
        whole: list[torch.Tensor] = []
        for piece in self.pieces(image):
            for depth, part in enumerate(piece.maps):
                finer = part.rows // piece.rows  # cells of this map to a side of one of the deepest
                if depth == len(whole):
                    shape = (rows * finer, columns * finer, part.features.shape[1])
                    whole.append(torch.empty(shape, device=part.features.device))
                top, left = piece.top * finer, piece.left * finer
                target = whole[depth][top : top + part.rows, left : left + part.columns]
                target.copy_(part.features.view(part.rows, part.columns, -1))
        return tuple(FeatureMap(each.flatten(0, 1), each.shape[0], each.shape[1]) for each in whole)


def _kept(found: FeatureMap, down: Span, across: Span) -> FeatureMap:
    """A map of a tile without the margin.

    Raises:
        ConfigError: its cells are not whole parts of a cell of the deepest map.
    """
    rows, columns = down.stop - down.start, across.stop - across.start
    finer = found.rows // rows
    if finer < 1 or (found.rows, found.columns) != (rows * finer, columns * finer):
        raise ConfigError(
            f"The encoder makes {found.rows} x {found.columns} cells of a tile of {rows} x {columns}, so tiles "
            "cannot be put together; use it without tiles."
        )
    top, bottom = ((row - down.start) * finer for row in (down.first, down.last))
    left, right = ((column - across.start) * finer for column in (across.first, across.last))
    part = found.features.view(found.rows, found.columns, -1)[top:bottom, left:right]
    return FeatureMap(part.flatten(0, 1).contiguous(), bottom - top, right - left)
