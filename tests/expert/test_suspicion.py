"""Patches and pixels on one map: what both find odd stands out most."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from reason_iad.expert import AnomalyMap
from reason_iad.expert.suspicion import (
    FLOOR,
    GREY_FLOOR,
    place_evidence,
    sides_at_spot,
    spot,
    standing_out,
    suspicion,
    what_is_usual,
)
from reason_iad.schema import PLACES


def found(peak: float = 0.4, at: tuple[int, int] = (0, 11), references: int = 1, size: int = 12) -> AnomalyMap:
    """A map of patches that is .1 everywhere but at one of them."""
    distances = torch.full((size, size), 0.1)
    distances[at] = peak
    return AnomalyMap(distances.clamp(max=1), distances, 0.2, gate_passed=False, area=0.0, calibrated_on=references)


def compared(one: AnomalyMap, *spots: tuple[int, int, float], usual: float | None = None) -> AnomalyMap:
    """The same with pixels, 120 x 120, that differ at some places."""
    pixels = np.zeros((120, 120), np.float32)
    for row, column, grey in spots:
        pixels[row, column] = grey
    return replace(one, pixels=pixels, normal_pixels=usual)


def test_without_pixels_it_is_what_the_patches_say() -> None:
    assert suspicion(found()).shape == (12, 12)
    assert standing_out(found()) == pytest.approx(math.log((0.4 + FLOOR) / (0.1 + FLOOR)))
    assert standing_out(found(references=3)) == pytest.approx(math.log((0.4 + FLOOR) / (0.2 + FLOOR)))


def test_both_are_added_where_they_agree() -> None:
    together, apart = compared(found(), (4, 114, 30.0)), compared(found(), (60, 20, 30.0))
    both = math.log((0.4 + FLOOR) / (0.1 + FLOOR)) + math.log((30 + GREY_FLOOR) / GREY_FLOOR)
    assert suspicion(together).shape == (120, 120)
    assert standing_out(together) == pytest.approx(both, abs=0.1)
    assert standing_out(apart) == pytest.approx(math.log(31), abs=0.05)


def test_the_sides_at_the_spot_sum_to_how_far_it_stands_out() -> None:
    patches, pixels = sides_at_spot(compared(found(), (4, 114, 30.0)))
    assert pixels == pytest.approx(math.log(31)) and patches > 1
    assert patches + pixels == pytest.approx(standing_out(compared(found(), (4, 114, 30.0))))
    assert sides_at_spot(found()) == (pytest.approx(standing_out(found())), None)


def test_pixels_are_measured_by_how_much_good_parts_differ() -> None:
    alone, among = (
        compared(found(references=3), (4, 114, 30.0)),
        compared(found(references=3), (4, 114, 30.0), usual=9.0),
    )
    assert standing_out(alone) - standing_out(among) == pytest.approx(math.log(10), abs=1e-3)
    copies = replace(among, normal_peak=0.002)
    assert what_is_usual(copies) == "median"
    assert standing_out(copies) == pytest.approx(standing_out(compared(found(), (4, 114, 30.0))))


def test_what_is_usual_depends_on_the_references() -> None:
    assert [what_is_usual(found(references=number)) for number in (1, 2)] == ["median", "references"]


def test_the_spot_is_where_most_stands_out_there_or_anywhere() -> None:
    one = compared(found(at=(6, 6)), (30, 100, 60.0), (100, 10, 20.0))
    assert spot(one) == pytest.approx((100.5 / 120, 30.5 / 120))
    assert spot(one, PLACES.index("bottom left")) == pytest.approx((10.5 / 120, 100.5 / 120))
    x, y = spot(one, PLACES.index("top left"))
    assert x < 1 / 3 and y < 1 / 3


@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 11), (5, 6), (11, 0), (3, 4), (7, 8)])
def test_the_map_says_where_in_reading_order(row: int, column: int) -> None:
    evidence = place_evidence(found(0.9, (row, column)))
    assert evidence.index(max(evidence)) == 3 * (row // 4) + column // 4
    assert sorted(evidence)[-2] < max(evidence)


def test_most_of_a_region_says_where_and_not_its_highest_point() -> None:
    spots = [(row, column, 40.0) for row in range(85, 95) for column in range(30, 70)]
    one = compared(found(0.1), *spots, (90, 30, 45.0))
    evidence = place_evidence(one)
    assert evidence.index(max(evidence)) == PLACES.index("bottom center")


def test_what_hardly_stands_out_hardly_says_where() -> None:
    assert max(place_evidence(found(0.11))) - min(place_evidence(found(0.11))) < 0.5
    assert max(place_evidence(found(0.9))) - min(place_evidence(found(0.9))) > 3
    assert len(set(place_evidence(found(0.1)))) == 1, "where nothing differs every place is alike"


def test_a_grid_that_does_not_divide_by_three_loses_no_patch() -> None:
    for rows in (3, 4, 5, 7, 16):
        for row in range(rows):
            evidence = place_evidence(found(0.9, (row, 0), size=rows))
            assert max(evidence[0:9:3]) == max(evidence) > min(evidence)
