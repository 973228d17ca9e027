"""The region around the spot: its box and its share, with pieces near it and without those far off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from reason_iad.expert import AnomalyMap
from reason_iad.expert.extent import covered, region_box
from reason_iad.expert.suspicion import standing_out
from reason_iad.schema import PLACES, Box


def compared(*spots: tuple[slice, slice, float]) -> AnomalyMap:
    """Patches that are alike, and 120 x 120 pixels that differ at some places."""
    distances, pixels = torch.full((12, 12), 0.1), np.zeros((120, 120), np.float32)
    for rows, columns, grey in spots:
        pixels[rows, columns] = grey
    return AnomalyMap(distances, distances, 0.2, False, 0.0, 1, pixels)


PIECES = (
    (slice(60, 62), slice(80, 90), 40.0), (slice(63, 64), slice(80, 90), 40.0),
    (slice(61, 62), slice(85, 86), 45.0), (slice(10, 12), slice(10, 12), 42.0),
)  # fmt: skip


def test_the_region_holds_what_stands_out_like_the_spot_and_pieces_near_it() -> None:
    box = region_box(compared(*PIECES), 240, 120)
    assert box == Box(x1=160, y1=60, x2=180, y2=64), "not the other corner, though it differs too"
    assert covered(compared(*PIECES)) == pytest.approx(30 / 120**2)


def test_what_differs_far_less_is_not_part_of_it() -> None:
    weak = (slice(40, 60), slice(80, 90), 5.0)
    assert region_box(compared(*PIECES, weak), 120, 120) == region_box(compared(*PIECES), 120, 120)
    assert covered(compared(*PIECES, weak)) == covered(compared(*PIECES))


def test_a_large_region_is_covered_whole() -> None:
    large = compared((slice(20, 74), slice(30, 83), 60.0))
    assert covered(large) == pytest.approx(54 * 53 / 120**2)


def test_what_does_not_clearly_stand_out_has_no_share() -> None:
    grain = np.random.default_rng(0).uniform(8, 12, (120, 120)).astype(np.float32)
    grain[60, 60] = 14.0
    assert covered(replace(compared(), pixels=grain)) is None


def test_box_and_share_are_those_of_the_place_that_was_named() -> None:
    corner = PLACES.index("top left")
    assert region_box(compared(*PIECES), 120, 120, corner) == Box(x1=10, y1=10, x2=12, y2=12)
    assert covered(compared(*PIECES), corner) == pytest.approx(4 / 120**2)


def test_a_box_never_leaves_the_image() -> None:
    corner = compared((slice(0, 3), slice(117, 120), 50.0))
    assert region_box(corner, 7, 5) == Box(x1=6, y1=0, x2=7, y2=1)


def test_where_nothing_differs_there_is_no_region() -> None:
    same = AnomalyMap(torch.zeros(4, 4), torch.zeros(4, 4), 0.0, gate_passed=False, area=0.0, calibrated_on=2)
    assert region_box(same, 10, 10) is None and standing_out(same) == 0 and covered(same) is None
    flat = replace(same, pixels=np.zeros((10, 10), np.float32))
    assert region_box(flat, 10, 10) is None and covered(flat) is None


def test_patches_alone_give_a_box_and_no_share() -> None:
    distances = torch.full((6, 6), 0.1)
    distances[1:3, 4] = 0.9
    alone = AnomalyMap(distances, distances, 0.2, gate_passed=False, area=0.0, calibrated_on=1)
    assert region_box(alone, 60, 60) == Box(x1=40, y1=10, x2=50, y2=30) and covered(alone) is None
