"""A map over a picture: nothing where nothing differs, red where it differs most."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from reason_iad.images import tint, tinted


def test_colours_follow_the_map_and_leave_the_rest_alone() -> None:
    grey, values = Image.new("RGB", (40, 40), (90, 90, 90)), np.zeros((4, 4), np.float32)
    values[0, 0], values[3, 3] = 1.0, np.nan
    drawn = np.asarray(tinted(grey, values)).astype(int)
    red, green, blue = drawn[2, 2]
    assert red > 170 and green < 60 and blue < 90
    assert (drawn[30:, 30:] == 90).all(), "no number is no difference"
    weak = np.asarray(tinted(grey, values, 0.5)).astype(int)
    assert 90 < weak[2, 2, 0] < red
    assert (np.asarray(tinted(grey, values * 9)) == drawn).all(), "values above 1 count as 1"


def test_strips_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 255, (90, 70, 3), dtype=np.uint8))
    values = rng.random((7, 5)).astype(np.float32)
    at_once = np.asarray(tinted(picture, values), int)
    monkeypatch.setattr(tint, "STRIP", 70 * 13)
    in_strips = np.asarray(tinted(picture, values), int)
    assert np.abs(at_once - in_strips).max() <= 1
