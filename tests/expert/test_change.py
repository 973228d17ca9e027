"""What changed on a part of two tones: the six defects of a board, however shown, and when nobody can tell."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from reason_iad.expert.change import WORDS, Change, change_at, two_tones
from reason_iad.expert.template import compared_size
from reason_iad.schema import Box

Draw = Callable[[ImageDraw.ImageDraw], None]
HERE = Box(x1=90, y1=80, x2=130, y2=120)


def board(defect: Draw = lambda draw: None, noise: float = 0.0, shift: int = 0, seed: int = 0) -> Image.Image:
    """Two dark traces from top to bottom, 40 pixels apart, of 300 x 200 pixels."""
    picture = Image.new("L", (300, 200), 235)
    draw = ImageDraw.Draw(picture)
    for left in (80, 140):
        draw.rectangle((left + shift, 0, left + 19 + shift, 199), fill=20)
    defect(draw)
    pixels = np.asarray(picture) + np.random.default_rng(seed).normal(0, noise, (200, 300))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).convert("RGB")


def changed(
    picture: Image.Image, good: Image.Image, box: Box, unseen: tuple[float, float] = (0.0, 0.0)
) -> Change | None:
    """As an inspection asks: of pictures not larger than pixels are compared."""
    size = compared_size(picture.width, picture.height)
    scale = size[0] / picture.width
    pixels = [np.asarray(each.resize(size, Image.Resampling.BOX)) for each in (picture, good)]
    corners = {name: round(value * scale) for name, value in box.model_dump().items()}
    return change_at(pixels[0], [pixels[1]], Box(**corners), unseen)


def rectangle(x1: int, y1: int, x2: int, y2: int, fill: int) -> Draw:
    return lambda draw: draw.rectangle((x1, y1, x2, y2), fill=fill)


SIX = {
    "island": (rectangle(112, 95, 124, 105, 20), Change(True, 0)),
    "spur": (rectangle(98, 96, 118, 104, 20), Change(True, 1)),
    "bridge": (rectangle(98, 96, 142, 104, 20), Change(True, 2)),
    "hole": (rectangle(86, 96, 93, 104, 235), Change(False, 0)),
    "bite": (rectangle(90, 96, 101, 104, 235), Change(False, 1)),
    "gap": (rectangle(78, 96, 101, 104, 235), Change(False, 2)),
}


@pytest.mark.parametrize("name", SIX)
@pytest.mark.parametrize(("noise", "shift"), [(0, 0), (12, 0), (5, 1)])
def test_the_six_changes_of_a_board_are_told_apart(name: str, noise: float, shift: int) -> None:
    defect, change = SIX[name]
    assert changed(board(defect, noise), board(noise=noise, shift=shift, seed=1), HERE) == change


@pytest.mark.parametrize("turned", [0, 90])
@pytest.mark.parametrize("name", SIX)
def test_size_and_direction_do_not_matter(name: str, turned: int) -> None:
    defect, change = SIX[name]
    picture, good = (each.rotate(turned, expand=True).resize((900, 900)) for each in (board(defect), board()))
    assert changed(picture, good, Box(x1=0, y1=0, x2=900, y2=900)) == change


def test_a_reference_of_another_size_is_brought_to_the_same() -> None:
    part = np.asarray(board(SIX["bridge"][0]))
    for size in ((150, 100), (450, 300)):
        assert change_at(part, [np.asarray(board().resize(size))], HERE) == Change(True, 2)


def test_references_have_to_agree() -> None:
    good = np.asarray(board())
    bridged, spur, bitten = (np.asarray(board(SIX[name][0])) for name in ("bridge", "spur", "bite"))
    assert change_at(bridged, [good, good], HERE) == Change(True, 2)
    assert change_at(bridged, [good, bridged], HERE) is None
    assert change_at(good, [spur, bitten], HERE) is None, "a bite against one, a spur against the other"


def test_an_end_of_a_trace_that_is_missing_is_no_gap_but_a_piece_left_over_is() -> None:
    def ends(draw: ImageDraw.ImageDraw) -> None:
        draw.rectangle((78, 110, 101, 199), fill=235)

    def cut(draw: ImageDraw.ImageDraw) -> None:
        ends(draw)
        draw.rectangle((78, 80, 101, 88), fill=235)

    def shorter(draw: ImageDraw.ImageDraw) -> None:
        draw.rectangle((78, 88, 101, 199), fill=235)

    assert changed(board(cut), board(ends), HERE) == Change(False, 2)
    assert changed(board(shorter), board(ends), HERE) == Change(False, 1)


def test_only_what_is_in_the_region_counts() -> None:
    far = board(rectangle(20, 20, 40, 40, 20))
    assert changed(far, board(), HERE) is None
    assert changed(far, board(), Box(x1=10, y1=10, x2=60, y2=60)) == Change(True, 0)


def test_where_everything_differs_nothing_is_said() -> None:
    other = board().transpose(Image.Transpose.ROTATE_90).resize((300, 200))
    assert changed(other, board(), Box(x1=0, y1=0, x2=300, y2=200)) is None
    assert changed(board(noise=20), board(noise=20, seed=1), HERE) is None


@pytest.mark.parametrize("name", SIX)
def test_a_large_soft_noisy_photograph_is_read_alike(name: str) -> None:
    def photograph(picture: Image.Image, seed: int) -> Image.Image:
        large = picture.resize((2400, 1600), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(10))
        noise = np.random.default_rng(seed).normal(0, 14, (1600, 2400, 1))
        return Image.fromarray((np.asarray(large) + noise).clip(0, 255).astype(np.uint8))

    defect, change = SIX[name]
    region = Box(x1=720, y1=640, x2=1040, y2=960)
    assert changed(photograph(board(defect), 0), photograph(board(), 1), region) == change


def test_a_speck_is_no_change() -> None:
    assert changed(board(rectangle(112, 100, 113, 100, 20)), board(), HERE) is None
    dot = board().resize((3000, 2000))
    dot.putpixel((1150, 1000), (0, 0, 0))
    assert changed(dot, board().resize((3000, 2000)), Box(x1=0, y1=0, x2=3000, y2=2000)) is None


def test_what_a_moved_reference_does_not_show_is_no_change() -> None:
    part = board(rectangle(0, 60, 12, 80, 20))
    box = Box(x1=0, y1=50, x2=40, y2=90)
    assert changed(part, board(), box) == Change(True, 0)
    assert changed(part, board(), box, unseen=(0.05, 0.0)) is None


def test_only_patterns_of_two_tones_have_any() -> None:
    assert two_tones(np.asarray(board().convert("L"))) is not None
    ramp = np.tile(np.linspace(0, 255, 300).astype(np.uint8), (200, 1))
    assert two_tones(ramp) is None, "between the tones"
    assert two_tones(np.full((200, 300), 128, np.uint8)) is None
    thing = Image.new("L", (300, 200), 235)
    ImageDraw.Draw(thing).ellipse((80, 40, 220, 160), fill=20)
    assert two_tones(np.asarray(thing)) is None, "a thing in front of a ground"
    assert changed(board(), Image.fromarray(ramp).convert("RGB"), HERE) is None


def test_each_change_has_its_words() -> None:
    assert {Change(*key).in_words() for key in WORDS} == set(WORDS.values()) and len(WORDS) == 6
    assert len({Change(*key).in_tones() for key in WORDS}) == 6


@pytest.mark.parametrize("size", [(1, 1), (3, 400), (28, 28)])
def test_tiny_pictures_are_no_trouble(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 2, (size[1], size[0]), dtype=np.uint8) * 255
    picture = Image.fromarray(pixels).convert("RGB")
    changed(picture, picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT), Box(x1=0, y1=0, x2=size[0], y2=size[1]))
