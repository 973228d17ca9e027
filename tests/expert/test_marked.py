"""Findings: the region that the result is about comes first, then what differs as clearly elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reason_iad.expert import AnomalyMap
from reason_iad.expert.extent import region_box
from reason_iad.expert.marked import Typed, findings_of, standing
from reason_iad.schema import PLACES, Finding, Region, place_of

SIZE = (240, 240)
STRONG, WEAK = (slice(60, 66), slice(80, 90)), (slice(10, 18), slice(10, 18))


def compared(*spots: tuple[tuple[slice, slice], float]) -> AnomalyMap:
    """Patches that are alike, and 120 x 120 pixels that differ at some places."""
    distances, pixels = torch.full((12, 12), 0.1), np.zeros((120, 120), np.float32)
    for at, grey in spots:
        pixels[at] = grey
    return AnomalyMap(distances, distances, 0.2, False, 0.0, 1, pixels)


def found(difference: AnomalyMap, place: str, scale: float | None = None) -> tuple[Finding, ...]:
    box = region_box(difference, *SIZE, PLACES.index(place))
    region = Region(box=box, place=place, place_probability=0.9)
    return findings_of(difference, region, Typed("scratch", 0.8), SIZE, scale)


def test_the_first_finding_is_the_region_of_the_result_and_others_have_no_type() -> None:
    difference = compared((STRONG, 60.0), (WEAK, 45.0))
    one, two = found(difference, "top left")
    assert (one.place, one.type, one.type_probability) == ("top left", "scratch", 0.8)
    assert (two.place, two.type, two.type_probability) == ("middle right", None, None)
    assert two.score > one.score > 0, "it is the result that says what comes first, not the score"
    box = one.box
    assert np.allclose((box.x1, box.y1, box.x2, box.y2), (20, 20, 36, 36), atol=2)
    assert one.share == pytest.approx(one.area_px / (240 * 240), rel=1e-3)
    assert 14 <= one.length_px <= 20


def test_what_differs_far_less_is_no_finding() -> None:
    assert len(found(compared((STRONG, 60.0), (WEAK, 15.0)), "middle right")) == 1
    assert len(found(compared((STRONG, 9.0), (WEAK, 8.5)), "middle right")) == 1, "neither differs clearly"
    assert len(found(compared((STRONG, 30.0), (WEAK, 28.0)), "middle right")) == 2


def test_sizes_in_millimetres_come_with_a_scale() -> None:
    difference = compared((STRONG, 60.0))
    (plain,), (scaled,) = found(difference, "middle right"), found(difference, "middle right", 0.5)
    assert plain.length_mm is None and plain.area_mm2 is None
    assert scaled.length_mm == pytest.approx(plain.length_px / 2, rel=0.01)
    assert scaled.area_mm2 == pytest.approx(plain.area_px / 4, rel=0.01)


def test_a_place_that_the_model_named_without_a_clear_difference_is_the_first_finding_nevertheless() -> None:
    difference = compared((STRONG, 60.0), (WEAK, 4.0))
    one, two = found(difference, "top left")
    assert (one.place, two.place) == ("top left", "middle right")
    assert one.polygon[0] == (one.box.x1, one.box.y1) and len(one.polygon) == 4


def test_without_a_box_there_is_no_finding() -> None:
    region = Region(box=None, place="center", place_probability=0.9)
    assert findings_of(compared((STRONG, 60.0)), region, None, SIZE) == ()


def test_standing_is_none_where_all_is_as_usual() -> None:
    assert float(standing(compared()).max()) == 0.0


@pytest.mark.parametrize(
    ("x", "y", "place"),
    [(0, 0, "top left"), (239.5, 240, "bottom right"), (80, 79, "top center"), (120, 120, "center")],
)
def test_a_point_lies_in_one_of_nine_places(x: float, y: float, place: str) -> None:
    assert place_of(x, y, *SIZE) == place
