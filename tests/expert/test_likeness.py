"""Whether a picture can be judged: what does not show the product is refused, good parts are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFilter

from reason_iad.expert.encoders import make_encoder
from reason_iad.expert.normality.expert import ProductExpert
from reason_iad.expert.normality.learning import learn
from reason_iad.expert.normality.likeness import TEXTS, LikenessModel
from reason_iad.expert.normality.looks import Eyes, Whole
from reason_iad.images import load_image

SIZE = (192, 128)


def part(seed: int) -> Image.Image:
    """A plate with a handle at its left and a hole at the lower right: it looks different in every other way."""
    chance = np.random.default_rng(seed)
    grain = chance.normal(170, 8, (SIZE[1], SIZE[0], 3)).clip(0, 255).astype(np.uint8)
    picture = Image.fromarray(grain)
    draw = ImageDraw.Draw(picture)
    dx, dy = (int(value) for value in chance.integers(-2, 3, 2))
    draw.rectangle((12 + dx, 40 + dy, 60 + dx, 70 + dy), fill=(60, 60, 90))
    draw.rectangle((60 + dx, 20 + dy, 176 + dx, 112 + dy), fill=(110, 120, 130))
    draw.ellipse((140 + dx, 76 + dy, 166 + dx, 102 + dy), fill=(30, 30, 30))
    return picture


def disc(seed: int) -> Image.Image:
    """A disc with a notch, at any angle."""
    picture = Image.new("RGB", (160, 160), (200, 200, 200))
    ImageDraw.Draw(picture).ellipse((20, 20, 140, 140), fill=(90, 90, 100))
    ImageDraw.Draw(picture).rectangle((70, 14, 90, 44), fill=(200, 200, 200))
    turned = picture.rotate(float(np.random.default_rng(seed).uniform(0, 360)), fillcolor=(200, 200, 200))
    grain = np.random.default_rng(seed).normal(0, 6, (160, 160, 3))
    return Image.fromarray((np.asarray(turned) + grain).clip(0, 255).astype(np.uint8))


def larger(picture: Image.Image) -> Image.Image:
    return picture.crop((48, 32, 144, 96)).resize(SIZE)


@pytest.fixture(scope="module")
def eyes() -> Eyes:
    return Eyes.of(make_encoder("efficientnet_lite0", None), [224])


def taught(make: Callable[[int], Image.Image], count: int, eyes: Eyes) -> ProductExpert:
    return learn([load_image(make(seed)) for seed in range(count)], eyes)


@pytest.fixture(scope="module")
def expert(eyes: Eyes) -> ProductExpert:
    return taught(part, 10, eyes)


def reason(expert: ProductExpert, picture: Image.Image) -> str | None:
    return expert.assess(load_image(picture)).likeness.reason


IMPLAUSIBLE: dict[str, tuple[Callable[[Image.Image], Image.Image], str]] = {
    "black": (lambda good: Image.new("RGB", good.size), "dark"),
    "white": (lambda good: Image.new("RGB", good.size, "white"), "bright"),
    "a quarter of the light": (lambda good: good.point(lambda value: value / 4), "dark"),
    "four times the light": (lambda good: good.point(lambda value: min(255, 4 * value)), "bright"),
    "out of focus": (lambda good: good.filter(ImageFilter.GaussianBlur(4)), "blurred"),
    "of another shape": (lambda good: good.resize((320, 80)), "shape"),
    "upside down": (lambda good: good.transpose(Image.Transpose.ROTATE_180), "turned"),
    "mirrored": (lambda good: good.transpose(Image.Transpose.FLIP_TOP_BOTTOM), "turned"),
    "another part": (lambda _: Image.fromarray(np.asarray(disc(1).resize(SIZE)) // 2 + 60), "other"),
}


@pytest.mark.parametrize("name", IMPLAUSIBLE)
def test_what_is_implausible_is_refused(name: str, expert: ProductExpert) -> None:
    change, why = IMPLAUSIBLE[name]
    found = reason(expert, change(part(90)))
    assert found in TEXTS
    assert found == why or why == "other"


def test_good_parts_are_judged(expert: ProductExpert) -> None:
    assert [reason(expert, part(seed)) for seed in range(90, 98)] == [None] * 8


def test_parts_that_lie_in_any_way_are_never_turned(eyes: Eyes) -> None:
    expert = taught(disc, 8, eyes)
    assert expert.likeness.turned.shape[0] == 0
    ways = [disc(90).transpose(way) for way in Image.Transpose]
    assert [reason(expert, picture) for picture in ways] == [None] * len(ways)


@pytest.mark.parametrize("count", [1, 3])
def test_a_few_good_images_are_enough_to_refuse_other_things(count: int, eyes: Eyes) -> None:
    expert = taught(part, count, eyes)
    assert len(expert.likeness.embeddings) == count, "changed copies are no good images"
    assert [reason(expert, part(seed)) for seed in range(90, 96)] == [None] * 6
    noise = np.random.default_rng(0).integers(0, 256, (*SIZE[::-1], 3), np.uint8)
    for picture in (Image.new("RGB", SIZE, "white"), Image.new("RGB", SIZE), Image.fromarray(noise)):
        assert reason(expert, picture) in TEXTS


def test_a_part_that_is_shown_larger_has_another_grain(expert: ProductExpert) -> None:
    usual, enlarged = (next(expert.eyes.look([picture])).whole for picture in (part(90), larger(part(90))))
    assert max(enlarged.grain) < 0.8 * max(usual.grain)
    assert expert.likeness.judge(usual).reason is None
    assert expert.likeness.judge(replace(usual, grain=enlarged.grain)).reason == "grain"


def test_the_extremes_of_a_few_images_are_taken_with_caution() -> None:
    def whole(light: float) -> Whole:
        return Whole(torch.ones(4) * light, torch.ones(8), light, 5.0, 0.0, (0.5, 0.3))

    few, many = (LikenessModel.of([whole(0.2)] * count) for count in (2, 200))
    assert few.judge(whole(0.09)).reason != "dark"
    assert many.judge(whole(0.09)).reason == "dark"


def test_one_image_beside_its_copies_has_a_finite_distance() -> None:
    one = Whole(torch.ones(4), torch.ones(8), 0.5, 5.0, 0.0, (0.5, 0.3))
    model = LikenessModel.of([one], [one, one])
    assert model.judge(one).distance == 0 and model.judge(one).reason is None
