"""Pixels against good parts: what is new and what is missing shows, light and a small shift do not."""

from __future__ import annotations

import numpy as np
import pytest

from reason_iad.expert.template import MARGIN, SIDE, pixel_differences, usual_difference


@pytest.fixture
def board() -> np.ndarray:
    """Bright traces on dark ground, 200 x 240."""
    picture = np.full((200, 240, 3), 40, np.uint8)
    for row in range(20, 200, 40):
        picture[row : row + 12, 10:230] = 200
    return picture


def peak(differences: np.ndarray) -> tuple[int, int]:
    row, column = divmod(int(differences.argmax()), differences.shape[1])
    return row, column


def test_the_same_picture_does_not_differ(board: np.ndarray) -> None:
    assert pixel_differences(board, [board]).max() < 1e-3


@pytest.mark.parametrize(("rows", "columns", "value"), [((45, 53), (100, 108), 200), ((62, 72), (150, 156), 40)])
def test_what_was_added_and_what_is_missing_shows_where_it_is(board, rows, columns, value) -> None:
    part = board.copy()
    part[slice(*rows), slice(*columns)] = value
    differences = pixel_differences(part, [board])
    row, column = peak(differences)
    assert differences.max() > 30 and rows[0] <= row < rows[1] and columns[0] <= column < columns[1]
    away = differences.copy()
    away[rows[0] - 12 : rows[1] + 12, columns[0] - 12 : columns[1] + 12] = 0
    assert away.max() < differences.max() / 10


def test_light_and_a_shift_of_two_pixels_do_not_show(board: np.ndarray) -> None:
    shifted = np.roll(board, (2, -2), (0, 1))
    lighter = np.clip(board.astype(float) + np.linspace(-15, 25, 240)[None, :, None], 0, 255).astype(np.uint8)
    broken = board.copy()
    broken[62:72, 150:156] = 40
    for picture in (shifted, lighter):
        assert pixel_differences(picture, [board]).max() < pixel_differences(broken, [board]).max() / 6


def test_what_any_good_part_shows_is_good(board: np.ndarray) -> None:
    other = board.copy()
    other[62:72, 150:156] = 40  # good parts vary here
    assert pixel_differences(other, [board]).max() > 30
    assert pixel_differences(other, [board, other]).max() < 1
    assert pixel_differences(board, [board, other]).max() < 1


def test_the_border_is_not_compared_and_large_pictures_are_shrunk(board: np.ndarray) -> None:
    part = board.copy()
    part[:3, 100:130] = 255
    differences = pixel_differences(part, [board])
    assert not differences[:4].any() and not differences[:, -5:].any() and differences.max() < 40
    large = np.kron(board, np.ones((4, 4, 1), np.uint8))
    differences = pixel_differences(large, [board])  # a reference of another size is brought to that of the image
    assert differences.shape == (round(SIDE * 200 / 240), SIDE) and differences.dtype == np.float32
    assert not differences[: round(MARGIN * SIDE * 200 / 240)].any()


@pytest.mark.parametrize("shape", [(20, 300), (300, 12), (3, 3)])
def test_narrow_pictures_are_compared_too(shape: tuple[int, int]) -> None:
    picture = np.full((*shape, 3), 90, np.uint8)
    assert not pixel_differences(picture, [picture]).any()
    part = picture.copy()
    row, column = shape[0] // 2, shape[1] // 2
    part[max(0, row - 3) : row + 4, max(0, column - 3) : column + 4] = 200
    differences = pixel_differences(part, [picture])
    if min(shape) > 3:  # nothing is left to compare with within two pixels
        assert differences.max() > 30
    assert differences.shape == shape


@pytest.mark.parametrize("shape", [(1, 1), (2, 300)])
def test_where_the_border_is_all_there_is_nothing_is_compared(shape: tuple[int, int]) -> None:
    picture = np.full((*shape, 3), 90, np.uint8)
    assert pixel_differences(picture, [picture]) is None
    assert usual_difference([picture, picture]) is None


def test_what_a_moved_reference_does_not_show_is_not_compared(board: np.ndarray) -> None:
    part = board.copy()
    part[100:110, 4:14] = 220  # within the first 6 % of the width
    assert pixel_differences(part, [board]).max() > 30
    hidden = pixel_differences(part, [board], (0.1, 0.0))
    assert hidden.max() < 15 and not hidden[:, :24].any() and not hidden[:, -24:].any()
    assert hidden.shape == board.shape[:2]


def test_good_parts_say_how_much_they_differ(board: np.ndarray) -> None:
    other = board.copy()
    other[62:72, 150:156] = 40
    assert usual_difference([board, board]) < 1e-3
    assert usual_difference([board, other]) == pytest.approx(
        float(pixel_differences(other, [board]).max()), rel=0.05
    )
    assert usual_difference([board, other, other]) < usual_difference([board, other])
