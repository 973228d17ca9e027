"""Measures against values worked out by hand."""

from __future__ import annotations

import math

import pytest

from reason_iad_nano.metrics import auc, balanced_accuracy, wilson


@pytest.mark.parametrize(
    ("scores", "labels", "expected"),
    [([1, 2, 3, 4], [0, 0, 1, 1], 1.0), ([4, 3, 2, 1], [0, 0, 1, 1], 0.0), ([1, 1, 1], [0, 1, 0], 0.5),
     ([1, 3, 2, 4], [0, 0, 1, 1], 0.75)],
)  # fmt: skip
def test_auc(scores, labels, expected):
    assert auc(scores, labels) == pytest.approx(expected)


def test_measures_of_one_class_are_undefined():
    assert math.isnan(auc([1, 2], [1, 1])) and math.isnan(balanced_accuracy([1, 0], [0, 0]))


def test_balanced_accuracy_weighs_both_classes_alike():
    assert balanced_accuracy([1, 1, 1, 0], [1, 1, 1, 1]) != balanced_accuracy([1, 1, 1, 0], [1, 1, 1, 0])
    assert balanced_accuracy([1, 0, 0, 0, 1], [1, 1, 0, 0, 0]) == pytest.approx((0.5 + 2 / 3) / 2)


def test_wilson_interval_of_a_textbook_case():
    share = wilson(8, 10)
    assert (share.low, share.high) == pytest.approx((0.490, 0.943), abs=5e-4)
    assert math.isnan(wilson(0, 0).value)
    assert wilson(0, 20).low == pytest.approx(0.0) and wilson(0, 20).high > 0.1
