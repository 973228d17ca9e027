"""A closer look: the window lies where it should, in every picture of the view alike."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

from reason_iad.inspection.closer import ENLARGED, closer_box, crop
from reason_iad.schema import Box


@pytest.mark.parametrize("spot", [(0.01, 0.01), (0.5, 0.5), (0.99, 0.99), (0.9, 0.02), (0.8, 0.3)])
@pytest.mark.parametrize(("width", "height"), [(300, 300), (640, 90), (31, 200)])
def test_the_window_holds_the_spot_and_lies_inside(spot: tuple[float, float], width: int, height: int) -> None:
    box = closer_box(spot, width, height)
    assert 0 <= box.x1 < box.x2 <= width and 0 <= box.y1 < box.y2 <= height
    assert (box.x2 - box.x1, box.y2 - box.y1) == (math.ceil(width / ENLARGED), math.ceil(height / ENLARGED))
    assert box.x1 <= spot[0] * width <= box.x2 and box.y1 <= spot[1] * height <= box.y2


def test_pictures_of_another_size_are_cut_alike() -> None:
    picture = np.zeros((90, 120, 3), np.uint8)
    picture[30:60, 80:120] = 255
    box = Box(x1=80, y1=30, x2=120, y2=60)
    for factor in (1, 2, 3):
        larger = Image.fromarray(np.kron(picture, np.ones((factor, factor, 1), np.uint8)))
        shown = crop(larger, box, 120, 90)
        assert shown.size == (40 * factor, 30 * factor) and np.asarray(shown).min() == 255


def test_the_smallest_picture_has_a_closer_look() -> None:
    one = Image.new("RGB", (1, 1))
    assert crop(one, closer_box((0.5, 0.5), 1, 1), 1, 1).size == (1, 1)
