"""Late fusion: what each side is worth, and what a file in a model directory may hold."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from reason_iad.errors import ModelError
from reason_iad.expert import AnomalyMap
from reason_iad.expert.fusion import (
    FILE,
    FLOOR,
    DetectionWeights,
    LateFusion,
    PlaceWeights,
    load_fusion,
    place_evidence,
    standing_out,
    what_is_usual,
)
from reason_iad.schema import PLACES


def found(peak: float, at: tuple[int, int] = (0, 11), references: int = 1, usual: float = 0.1) -> AnomalyMap:
    """A map of 12 x 12 patches that is `usual` everywhere but at one patch."""
    distances = torch.full((12, 12), usual)
    distances[at] = peak
    return AnomalyMap(distances.clamp(max=1), distances, 0.2, gate_passed=False, area=0.0, calibrated_on=references)


FUSION = LateFusion(
    one_reference=DetectionWeights(bias=-2.0, model=1.0, map=1.5),
    more_references=DetectionWeights(bias=0.0, model=0.5, map=2.0),
    place=PlaceWeights(model=1.0, map=2.0),
    fitted_on="nothing",
)


def test_the_probability_is_the_logistic_of_both() -> None:
    one, more = found(0.4), found(0.4, references=3)
    odds = -2.0 + math.log(0.3 / 0.7) + 1.5 * math.log((0.4 + FLOOR) / (0.1 + FLOOR))
    assert FUSION.probability(0.3, one) == pytest.approx(1 / (1 + math.exp(-odds)))
    odds = 0.5 * math.log(0.3 / 0.7) + 2.0 * math.log((0.4 + FLOOR) / (0.2 + FLOOR))
    assert FUSION.probability(0.3, more) == pytest.approx(1 / (1 + math.exp(-odds)))


def test_what_is_usual_depends_on_the_references() -> None:
    assert [what_is_usual(found(0.4, references=number)) for number in (1, 2)] == ["median", "references"]


def test_copies_of_one_reference_count_as_one() -> None:
    copies = replace(found(0.4, references=2), normal_peak=0.002)
    assert what_is_usual(copies) == "median"
    assert FUSION.probability(0.3, copies) == FUSION.probability(0.3, found(0.4))


def test_either_side_raises_it_and_nothing_breaks_at_the_ends() -> None:
    assert FUSION.probability(0.6, found(0.4)) > FUSION.probability(0.3, found(0.4))
    assert FUSION.probability(0.3, found(0.8)) > FUSION.probability(0.3, found(0.4))
    same = AnomalyMap(torch.zeros(4, 4), torch.zeros(4, 4), 0.0, gate_passed=False, area=0.0, calibrated_on=2)
    for probability in (0.0, 1.0):
        assert 0 < FUSION.probability(probability, same) < 1
    assert standing_out(same) == 0.0
    sure = FUSION.model_copy(update={"one_reference": DetectionWeights(bias=-100.0, model=100.0, map=0.0)})
    assert 0 <= sure.probability(0.0, found(0.4)) < 1e-300


@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 11), (5, 6), (11, 0), (3, 4), (7, 8)])
def test_the_map_says_where_in_reading_order(row: int, column: int) -> None:
    evidence = place_evidence(found(0.9, (row, column)))
    assert evidence.index(max(evidence)) == 3 * (row // 4) + column // 4
    assert max(evidence) == 0.0


def test_places_weigh_model_and_map() -> None:
    model = [0.05] * 9
    model[PLACES.index("bottom left")] = 0.6
    weighed = FUSION.places(model, found(0.4, (0, 11)))
    assert sum(weighed) == pytest.approx(1)
    assert weighed.index(max(weighed)) == PLACES.index("top right")
    weak = FUSION.places(model, found(0.11, (0, 11)))
    assert weak.index(max(weak)) == PLACES.index("bottom left")


def test_a_grid_that_does_not_divide_by_three_loses_no_patch() -> None:
    for rows in (3, 4, 5, 7, 16):
        for row in range(rows):
            distances = torch.full((rows, rows), 0.1)
            distances[row, 0] = 0.9
            one = AnomalyMap(distances, distances, 0.1, gate_passed=True, area=0.0, calibrated_on=1)
            assert max(place_evidence(one)[0:9:3]) == 0.0


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
        "", "{", "[]", "null", "\xff", _changed(format=2), _changed(more=1), _changed(place={"model": 1.0}),
        _changed(place={"model": -1.0, "map": 1.0}), _changed(place={"model": math.nan, "map": 1.0}),
        _changed(one_reference={"bias": math.inf, "model": 1.0, "map": 1.0}), _changed(fitted_on="x" * 2000),
        _changed(place={"model": "1.0", "map": 1.0}), " " * 200_000,
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_with_its_name_and_the_mend(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelError, match=r"fusion\.json in '.*' cannot be used .*nano fuse"):
        load_fusion(tmp_path)
