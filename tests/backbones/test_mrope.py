"""Families with M-RoPE: large pictures are made smaller before the image processor copies them."""

from __future__ import annotations

import pytest
from PIL import Image

from reason_iad.backbones.mrope import LARGE, SPARE, lighter


@pytest.mark.parametrize("size", [(4000, 2500), (2500, 4000), (16_000, 80)])
@pytest.mark.parametrize("most", [28_000, 200_000, 1_000_000, 12_000_000])
def test_a_large_picture_gets_smaller_and_stays_larger_than_what_the_model_sees(
    size: tuple[int, int], most: int
) -> None:
    picture = Image.new("RGB", size)
    small = lighter(picture, most)
    assert small.width * small.height >= min(size[0] * size[1], SPARE**2 * most)
    assert small.width / small.height == pytest.approx(size[0] / size[1], rel=0.02)
    if size[0] * size[1] > max(LARGE, 4 * SPARE**2 * most):
        assert small.width < size[0] and small.height < size[1]


def test_a_small_picture_stays_as_it_is() -> None:
    picture = Image.new("RGB", (1800, 2000))
    assert lighter(picture, 1000) is picture
