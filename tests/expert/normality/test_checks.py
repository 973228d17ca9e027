"""Which good pictures somebody should look at, and whether more of them would help."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter
from tests.parts import good, plate, scratched

from reason_iad.expert.encoders import make_encoder
from reason_iad.expert.normality.checks import WORDS, conspicuous, worth_of_more
from reason_iad.expert.normality.learning import learn
from reason_iad.expert.normality.looks import Eyes
from reason_iad.images import LoadedImage, load_image


@pytest.fixture(scope="module")
def eyes() -> Eyes:
    return Eyes.of(make_encoder("efficientnet_lite0", None), (96,))


def found(images: list[LoadedImage], eyes: Eyes) -> set[tuple[int, str, int | None]]:
    expert = learn(images, eyes)
    limit = sorted(expert.left_out)[-2]
    return {(each.number, each.why, each.like) for each in conspicuous(images, expert, limit)}


def test_nothing_is_wrong_with_good_pictures(eyes: Eyes) -> None:
    assert not found(good(12), eyes)


def test_each_fault_is_named(eyes: Eyes) -> None:
    images = good(12)
    pixels = images[3].pixels
    soft = pixels.filter(ImageFilter.GaussianBlur(2))
    near = Image.fromarray((np.asarray(images[5].pixels).astype(int) + 1).clip(0, 255).astype(np.uint8))
    faulty = [
        load_image(soft), load_image(plate(400, light=0.5)), load_image(plate(401, light=1.7)),
        load_image(near), images[2],
    ]  # fmt: skip
    said = found([*images, *faulty], eyes)
    assert (12, "blurred", None) in said
    assert (13, "dark", None) in said
    assert (14, "bright", None) in said
    assert (15, "alike", 5) in said
    assert (16, "same", 2) in said and (16, "alike", 2) not in said
    assert not {number for number, _, _ in said} & set(range(12))
    assert {why for _, why, _ in said} <= set(WORDS)


def test_a_defect_among_good_pictures_is_told(eyes: Eyes) -> None:
    said = found([*good(12), load_image(scratched(500, length=34))], eyes)
    assert (12, "defective", None) in said and {number for number, _, _ in said} == {12}


def test_a_picture_of_something_else_is_the_odd_one_out(eyes: Eyes) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8)
    assert (6, "odd", None) in found([*good(12)[:6], load_image(noise), *good(12)[6:]], eyes)


def test_with_too_few_pictures_nothing_is_said(eyes: Eyes) -> None:
    assert not found(good(2), eyes)
    assert worth_of_more(learn(good(4), eyes)) is None


def test_more_pictures_help_where_parts_differ_and_not_where_all_are_the_same(eyes: Eyes) -> None:
    rng = np.random.default_rng(1)
    copies = [
        load_image((plate(1).astype(int) + rng.integers(0, 2, (96, 128, 3))).clip(0, 255).astype(np.uint8))
        for _ in range(12)
    ]
    varied = worth_of_more(learn(good(12), eyes))
    same = worth_of_more(learn(copies, eyes))
    assert varied is not None and same is not None
    assert 0 <= varied < 0.6 and 0 <= same < 0.6
