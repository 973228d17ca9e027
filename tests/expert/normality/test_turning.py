"""Parts that lie at any angle: found out, compared with turned good parts, and never refused as turned."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from reason_iad.expert.encoders import make_encoder
from reason_iad.expert.encoders.base import FeatureMap
from reason_iad.expert.normality.expert import ProductExpert
from reason_iad.expert.normality.learning import learn
from reason_iad.expert.normality.looks import Eyes
from reason_iad.expert.normality.turning import (
    STEPS,
    UPRIGHT,
    Orientation,
    Turning,
    find_turning,
    turned,
    turned_back,
)
from reason_iad.images import LoadedImage, load_image

GREY = (200, 200, 200)


def wheel(seed: int, degrees: float | None = None, *, broken: bool = False) -> Image.Image:
    """A wheel with three arms and a mark, lying at an angle: any one if none is given."""
    chance = np.random.default_rng(seed)
    picture = Image.new("RGB", (160, 160), GREY)
    draw = ImageDraw.Draw(picture)
    draw.ellipse((14, 14, 146, 146), fill=(90, 90, 100))
    for start in (0, 120, 240):
        draw.pieslice((34, 34, 126, 126), start, start + 60, fill=(150, 150, 160))
    draw.rectangle((72, 16, 88, 40), fill=(40, 40, 90))
    if broken:
        draw.rectangle((100, 96, 120, 104), fill=(240, 235, 230))
    angle = float(chance.uniform(0, 360)) if degrees is None else degrees
    lying = picture.rotate(angle, Image.Resampling.BICUBIC, fillcolor=GREY)
    noise = chance.normal(0, 5, (160, 160, 3))
    return Image.fromarray((np.asarray(lying) + noise).clip(0, 255).astype(np.uint8))


def upright(seed: int) -> Image.Image:
    return wheel(seed, float(np.random.default_rng(seed).uniform(-2, 2)))


def photographs(make: Callable[[int], Image.Image], count: int) -> list[LoadedImage]:
    return [load_image(make(seed)) for seed in range(count)]


def taught(good: Sequence[LoadedImage], eyes: Eyes, orientation: Orientation) -> ProductExpert:
    return learn(good, eyes, orientation=orientation)


@pytest.fixture(scope="module")
def eyes() -> Eyes:
    return Eyes.of(make_encoder("efficientnet_lite0", None), (128,))


@pytest.fixture(scope="module")
def found_out(eyes: Eyes) -> ProductExpert:
    return taught(photographs(wheel, 10), eyes, "auto")


@pytest.fixture(scope="module")
def as_they_lie(eyes: Eyes) -> ProductExpert:
    return taught(photographs(wheel, 10), eyes, "fixed")


def test_it_is_found_out_whether_parts_lie_at_any_angle(found_out: ProductExpert, eyes: Eyes) -> None:
    assert found_out.turning.steps == STEPS
    assert found_out.turning.worth is not None and found_out.turning.worth > 0.4
    assert "Parts lie at any angle" in found_out.turning.in_words()
    one_way = find_turning(photographs(upright, 10), eyes, "auto")
    assert one_way.steps == 1 and one_way.worth is not None and one_way.worth < 0.25
    assert "as they lie" in one_way.in_words()


def test_what_was_asked_for_is_done_and_a_few_images_do_not_tell(eyes: Eyes) -> None:
    some = photographs(wheel, 4)
    assert find_turning(some, eyes, "auto") == UPRIGHT
    assert find_turning(some, eyes, "any") == Turning(STEPS)
    assert find_turning(some, eyes, "fixed") == UPRIGHT
    assert "as was asked for" in Turning(STEPS).in_words()


def test_good_parts_at_new_angles_are_nearer_to_turned_good_parts(
    found_out: ProductExpert, as_they_lie: ProductExpert, eyes: Eyes
) -> None:
    looks = list(eyes.look([wheel(seed) for seed in range(100, 106)]))

    def mean(expert: ProductExpert) -> float:
        found = [expert.levels[0].distances(look.patches[0])["direction"].mean() for look in looks]
        return float(torch.stack(found).mean())

    assert mean(found_out) < 0.9 * mean(as_they_lie)


def test_good_parts_at_any_angle_are_told_from_broken_ones(found_out: ProductExpert) -> None:
    angles = range(5, 360, 60)
    good = [found_out.assess(load_image(wheel(200 + by, by))) for by in angles]
    bad = [found_out.assess(load_image(wheel(200 + by, by, broken=True))) for by in angles]
    assert [seen.likeness.reason for seen in good] == [None] * len(good)
    assert min(seen.score for seen in bad) > max(seen.score for seen in good)


def test_a_turned_part_is_only_refused_where_parts_lie_one_way(eyes: Eyes) -> None:
    """All good parts lie one way; who says that parts may lie at any angle is believed."""
    good = photographs(upright, 8)
    fixed, free = (taught(good, eyes, orientation) for orientation in ("fixed", "any"))
    picture = load_image(wheel(300, 180))
    assert fixed.assess(picture).likeness.reason == "turned"
    assert free.assess(picture).likeness.reason is None
    assert free.assess(picture).score < fixed.assess(picture).score


def test_good_images_stay_countable(found_out: ProductExpert) -> None:
    """Turned copies are no further images: neither for what is most alike nor for what is left out."""
    likeness = found_out.likeness
    assert likeness.images == 10 and len(likeness.embeddings) == 10 * STEPS
    whole = next(found_out.eyes.look([wheel(3)])).whole
    alike = likeness.most_alike(whole, 20)
    assert sorted(alike) == list(range(10)) and alike[0] == 3
    without = likeness.without(3)
    assert without.images == 9 and without.judge(whole).distance > likeness.judge(whole).distance
    assert 3 not in [number + (number >= 3) for number in without.most_alike(whole, 20)]


@pytest.mark.parametrize("degrees", [0, 30, 45, 90, 200])
def test_places_of_a_turned_picture_are_those_before_it_was_turned(degrees: float) -> None:
    picture = Image.new("RGB", (320, 160), "black")
    picture.paste("white", (210, 40, 220, 50))
    shown = np.asarray(turned(picture, degrees).convert("L").resize((64, 32), Image.Resampling.BOX), np.float32)
    found = turned_back(FeatureMap(torch.from_numpy(shown).reshape(-1, 1), 32, 64), degrees, picture.size)
    y, x = found.places[int(found.features[:, 0].argmax())].tolist()
    assert abs(x * 320 - 215) < 6 and abs(y * 160 - 45) < 6
    assert float(found.places.min()) >= 0 and float(found.places.max()) <= 1
    assert (len(found.places) == len(shown.ravel())) == (degrees == 0)


def test_what_a_turned_picture_does_not_show_is_like_its_border() -> None:
    picture = Image.new("RGB", (80, 40), (10, 120, 200))
    assert len(set(turned(picture, 33).getdata())) == 1
