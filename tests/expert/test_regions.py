"""Regions of a map: tight around each peak, joined where close, and nothing where nothing counts."""

from __future__ import annotations

import numpy as np
import pytest

from reason_iad.expert.regions import GAP, Marked, Values, regions

SIDE = 400


def glow(*spots: tuple[int, int, float, float], side: int = SIDE) -> Values:
    """Peaks of a height at (x, y), each with a glow that falls to 61 % within a radius."""
    y, x = np.mgrid[:side, :side]
    each = [high * np.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * radius**2)) for a, b, high, radius in spots]
    return np.max(each, axis=0).astype(np.float32)


def found(values: Values, level: float = 0.2, **more: object) -> tuple[Marked, ...]:
    return regions(values, SIDE, SIDE, level=level, **more)  # type: ignore[arg-type]


def test_a_region_ends_at_half_of_its_peak_and_not_where_its_glow_ends() -> None:
    (one,) = found(glow((100, 200, 8.0, 10)))
    reach = 10 * np.sqrt(2 * np.log(2))  # where the glow has fallen to half
    assert np.allclose(one.box, (100 - reach, 200 - reach, 101 + reach, 201 + reach), atol=1)
    assert one.area == pytest.approx(np.pi * reach**2, rel=0.05)
    assert one.length == pytest.approx(2 * reach, abs=2)
    assert one.centre == pytest.approx((100.5, 200.5), abs=0.5)
    assert one.peak == pytest.approx(8.0)


def test_several_defects_are_several_regions_the_highest_first() -> None:
    three = found(glow((60, 60, 0.6, 8), (300, 300, 1.0, 8), (60, 300, 0.3, 8)))
    assert [tuple(map(int, each.centre)) for each in three] == [(300, 300), (60, 60), (60, 300)]
    assert [round(each.peak, 1) for each in three] == [1.0, 0.6, 0.3]
    assert len(found(glow((60, 60, 0.6, 8), (300, 300, 1.0, 8)), most=1)) == 1


def test_a_weaker_defect_beside_a_strong_one_is_not_lost_and_a_shoulder_is_none() -> None:
    beside = np.maximum(glow((150, 200, 1.0, 20)), glow((215, 200, 0.4, 12)))
    assert len(found(beside, 0.1)) == 2
    shoulder = np.maximum(glow((150, 200, 1.0, 30)), glow((205, 200, 0.3, 8)))
    assert len(found(shoulder, 0.1)) == 1


def test_pieces_that_lie_close_are_one_region_around_all_of_them() -> None:
    values = np.zeros((SIDE, SIDE), np.float32)
    values[100:110, 100:120] = values[100:110, 126:140] = 1.0
    (one,) = found(values)
    assert one.box == (100, 100, 140, 110) and one.area == 340
    assert set(one.polygon) == {(100, 100), (140, 100), (140, 110), (100, 110)}
    values[100:110, 126:140] = 0
    values[100:110, 121 + round(GAP * SIDE) : 140] = 1.0
    assert len(found(values)) == 2


def test_where_nothing_is_suspicious_there_is_no_region() -> None:
    assert found(np.zeros((28, 28), np.float32)) == ()
    assert found(np.full((28, 28), 0.19, np.float32)) == ()


def test_a_coarse_map_becomes_pixels_of_the_picture_and_stays_within_it() -> None:
    values = np.zeros((20, 40), np.float32)
    values[0, 39] = values[10, 4] = 1.0
    one, two = sorted(regions(values, 3000, 1500, level=0.3), key=lambda each: each.centre[0])
    assert np.allclose(one.box, (4 * 75, 10 * 75, 5 * 75, 11 * 75), atol=45)
    assert two.box[1] == 0 and two.box[2] == 3000, "a defect in a corner reaches the border"
    for each in (one, two):
        assert all(0 <= x <= 3000 and 0 <= y <= 1500 for x, y in each.polygon)
        assert 3 <= len(each.polygon) <= 24


@pytest.mark.parametrize("coarse", [1, 4])
def test_ignored_areas_do_not_count_at_any_resolution_of_the_mask(coarse: int) -> None:
    values = glow((100, 100, 1.0, 8), (300, 300, 0.5, 8))
    mask = np.zeros((SIDE // coarse, SIDE // coarse), bool)
    mask[: 200 // coarse] = True
    (below,) = found(values, ignore=mask)
    assert below.centre[1] > 200
    (above,) = found(values, inspect=mask)
    assert above.centre[1] < 200
    assert found(values, ignore=mask, inspect=mask) == ()


def test_the_glow_of_what_is_ignored_is_ignored_and_a_defect_across_the_edge_is_cut() -> None:
    values, mask = glow((100, 190, 1.0, 12)), np.zeros((SIDE, SIDE), bool)
    mask[:200] = True
    assert found(values, ignore=mask) == ()
    (cut,) = found(glow((100, 205, 1.0, 12)), ignore=mask)
    assert cut.box[1] == 200


def test_small_regions_do_not_count() -> None:
    values = np.zeros((SIDE, SIDE), np.float32)
    values[10:14, 10:14], values[100:120, 100:120] = 2.0, 1.0
    assert [each.area for each in found(values)] == [16, 400]
    assert [each.area for each in found(values, least_area_px=17)] == [400]


def test_noise_and_plateaus_cost_no_time_without_end() -> None:
    noise = np.random.default_rng(0).random((SIDE, SIDE)).astype(np.float32)
    assert len(found(noise, 0.99)) <= 16
    (whole,) = found(np.ones((SIDE, SIDE), np.float32))
    assert whole.box == (0, 0, SIDE, SIDE)


@pytest.mark.parametrize("wrong", [np.zeros((0, 4)), np.full((4, 4), np.nan), np.zeros(4)])
def test_what_is_no_map_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="map"):
        regions(wrong.astype(np.float32), 10, 10, level=0.5)
    with pytest.raises(ValueError, match="level"):
        regions(np.zeros((4, 4), np.float32), 10, 10, level=0)
