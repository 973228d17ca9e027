"""Large pictures take little memory: few are held, and only details need all of their pixels."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import overload

import numpy as np
import pytest
import torch
from PIL import Image

from reason_iad.expert.encoders import make_encoder
from reason_iad.expert.encoders.base import FeatureMap
from reason_iad.expert.encoders.tiling import TiledEncoder
from reason_iad.expert.normality import drawing, looks, seeing
from reason_iad.expert.normality.area import Area
from reason_iad.expert.normality.drawing import _changed
from reason_iad.expert.normality.learning import learn, left_out_again
from reason_iad.expert.normality.looks import Eyes, detail_size, few_together
from reason_iad.expert.normality.where import fine_encoder
from reason_iad.images import WHOLE, LoadedImage, load_image


class Watched:
    """An encoder that keeps how many pixels the pictures had, and whether one was not grey."""

    sha256, stride = "0" * 64, 32

    def __init__(self, name: str) -> None:
        self.name = name
        self.pixels: list[int] = []
        self.coloured: list[bool] = []

    def encode(self, images: Sequence[Image.Image]) -> list[tuple[FeatureMap, ...]]:
        self.pixels += [image.width * image.height for image in images]
        self.coloured += [image.getextrema() != ((128, 128),) * 3 for image in images]
        noise = torch.Generator().manual_seed(len(self.pixels))
        return [(FeatureMap(torch.randn(64, 4, generator=noise), 8, 8),) * 2 for _ in images]


@pytest.mark.parametrize("detailed", [False, True])
def test_only_details_are_seen_with_all_pixels_of_a_large_picture(detailed: bool) -> None:
    coarse, last = Watched("coarse"), Watched("last")
    eyes = Eyes((coarse, last), (224, 320), detailed=detailed)
    size = (6000, 4000)
    assert size[0] * size[1] > WHOLE
    list(eyes.look([Image.new("RGB", size)]))
    assert coarse.pixels == [3000 * 2000]
    assert last.pixels == [6000 * 4000 if detailed else 3000 * 2000]


def test_what_does_not_count_is_painted_over_in_large_pictures_too() -> None:
    watched = Watched("coarse")
    eyes = Eyes((watched,), (224,), Area(np.zeros((1, 1), np.bool_)))
    list(eyes.look([Image.new("RGB", (5000, 4000), "red")]))
    assert watched.coloured == [False]


def test_pictures_are_held_together_by_their_pixels() -> None:
    assert list(few_together([])) == []
    assert list(few_together([10] * 10)) == [(0, 8), (8, 10)]
    assert list(few_together([WHOLE, WHOLE])) == [(0, 1), (1, 2)]
    assert list(few_together([2 * WHOLE, 10, 10, WHOLE])) == [(0, 1), (1, 3), (3, 4)]


class Held(Sequence[LoadedImage]):
    """Pictures that are made when they are asked for, and how many there are at a time at most."""

    def __init__(self, count: int, size: tuple[int, int]) -> None:
        self.count, self.size = count, size
        self.there: list[Callable[[], object]] = []
        self.most = 0

    def __len__(self) -> int:
        return self.count

    @overload
    def __getitem__(self, number: int) -> LoadedImage: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[LoadedImage]: ...
    def __getitem__(self, number: int | slice) -> LoadedImage | Sequence[LoadedImage]:
        assert isinstance(number, int)
        image = load_image(np.random.default_rng(number).integers(0, 256, (*self.size[::-1], 3), np.uint8))
        self.there.append(weakref.ref(image.pixels))
        self.most = max(self.most, sum(each() is not None for each in self.there))
        return image


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures of 200 x 100 pixels are so large that no two are held together."""
    monkeypatch.setattr(looks, "HELD", 20_000)
    monkeypatch.setattr(seeing, "HELD", 20_000)


@pytest.mark.usefixtures("little")
def test_large_pictures_are_learnt_from_one_at_a_time() -> None:
    good = Held(5, (200, 100))
    expert = learn(good, Eyes.of(make_encoder("efficientnet_lite0", None), (64,)))
    assert good.most <= 2, "one, and the next while it is loaded"
    assert sorted(at for at, _, _ in left_out_again(expert, good)) == list(range(5))
    assert good.most <= 2


def test_small_pictures_are_learnt_from_together() -> None:
    good = Held(5, (200, 100))
    learn(good, Eyes.of(make_encoder("efficientnet_lite0", None), (64,)))
    assert good.most >= 5


def test_places_are_found_by_another_encoder_than_details() -> None:
    """Details of the whole picture would be compared with the memory patch by patch: gigabytes."""
    encoder = make_encoder("efficientnet_lite0", None)
    eyes = Eyes.of(encoder, detail=detail_size([(8000, 2000)]))
    assert isinstance(eyes.encoders[-1], TiledEncoder)
    plain = replace(eyes, encoders=eyes.encoders[:-1], sizes=eyes.sizes[:-1], detailed=False)
    assert fine_encoder(eyes).sha256 == fine_encoder(plain).sha256


@pytest.mark.parametrize("size", [(97, 61), (400, 300)])
def test_a_drawn_defect_is_enlarged_in_strips(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same as the whole picture at once, which took a gigabyte."""
    chance = np.random.default_rng(0)
    before = Image.fromarray(chance.integers(0, 256, (*size[::-1], 3), np.uint8))
    change = np.zeros((20, 30, 3), np.int16)
    change[5:9, 7:12] = chance.integers(-90, 90, (4, 5, 3))
    expected = np.asarray(before).astype(np.float32)
    for channel in range(3):
        plane = Image.fromarray(change[..., channel].astype(np.float32))
        expected[..., channel] += np.asarray(plane.resize(size, Image.Resampling.BILINEAR))
    monkeypatch.setattr(drawing, "STRIP", 7 * size[0])
    found = np.asarray(_changed(before, change)).astype(np.int16)
    assert np.abs(found - np.clip(np.round(expected), 0, 255)).max() <= 1
    assert (_changed(before, np.zeros_like(change)).tobytes()) == before.tobytes()
