"""Defects drawn on a given picture: every kind, pictures of any shape, and nothing changed beside the mask."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from reason_iad.errors import ConfigError, ImageError
from reason_iad.expert.brushes import KINDS, draw_defect

SHAPES = [(96, 96), (64, 200), (180, 48)]


def photo(height: int, width: int, *, grey: bool = False) -> npt.NDArray[np.uint8]:
    """A lit, slightly noisy surface."""
    rng = np.random.default_rng(height * 1000 + width)
    shade = 120 + 30 * np.linspace(0, 1, width)[None, :, None] + rng.normal(0, 3, (height, width, 1))
    return np.clip(shade + np.array([0, 0, 0] if grey else [12, 0, -12]), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_on_pictures_of_any_shape(kind: str, shape: tuple[int, int]) -> None:
    picture = photo(*shape)
    before = picture.copy()
    for seed in range(3):
        drawn = draw_defect(picture, kind, seed=seed)
        assert drawn is not None and drawn.kind == kind
        assert drawn.picture.shape == picture.shape and drawn.picture.dtype == np.uint8
        assert drawn.mask.shape == shape and drawn.mask.any()
        assert np.array_equal(drawn.picture[~drawn.mask], picture[~drawn.mask])
        change = np.abs(drawn.picture[drawn.mask].astype(float) - picture[drawn.mask])
        assert change.mean() >= 5, "it can be seen"
    assert np.array_equal(picture, before), "the picture itself is left alone"


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_decides(kind: str) -> None:
    picture = photo(80, 120)
    first, again, other = (draw_defect(picture, kind, seed=seed) for seed in (4, 4, 5))
    assert first is not None and again is not None and other is not None
    assert np.array_equal(first.picture, again.picture) and np.array_equal(first.mask, again.mask)
    assert not np.array_equal(first.mask, other.mask)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"fray"}))
def test_it_lies_inside_the_part(kind: str) -> None:
    picture = photo(100, 140)
    part = np.zeros((100, 140), bool)
    part[20:80, 30:110] = True
    for seed in range(3):
        drawn = draw_defect(picture, kind, seed=seed, where=part)
        assert drawn is not None
        assert not (drawn.mask & ~part).any()


def test_a_part_without_room_gets_no_defect() -> None:
    picture = photo(64, 64)
    assert draw_defect(picture, "scratch", seed=0, where=np.zeros((64, 64), bool)) is None
    inner = np.zeros((64, 64), bool)
    inner[25:40, 25:40] = True
    assert draw_defect(picture, "fray", seed=0, where=inner) is None, "a band along a side of the picture"
    assert draw_defect(np.zeros((64, 64, 3), np.uint8), "blowhole", seed=0) is None, "black on black is not seen"


def test_a_piece_that_is_gone_shows_the_background() -> None:
    picture = photo(90, 90)
    part = np.zeros((90, 90), bool)
    part[20:70, 20:70] = True
    picture[~part] = (10, 200, 30)
    drawn = draw_defect(picture, "break", seed=1, where=part)
    assert drawn is not None
    assert np.abs(drawn.picture[drawn.mask].astype(int) - (10, 200, 30)).max() <= 1


@pytest.mark.parametrize("kind", ["stain", "hole", "blowhole", "burn", "color", "bubble", "dent"])
@pytest.mark.parametrize("size", [0.002, 0.01, 0.03])
def test_it_is_about_as_large_as_was_asked_for(kind: str, size: float) -> None:
    shares = []
    for seed in range(5):
        drawn = draw_defect(photo(160, 240), kind, seed=seed, size=size)
        assert drawn is not None
        shares.append(drawn.mask.mean())
    assert size / 2 < np.median(shares) < size * 2


@pytest.mark.parametrize("contrast", [6.0, 20.0, 60.0])
@pytest.mark.parametrize("kind", KINDS)
def test_it_differs_as_much_as_was_asked_for(kind: str, contrast: float) -> None:
    picture = photo(120, 160)
    drawn = draw_defect(picture, kind, seed=2, contrast=contrast)
    assert drawn is not None
    change = np.abs(drawn.picture[drawn.mask].astype(float) - picture[drawn.mask]).mean()
    assert change == pytest.approx(contrast, rel=0.2)


@pytest.mark.parametrize("kind", ["contamination", "burn", "color", "stain", "loose thread"])
def test_a_picture_without_colour_stays_without(kind: str) -> None:
    drawn = draw_defect(photo(96, 128, grey=True), kind, seed=3)
    assert drawn is not None
    assert (drawn.picture == drawn.picture[..., :1]).all()


def test_what_cannot_be_drawn_is_said() -> None:
    picture = photo(64, 64)
    with pytest.raises(ConfigError, match="no defect 'rust' to draw; choose one of: scratch"):
        draw_defect(picture, "rust", seed=0)
    with pytest.raises(ConfigError, match="seed"):
        draw_defect(picture, "scratch", seed=-1)
    with pytest.raises(ConfigError, match="share of"):
        draw_defect(picture, "scratch", seed=0, size=0.9)
    with pytest.raises(ConfigError, match="contrast of 300"):
        draw_defect(picture, "scratch", seed=0, contrast=300)
    with pytest.raises(ImageError, match="float32"):
        draw_defect(picture.astype(np.float32), "scratch", seed=0)  # type: ignore[arg-type]
    with pytest.raises(ImageError, match="at least 16"):
        draw_defect(picture[:8], "scratch", seed=0)
    with pytest.raises(ImageError, match="mask"):
        draw_defect(picture, "scratch", seed=0, where=np.ones((8, 8), bool))
