"""Large pictures: a defect of a few pixels is found wherever it lies."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from reason_iad.expert.conformal import limits
from reason_iad.expert.encoders import make_encoder
from reason_iad.expert.judging import judge
from reason_iad.expert.normality.expert import ProductExpert
from reason_iad.expert.normality.learning import learn
from reason_iad.expert.normality.looks import Eyes, detail_size
from reason_iad.expert.normality.statistics import DETAILS
from reason_iad.expert.normality.storing import load_expert, save_expert
from reason_iad.expert.part_kind import PartKind
from reason_iad.images import LoadedImage, load_image

SIZE = (1200, 300)
SEEN = (64, 96)
SPOT = 12


def part(seed: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """A long plate with a row of holes, photographed a little shifted and with noise."""
    width, height = size
    chance = np.random.default_rng(seed)
    shift = chance.integers(-4, 5, 2)
    coarse = np.random.default_rng(0).integers(95, 145, (height // 32 + 2, width // 32 + 2, 3)).astype(np.uint8)
    pixels = np.roll(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC), shift, (0, 1))
    for x in range(height, width - height // 2, height):
        centre = int(x + shift[1]), int(height / 2 + shift[0])
        cv2.circle(pixels, centre, height // 8, (50, 50, 60), -1, cv2.LINE_AA)
    noise = chance.integers(-6, 7, (height // 2, width // 2, 1)).repeat(2, 0).repeat(2, 1)
    return Image.fromarray((pixels.astype(np.int16) + noise).clip(0, 255).astype(np.uint8))


def spotted(picture: Image.Image, x: int, y: int) -> Image.Image:
    """With a dark square whose upper left corner is at (x, y)."""
    bad = picture.copy()
    bad.paste((20, 15, 30), (x, y, x + SPOT, y + SPOT))
    return bad


def photographs(count: int, size: tuple[int, int] = SIZE) -> list[LoadedImage]:
    return [load_image(part(seed, size)) for seed in range(count)]


@cache
def taught(detail: int | None) -> PartKind:
    eyes = Eyes.of(make_encoder("efficientnet_lite0", None), SEEN, detail)
    return kind_of(learn(photographs(4), eyes))


def kind_of(expert: ProductExpert) -> PartKind:
    return PartKind("", "", expert, limits(expert.left_out, 0.2), {})


DETAIL = detail_size([SIZE], SEEN[-1])
TURNED: dict[int, Callable[[Image.Image], Image.Image]] = {
    6: lambda upright: upright.transpose(Image.Transpose.ROTATE_90),
    8: lambda upright: upright.transpose(Image.Transpose.ROTATE_270),
}
"""How the pixels of an upright picture lie in a file with this EXIF orientation."""


def test_only_large_pictures_are_seen_in_detail() -> None:
    assert detail_size([(1130, 460)]) is None and detail_size([]) is None
    assert detail_size([(1130, 460)], always=True) == round((1130 * 460) ** 0.5)
    assert detail_size([(300, 300)], always=True) is None
    assert detail_size([(1600, 1600)]) == 1600
    assert detail_size([(8000, 2000)]) == 2048
    assert detail_size([(5000, 5000)]) == 2500, "sides become half as long at most"
    assert detail_size([(10_000, 8000)]) == detail_size([(10_000, 10_000)]) == 2896, "131,000 patches at most"
    assert detail_size([(300, 300), (1600, 1600), (1600, 1600)]) == 1600, "the median counts"


@pytest.mark.parametrize("at", [(640, 60), (0, 0), (1188, 288), (700, 288), (298, 184)])
def test_a_small_defect_is_found_and_marked_where_it_is(at: tuple[int, int]) -> None:
    kind = taught(DETAIL)
    image = load_image(spotted(part(100), *at))
    said = judge(kind, image)
    assert said.verdict in ("defect", "review"), said.seen.numbers
    x1, y1, x2, y2 = said.marked[0].box
    middle = at[0] + SPOT / 2, at[1] + SPOT / 2
    assert x1 - 8 <= middle[0] <= x2 + 8 and y1 - 8 <= middle[1] <= y2 + 8
    assert (x2 - x1) * (y2 - y1) < 60 * 60


@pytest.mark.parametrize("orientation", TURNED)
def test_a_small_defect_is_found_in_a_picture_that_its_file_says_is_turned(orientation: int) -> None:
    at = (1150, 20)
    stored = TURNED[orientation](spotted(part(100), *at))
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    stored.save(file, "PNG", exif=exif)
    image = load_image(file.getvalue())
    assert image.pixels.size == SIZE
    said = judge(taught(DETAIL), image)
    x1, y1, x2, y2 = said.marked[0].box
    assert x1 - 8 <= at[0] + 6 <= x2 + 8 and y1 - 8 <= at[1] + 6 <= y2 + 8


def test_without_details_it_is_not_found() -> None:
    """What makes the tests above worth something."""
    with_them, without = taught(DETAIL), taught(None)
    assert DETAILS not in without.expert.standings
    for at in ((0, 0), (0, 160), (640, 60)):
        image = load_image(spotted(part(100), *at))
        assert with_them.expert.assess(image).score > 3 + without.expert.assess(image).score
    assert judge(without, load_image(spotted(part(100), 0, 160))).verdict == "pass"


def test_good_parts_are_about_as_good_as_without_details() -> None:
    with_them, without = (taught(size) for size in (DETAIL, None))
    for seed in range(200, 203):
        one, other = (kind.expert.assess(load_image(part(seed))).score for kind in (with_them, without))
        assert other <= one < other + 2


def test_the_map_stays_coarse_and_the_memory_in_its_budget() -> None:
    expert = taught(DETAIL).expert
    seen = expert.assess(load_image(spotted(part(100), 640, 60)))
    assert seen.excess.shape == seen.distances[1]["residual"].shape
    assert seen.distances[2]["residual"].numel() > 20 * seen.excess.numel()
    assert all(len(level.bank.entries.owners) <= 10_000 for level in expert.levels if level.bank.entries)


def test_an_expert_of_details_is_the_same_after_saving(tmp_path: Path) -> None:
    expert = taught(DETAIL).expert
    save_expert(expert, tmp_path, "these images")
    again = load_expert(tmp_path, expert.eyes, "these images")
    image = load_image(spotted(part(100), 640, 60))
    assert again.assess(image).score == pytest.approx(expert.assess(image).score, abs=1e-4)


def test_how_long_it_takes_is_told() -> None:
    eyes = Eyes.of(make_encoder("efficientnet_lite0", None), SEEN, 300)
    told: list[str] = []
    learn(photographs(3), eyes, lambda what, done, of: told.append(what))
    assert told[0] == "good images seen in detail, about 1 minute in all"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("at", [(4000, 700), (0, 0), (7988, 1988), (3000, 0), (0, 900), (1850, 1000)])
def test_a_defect_of_12_pixels_is_found_in_a_picture_of_8000_x_2000(at: tuple[int, int]) -> None:
    kind = very_large()
    image = load_image(spotted(part(100, (8000, 2000)), *at))
    said = judge(kind, image)
    assert said.verdict in ("defect", "review"), said.seen.numbers
    x1, y1, x2, y2 = said.marked[0].box
    assert x1 - 16 <= at[0] + 6 <= x2 + 16 and y1 - 16 <= at[1] + 6 <= y2 + 16


@cache
def very_large() -> PartKind:
    size = (8000, 2000)
    eyes = Eyes.of(make_encoder("efficientnet_lite0", None), detail=detail_size([size]))
    return kind_of(learn(photographs(4, size), eyes))
