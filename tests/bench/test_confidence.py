"""Calibration and risk, against counts by hand and scikit-learn."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss
from tests.bench.made_runs import answer

from reason_iad.bench.confidence import by_reward, calibration, equal_mass, risk_coverage
from reason_iad.bench.records import AnswerRecord


def confident(*pairs: tuple[float, bool]) -> list[AnswerRecord]:
    """Answers between two options, each with its confidence in the choice."""
    made = []
    for number, (confidence, right) in enumerate(pairs):
        chosen, other = ("A", "B") if right else ("B", "A")
        probabilities = {chosen: confidence, other: 1 - confidence}
        made.append(answer(f"D/p/test/x/{number}.png", "Defect Analysis", right, probabilities=probabilities))
    return made


def test_the_error_is_the_gap_in_each_bin_weighed_by_its_size() -> None:
    those = confident((0.95, True), (0.95, True), (0.95, False), (0.65, True), (0.65, False))
    found = calibration(those)
    assert found is not None and found.answers == 5
    assert found.ece == pytest.approx(3 / 5 * (0.95 - 2 / 3) + 2 / 5 * (0.65 - 1 / 2))
    assert found.ece_mass == pytest.approx(found.ece), "equal confidences are one bin either way"
    assert (found.confidence, found.accuracy) == pytest.approx((0.83, 0.6))


def test_the_brier_score_is_scikit_learns_over_both_letters() -> None:
    pairs = [(0.5 + i / 40, i % 3 == 0) for i in range(20)]
    found = calibration(confident(*pairs))
    single = brier_score_loss([right for _, right in pairs], [confidence for confidence, _ in pairs])
    assert found is not None and found.brier == pytest.approx(2 * single)


def test_the_bins_are_scikit_learns_where_no_values_are_equal() -> None:
    generator = np.random.default_rng(0)
    values = generator.permutation(np.linspace(0.26, 0.99, 200))
    right = generator.binomial(1, values).astype(float)
    accuracy, mean = calibration_curve(right, values, n_bins=10, strategy="quantile")
    bins = equal_mass(values, right)
    assert [each.accuracy for each in bins] == pytest.approx(accuracy.tolist())
    assert [each.mean for each in bins] == pytest.approx(mean.tolist())


@given(st.lists(st.sampled_from([0.1, 0.25, 0.5, 0.8, 1.0]), min_size=1, max_size=60))
def test_bins_of_equal_size_never_tear_equal_values_apart(values: list[float]) -> None:
    bins = equal_mass(np.array(values), np.zeros(len(values)))
    assert sum(each.asked for each in bins) == len(values)
    assert all(first.high < second.low for first, second in pairwise(bins))


def test_risk_grows_as_less_sure_answers_are_kept() -> None:
    found = risk_coverage(confident((0.9, True), (0.8, True), (0.7, False), (0.6, True)))
    assert found is not None
    assert found.coverage == (0.25, 0.5, 0.75, 1.0)
    assert found.risk == pytest.approx((0, 0, 1 / 3, 1 / 4))
    assert found.aurc == pytest.approx((0 + 0 + 1 / 3 + 1 / 4) / 4)


def test_equal_confidences_have_the_risk_of_a_random_order() -> None:
    found = risk_coverage(confident((0.9, True), (0.9, False), (0.9, False), (0.9, True)))
    assert found is not None and found.coverage == (1.0,) and found.aurc == pytest.approx(0.5)


def test_answers_without_probabilities_are_not_judged() -> None:
    text = answer("D/p/test/x/0.png", "Defect Analysis", True)
    lost = answer("D/p/test/x/1.png", "Defect Analysis", None, probabilities={"A": 0.5, "B": 0.5})
    assert calibration([text, lost]) is None and risk_coverage([text, lost]) is None and by_reward([text]) == ()
    found = calibration([text, lost, *confident((0.9, True))])
    assert found is not None and found.answers == 1


def test_tenths_by_reward() -> None:
    those = [
        answer(f"D/p/test/x/{i}.png", "Defect Analysis", i >= 50, reward=i / 100) for i in reversed(range(100))
    ]
    bins = by_reward(those)
    assert [each.accuracy for each in bins] == [0.0] * 5 + [1.0] * 5
    assert (bins[0].low, bins[0].high) == (0.0, 0.09)
