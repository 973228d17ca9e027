"""The exact figures, against counts done by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.bench.made_runs import answer, answers

from reason_iad.bench.scoring import Detection, Tally, score
from reason_iad.bench.subtasks import SUBTASKS


def test_detection_is_the_mean_over_normal_and_abnormal_however_many_there_are() -> None:
    scores = score(
        [
            *answers("D", "Anomaly Detection", right=3, asked=4, folder="good"),
            *answers("D", "Anomaly Detection", right=2, asked=20),
        ]
    )
    assert scores.table.values["D", "Anomaly Detection"] == pytest.approx((0.75 + 0.1) / 2)
    assert scores.total == Tally(asked=24, right=5)


def test_structure_and_details_are_one_subtask() -> None:
    scores = score(
        [
            *answers("D", "Object Structure", right=1, asked=4),
            *answers("D", "Object Details", right=3, asked=3),
            *answers("D", "Object Analysis", right=1, asked=1),
        ]
    )
    assert scores.table.values == {("D", "Object Analysis"): 5 / 8}


def test_no_answer_and_a_failed_image_are_wrong_and_counted_apart() -> None:
    image = "D/part/test/scratch/000.png"
    lost = [
        answer(image, "Defect Analysis", None, 0),
        answer(image, "Defect Analysis", None, 1, failure="image", error="cannot be read"),
        answer(image, "Defect Analysis", None, 2, failure="error", error="out of memory"),
        answer(image, "Defect Analysis", None, 3, failure=None),
    ]
    scores = score([*lost, answer(image, "Defect Analysis", True, 4)])
    assert scores.tallies["D", "Defect Analysis"] == Tally(asked=5, right=1, unparsable=2, failed=2)
    assert scores.table.values["D", "Defect Analysis"] == pytest.approx(0.2)
    assert list(scores.failures) == lost


def test_a_missing_cell_is_absent_and_the_averages_go_over_what_is_there() -> None:
    scores = score(
        [
            *answers("One", "Defect Analysis", right=1, asked=2),
            *answers("One", "Object Classification", right=9, asked=10),
            *answers("Two", "Defect Analysis", right=1, asked=1),
        ]
    )
    table = scores.table
    assert table.subtasks == SUBTASKS and table.datasets == ("One", "Two")
    assert ("Two", "Object Classification") not in table.values
    assert table.dataset_average("One") == pytest.approx(0.7)
    assert table.dataset_average("Two") == 1.0
    assert table.subtask_average("Object Classification") == pytest.approx(0.9)
    assert table.subtask_average("Defect Analysis") == pytest.approx(0.75)
    assert table.subtask_average("Anomaly Detection") is None
    assert table.overall == pytest.approx(0.85), "over subtasks first, then over datasets"


def test_a_type_that_is_not_of_mmad_has_a_column_of_its_own() -> None:
    scores = score([*answers("D", "Counting", right=1, asked=2), *answers("D", "Defect Analysis", 1, 1)])
    assert scores.table.subtasks == (*SUBTASKS, "Counting")
    assert scores.table.overall == pytest.approx(0.75)


def test_the_figures_of_detection() -> None:
    detection = Detection(normal=Tally(asked=10, right=8), abnormal=Tally(asked=30, right=12, unparsable=5))
    assert detection.recall == pytest.approx(0.4)
    assert detection.precision == pytest.approx(12 / 14)
    assert detection.f1 == pytest.approx(2 * 0.4 * (12 / 14) / (0.4 + 12 / 14))
    assert detection.overkill == pytest.approx(0.2)
    assert detection.miss == pytest.approx(0.6)


def test_what_is_undefined_about_detection_is_none_not_zero() -> None:
    only_normal = Detection(normal=Tally(asked=2, right=2), abnormal=Tally())
    assert (only_normal.accuracy, only_normal.overkill) == (1.0, 0.0)
    assert (only_normal.recall, only_normal.precision, only_normal.f1, only_normal.miss) == (None,) * 4
    only_abnormal = Detection(normal=Tally(), abnormal=Tally(asked=2, right=0))
    assert (only_abnormal.accuracy, only_abnormal.overkill, only_abnormal.precision) == (0.0, None, None)
    assert only_abnormal.f1 == 0.0


def test_guessing_is_one_over_the_options() -> None:
    two = {"A": "yes", "B": "no"}
    images = [f"D/p/test/{folder}/{i}.png" for folder in ("good", "x", "x") for i in range(2)]
    those = [
        *(answer(image, "Anomaly Detection", True, i, options=two) for i, image in enumerate(images)),
        *answers("D", "Defect Analysis", right=0, asked=3),
    ]
    guessing = score(those).guessing
    assert guessing.values == {("D", "Anomaly Detection"): 0.5, ("D", "Defect Analysis"): 0.25}
    assert guessing.overall == pytest.approx(0.375)


def test_no_answers_give_no_figure() -> None:
    scores = score([])
    assert scores.table.overall is None and scores.total == Tally() and scores.table.datasets == ()


@given(st.permutations(range(12)))
def test_the_order_of_the_answers_changes_no_figure(order: list[int]) -> None:
    those = [
        answer(f"{'ab'[i % 2]}/p/test/{('good', 'x')[i % 3 == 0]}/{i}.png", SUBTASKS[i % 4], i % 5 != 0)
        for i in range(12)
    ]
    first, second = score(those), score(those[i] for i in order)
    assert first.table.values == second.table.values
    assert first.table.overall == pytest.approx(second.table.overall)
