"""Large pictures in tiles: every cell once, no seams, small defects found, little memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.expert.encoders.pictures import plate, spotted, strongest

from reason_iad.errors import ConfigError
from reason_iad.expert.encoders import FeatureMap, make_encoder
from reason_iad.expert.encoders.efficientnet_lite0 import EfficientNetLite0
from reason_iad.expert.encoders.tiling import MARGIN, TILE, TOGETHER, TiledEncoder, spans


@pytest.fixture(scope="module")
def encoder() -> EfficientNetLite0:
    made = make_encoder("efficientnet_lite0", None)
    assert isinstance(made, EfficientNetLite0)
    return made


@given(cells=st.integers(1, 300), tile=st.integers(1, 40), margin=st.integers(0, 19))
def test_tiles_cover_an_axis(cells: int, tile: int, margin: int) -> None:
    if 2 * margin >= tile:
        return
    found = spans(cells, tile, margin)
    assert [cell for each in found for cell in range(each.first, each.last)] == list(range(cells))
    for each in found:
        assert each.stop - each.start == min(tile, cells)
        assert each.first - each.start >= margin or each.first == 0
        assert each.stop - each.last >= margin or each.last == cells


def test_a_small_picture_is_encoded_as_it_is(encoder: EfficientNetLite0) -> None:
    picture = plate(320, 192)
    for whole, tiled in zip(
        encoder.with_size(None).encode([picture])[0], TiledEncoder(encoder).encode([picture])[0], strict=True
    ):
        assert torch.equal(whole.features, tiled.features)
        assert (whole.rows, whole.columns) == (tiled.rows, tiled.columns)


def test_seams_are_not_seen(encoder: EfficientNetLite0) -> None:
    """A cell next to a seam is as it would be without tiles, closely; without margins it is not."""
    picture = plate(1280, 416)
    whole = encoder.with_size(None).encode([picture])[0]
    apart = {}
    for margin in (0, 64):
        tiled = TiledEncoder(encoder, 512, margin).encode([picture])[0]
        assert [(m.rows, m.columns) for m in tiled] == [(m.rows, m.columns) for m in whole] == [
            (52, 160), (26, 80), (13, 40),
        ]  # fmt: skip
        apart[margin] = [
            float((1 - torch.cosine_similarity(one.features, other.features)).max())
            for one, other in zip(whole, tiled, strict=True)
        ]
    assert apart[64][0] < 0.01 and apart[64][1] < 0.05
    assert all(with_margin < without / 3 for with_margin, without in zip(apart[64][:2], apart[0][:2], strict=True))


@pytest.fixture(scope="module")
def long(encoder: EfficientNetLite0) -> tuple[Image.Image, tuple[FeatureMap, ...]]:
    """A good part in several tiles, and its maps."""
    good = plate(1600, 400)
    return good, TiledEncoder(encoder, 512, 64).encode([good])[0]


@pytest.mark.parametrize(("x", "y"), [(0, 0), (1588, 0), (1588, 388), (0, 388), (443, 190), (448, 200), (800, 388)])
def test_a_small_defect_is_found(
    encoder: EfficientNetLite0, long: tuple[Image.Image, tuple[FeatureMap, ...]], x: int, y: int
) -> None:
    """At corners, at borders and on seams of the tiles, at every depth."""
    good, first = long
    (second,) = TiledEncoder(encoder, 512, 64).encode([spotted(good, x, y, 12)])
    for before, after in zip(first, second, strict=True):
        across, down = strongest(before, after)
        assert abs(across * 1600 - x - 6) < 0.76 * 1600 / before.columns + 6
        assert abs(down * 400 - y - 6) < 0.76 * 400 / before.rows + 6


class Remembering:
    """An encoder that sees each picture once: most tiles of two pictures that hardly differ are the same."""

    def __init__(self, encoder: EfficientNetLite0, seen: dict[bytes, tuple[FeatureMap, ...]] | None = None) -> None:
        self.encoder, self.seen = encoder, {} if seen is None else seen
        self.name, self.sha256, self.stride = encoder.name, encoder.sha256, encoder.stride

    def with_size(self, size: int | None) -> Remembering:
        return Remembering(self.encoder.with_size(size), self.seen)

    def encode(self, images: Sequence[Image.Image]) -> list[tuple[FeatureMap, ...]]:
        for image in images:
            if image.tobytes() not in self.seen:
                self.seen[image.tobytes()] = self.encoder.encode([image])[0]
        return [self.seen[image.tobytes()] for image in images]


@pytest.mark.slow
@pytest.mark.parametrize(("x", "y"), [(7988, 2004), (4000, 1008)])
def test_twelve_pixels_of_sixteen_million_are_found(encoder: EfficientNetLite0, x: int, y: int) -> None:
    period = TILE - 2 * MARGIN  # the texture repeats, so that most tiles are the same
    texture = np.tile(np.asarray(plate(period, period)), (6, 21, 1))[:2016, :8000]
    good, tiled = Image.fromarray(texture), TiledEncoder(Remembering(encoder))
    first, second = (tiled.encode([picture])[0] for picture in (good, spotted(good, x, y, 12)))
    for before, after in zip(first, second, strict=True):
        across, down = strongest(before, after)
        assert abs(across * 8000 - x - 6) < 8000 / before.columns
        assert abs(down * 2016 - y - 6) < 2016 / before.rows


class Watched:
    """Remembers how much it is given at a time; three features per 16 pixels."""

    name, sha256, stride = "watched", "0", 16

    def __init__(self) -> None:
        self.most = self.largest = 0

    def with_size(self, size: int | None) -> Watched:
        return self

    def encode(self, images: Sequence[Image.Image]) -> list[tuple[FeatureMap, ...]]:
        self.most = max(self.most, len(images))
        self.largest = max(self.largest, *(image.width * image.height for image in images))
        return [
            (FeatureMap(torch.zeros(image.width * image.height // 256, 3), image.height // 16, image.width // 16),)
            for image in images
        ]


def test_few_tiles_are_in_memory(encoder: EfficientNetLite0) -> None:
    watched = Watched()
    pieces = TiledEncoder(watched, 256, 32).pieces(plate(4000, 1000))
    first = next(pieces)
    assert (first.top, first.left) == (0, 0)
    assert watched.most == TOGETHER  # the others wait until they are asked for
    cells = first.rows * first.columns + sum(piece.rows * piece.columns for piece in pieces)
    assert cells == 250 * 62
    assert (watched.most, watched.largest) == (TOGETHER, 256 * 256)


def test_the_hash_says_what_was_done(encoder: EfficientNetLite0) -> None:
    hashes = {TiledEncoder(encoder, *sizes).sha256 for sizes in ((512, 64), (512, 32), (256, 64))}
    assert len({*hashes, encoder.sha256}) == 4
    assert TiledEncoder(encoder.with_size(100)).sha256 == TiledEncoder(encoder).sha256  # tiles are never scaled


def test_margins_must_leave_something(encoder: EfficientNetLite0) -> None:
    with pytest.raises(ConfigError, match="margins must be below half"):
        TiledEncoder(encoder, 128, 64)


def test_cells_that_cannot_be_joined(encoder: EfficientNetLite0) -> None:
    class Odd(Watched):
        def encode(self, images: Sequence[Image.Image]) -> list[tuple[FeatureMap, ...]]:
            return [(FeatureMap(torch.zeros(49, 3), 7, 7),) for _ in images]

    with pytest.raises(ConfigError, match="use it without tiles"):
        TiledEncoder(Odd(), 256, 32).encode([plate(512, 512)])
