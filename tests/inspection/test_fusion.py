"""Late fusion: what each side is worth, and what a file in a model directory may hold."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from reason_iad.errors import ModelError
from reason_iad.expert import AnomalyMap
from reason_iad.expert.extent import covered
from reason_iad.expert.suspicion import FLOOR, standing_out, what_is_usual
from reason_iad.inspection.fusion import (
    FARTHEST,
    FILE,
    HEAT_SIDE,
    DetectionWeights,
    Floors,
    LateFusion,
    PlaceWeights,
    SizeWeights,
    TypeWeights,
    load_fusion,
    off,
)
from reason_iad.schema import PLACES


def found(peak: float, at: tuple[int, int] = (0, 11), references: int = 1, usual: float = 0.1) -> AnomalyMap:
    """A map of 12 x 12 patches that is `usual` everywhere but at one patch."""
    distances = torch.full((12, 12), usual)
    distances[at] = peak
    return AnomalyMap(distances.clamp(max=1), distances, 0.2, gate_passed=False, area=0.0, calibrated_on=references)


FUSION = LateFusion(
    one_reference=DetectionWeights(bias=-2.0, model=1.0, closer=0.7, map=1.5),
    more_references=DetectionWeights(bias=0.0, model=0.5, closer=0.2, map=2.0),
    place=PlaceWeights(model=1.0, map=2.0),
    type=TypeWeights(model=1.0, closer=2.0),
    size=SizeWeights(model=1.0, map=2.0),
    floors=Floors(),
    fitted_on="nothing",
)


def test_the_probability_is_the_logistic_of_both_looks_and_the_map() -> None:
    one, more = found(0.4), found(0.4, references=3)
    odds = -2.0 + math.log(0.3 / 0.7) + 0.7 * math.log(0.8 / 0.2) + 1.5 * math.log((0.4 + FLOOR) / (0.1 + FLOOR))
    assert FUSION.probability(0.3, 0.8, one) == pytest.approx(1 / (1 + math.exp(-odds)))
    odds = 0.5 * math.log(0.3 / 0.7) + 0.2 * math.log(0.8 / 0.2) + 2.0 * math.log((0.4 + FLOOR) / (0.2 + FLOOR))
    assert FUSION.probability(0.3, 0.8, more) == pytest.approx(1 / (1 + math.exp(-odds)))


@pytest.mark.parametrize("references", [1, 3])
def test_heat_is_how_much_more_probable_each_place_makes_a_defect_than_usual(references: int) -> None:
    one = found(0.4, at=(2, 7), references=references)
    heat = FUSION.heat(one)
    assert heat.shape == (12, 12) and divmod(int(heat.argmax()), 12) == (2, 7)
    usual = 1 / (1 + math.exp({1: 2.0, 3: 0.0}[references]))
    assert float(heat.max()) == pytest.approx((FUSION.probability(0.5, 0.5, one) - usual) / (1 - usual), abs=1e-6)
    assert float(heat.max()) > 0.4 and float(heat.sum()) == pytest.approx(float(heat.max())), "0 where it is usual"


def test_what_differs_as_good_parts_do_has_no_heat() -> None:
    """Also where the weights would call that a defect: half the picture of a good part would glow."""
    keen = FUSION.model_copy(update={"more_references": DetectionWeights(bias=3.0, model=1.0, closer=1.0, map=1.0)})
    usual = found(0.2, references=3)  # as far as the references are from each other
    assert keen.probability(0.5, 0.5, usual) > 0.9 and float(keen.heat(usual).max()) < 1e-6
    sure = keen.model_copy(update={"more_references": DetectionWeights(bias=90.0, model=1.0, closer=1.0, map=1.0)})
    assert torch.isfinite(sure.heat(found(0.4, references=3))).all()


def test_heat_of_a_large_map_keeps_its_peaks() -> None:
    pixels = np.zeros((200, 100), np.float32)
    pixels[137, 61] = 200
    fine = replace(found(0.1), pixels=pixels)
    heat = FUSION.heat(fine)
    assert heat.shape == (HEAT_SIDE, HEAT_SIDE)
    assert divmod(int(heat.argmax()), HEAT_SIDE) == (137 * HEAT_SIDE // 200, 61 * HEAT_SIDE // 100)
    usual = 1 / (1 + math.exp(2.0))
    assert float(heat.max()) == pytest.approx((FUSION.probability(0.5, 0.5, fine) - usual) / (1 - usual), abs=1e-6)


def test_copies_of_one_reference_count_as_one() -> None:
    copies = replace(found(0.4, references=2), normal_peak=0.002)
    assert what_is_usual(copies) == "median"
    assert FUSION.probability(0.3, 0.5, copies) == FUSION.probability(0.3, 0.5, found(0.4))


def test_either_side_raises_it_and_nothing_breaks_at_the_ends() -> None:
    assert FUSION.probability(0.6, 0.5, found(0.4)) > FUSION.probability(0.3, 0.5, found(0.4))
    assert FUSION.probability(0.3, 0.9, found(0.4)) > FUSION.probability(0.3, 0.5, found(0.4))
    assert FUSION.probability(0.3, 0.5, found(0.8)) > FUSION.probability(0.3, 0.5, found(0.4))
    same = AnomalyMap(torch.zeros(4, 4), torch.zeros(4, 4), 0.0, gate_passed=False, area=0.0, calibrated_on=2)
    for probability in (0.0, 1.0):
        assert 0 < FUSION.probability(probability, probability, same) < 1
    assert standing_out(same) == 0.0
    sure = FUSION.model_copy(
        update={"one_reference": DetectionWeights(bias=-100.0, model=100.0, closer=0.0, map=0.0)}
    )
    assert 0 <= sure.probability(0.0, 0.5, found(0.4)) < 1e-300


def test_places_weigh_model_and_map() -> None:
    model = [0.05] * 9
    model[PLACES.index("bottom left")] = 0.6
    weighed = FUSION.places(model, found(0.4, (0, 11)))
    assert sum(weighed) == pytest.approx(1)
    assert weighed.index(max(weighed)) == PLACES.index("top right")
    weak = FUSION.places(model, found(0.11, (0, 11)))
    assert weak.index(max(weak)) == PLACES.index("bottom left")


def test_types_weigh_both_looks() -> None:
    weighed = FUSION.types([0.5, 0.3, 0.2], [0.2, 0.2, 0.6])
    parts = [0.5 * 0.2**2, 0.3 * 0.2**2, 0.2 * 0.6**2]
    assert weighed == pytest.approx([part / sum(parts) for part in parts])
    assert FUSION.types([1.0, 0.0], [0.0, 1.0])[1] > 0.5, "nothing is impossible for being denied at one look"


RANGES = [(0.0, 0.001), (0.001, 0.01), (0.01, 0.1), (0.1, 1.0)]


def differing(pixels: int) -> AnomalyMap:
    """A map on which so many pixels of 10,000 differ."""
    grey = np.zeros((100, 100), np.float32)
    grey.reshape(-1)[5000 : 5000 + pixels] = 80.0
    return replace(found(0.1), pixels=grey)


def test_a_range_is_off_by_the_ratio_to_its_nearer_limit() -> None:
    assert off(covered(differing(50)), RANGES) == pytest.approx(
        [math.log(5), 0.0, math.log(2), math.log(20)], abs=1e-3
    )
    assert max(off(covered(differing(1)), RANGES)) == FARTHEST, "no range is impossible"
    assert off(covered(found(0.4)), RANGES) == [0.0] * 4, "patches do not tell how large it is"


def test_sizes_weigh_model_and_map() -> None:
    weighed = FUSION.sizes([0.1, 0.2, 0.6, 0.1], differing(50), RANGES)
    parts = [0.1 / 5**2, 0.2, 0.6 / 2**2, 0.1 / 20**2]
    assert weighed == pytest.approx([part / sum(parts) for part in parts], abs=1e-3)
    assert FUSION.sizes([0.1, 0.2, 0.6, 0.1], found(0.4), RANGES) == pytest.approx([0.1, 0.2, 0.6, 0.1])


def test_a_folder_of_that_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(ModelError, match="cannot be used"):
        load_fusion(tmp_path)


def test_a_directory_without_the_file_has_no_fusion(tmp_path: Path) -> None:
    assert load_fusion(tmp_path) is None


def test_what_was_written_is_read(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(FUSION.model_dump_json())
    assert load_fusion(tmp_path) == FUSION


def _changed(**change: object) -> str:
    return json.dumps(FUSION.model_dump() | change)


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", "\xff", _changed(format=1), _changed(more=1), _changed(place={"model": 1.0}),
        _changed(place={"model": -1.0, "map": 1.0}), _changed(place={"model": math.nan, "map": 1.0}),
        _changed(one_reference={"bias": math.inf, "model": 1.0, "closer": 1.0, "map": 1.0}),
        _changed(fitted_on="x" * 2000),
        _changed(place={"model": "1.0", "map": 1.0}), " " * 200_000,
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_with_its_name_and_the_mend(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelError, match=r"fusion\.json in '.*' cannot be used .*nano fuse"):
        load_fusion(tmp_path)
