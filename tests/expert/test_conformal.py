"""Limits by known parts: what they promise on average and for the parts at hand, and what too few of them do."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reason_iad.errors import ConfigError
from reason_iad.expert.conformal import Promise, limits, needed, p_value

scores = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=40)  # with many that are equal
shares = st.floats(0.01, 0.9)


@pytest.mark.parametrize(("count", "share"), [(60, 0.05), (23, 0.1), (19, 0.05), (7, 0.3)])
def test_false_alarms_are_as_many_as_promised_on_average(count: int, share: float) -> None:
    rng = np.random.default_rng(1)
    draws = rng.gumbel(size=(4000, count + 1)).tolist()
    alarms = np.mean([limits(known, share).verdict(new) == "defect" for *known, new in draws])
    promise = Promise(share, count)
    assert promise.on_average <= share
    assert alarms == pytest.approx(promise.on_average, abs=4 * math.sqrt(share / 4000))


@pytest.mark.parametrize(("count", "share"), [(60, 0.05), (19, 0.05), (40, 0.2)])
def test_the_share_of_these_parts_is_below_what_is_said_in_95_of_100_draws(count: int, share: float) -> None:
    rng = np.random.default_rng(2)
    good = rng.uniform(size=(4000, count)).tolist()
    true = 1 - np.array([limits(known, share).defect_from for known in good])
    assert np.mean(true <= Promise(share, count).at_most) == pytest.approx(0.95, abs=0.015)


def test_missed_defects_are_as_many_as_promised_on_average() -> None:
    rng = np.random.default_rng(3)
    draws = rng.normal(size=(4000, 31)).tolist()
    passed = np.mean([limits([], None, known, 0.1).verdict(new) == "pass" for *known, new in draws])
    assert passed == pytest.approx(3 / 31, abs=4 * math.sqrt(0.1 / 4000))


@given(scores, scores, shares, shares)
def test_equal_scores_never_break_a_promise(
    good: list[float], defective: list[float], alarms: float, missed: float
) -> None:
    found = limits([*good, *defective], alarms, defective, missed)
    assert found.pass_below <= found.defect_from
    wrong = sum(found.verdict(score) == "defect" for score in [*good, *defective])
    assert wrong <= max(alarms * (len(good) + len(defective) + 1) - 1 + 1e-6, 0)
    assert sum(found.verdict(score) == "pass" for score in defective) <= max(
        missed * (len(defective) + 1) - 1 + 1e-6, 0
    )


@given(scores, st.integers(-6, 6).map(float), shares)
def test_a_limit_says_what_the_p_value_says(good: list[float], score: float, share: float) -> None:
    called = limits(good, share).verdict(score) == "defect"
    assert called == (p_value(good, score) <= share + 1e-12)


def test_p_values_count_the_part_itself_and_equal_ones() -> None:
    assert p_value([0.0, 1.0, 1.0, 2.0], 1.0) == 4 / 5
    assert p_value([0.0, 1.0, 1.0, 2.0], 3.0) == 1 / 5
    with pytest.raises(ConfigError, match="give at least one"):
        p_value([], 1.0)


def test_one_bound_alone_sets_one_limit() -> None:
    good = limits([float(each) for each in range(60)], 0.05)
    assert good.pass_below == good.defect_from == math.nextafter(57, math.inf)
    assert (good.needed_good, good.missed) == (0, None)
    bad = limits([], None, [float(each) for each in range(60)], 0.05)
    assert (bad.pass_below, bad.defect_from, bad.false_alarms) == (2, 2, None)


def test_between_both_limits_a_person_decides_and_where_they_cross_nobody_has_to() -> None:
    good, bad = [float(each) for each in range(19)], [float(each) for each in range(10, 29)]
    between = limits(good, 0.05, bad, 0.05)
    assert (between.pass_below, between.defect_from) == (10, math.nextafter(18, math.inf))
    assert [between.verdict(score) for score in (9.9, 10, 18, 18.1)] == ["pass", "review", "review", "defect"]
    apart = limits(good, 0.05, [each + 30 for each in bad], 0.05)
    assert apart.pass_below == apart.defect_from == pytest.approx((18 + 40) / 2)


def test_with_too_few_good_parts_none_is_called_defective() -> None:
    few = limits([float(each) for each in range(60)], 0.01)
    assert few.defect_from == math.inf
    assert (few.needed_good, needed(0.01)) == (99, 99)
    assert [few.verdict(score) for score in (59.0, 59.1, 1e300)] == ["pass", "review", "review"]
    assert few.in_words() == (
        "That at most 1 % of good parts are called defective cannot be promised yet. It needs at least 99 good "
        "parts, and there are 60, which are enough for 2 %. Until then no part is called defective: those that "
        "stand out are handed to a person."
    )


def test_with_too_few_defective_parts_none_passes() -> None:
    few = limits([float(each) for each in range(60)], 0.05, [60.0], 0.05)
    assert (few.pass_below, few.needed_defective, few.needed_good) == (-math.inf, 19, 0)
    assert few.verdict(-1e300) == "review"
    assert (
        "It needs at least 19 defective parts, and there is 1, which is enough for 50 %. Until then no part passes "
        "without a person."
    ) in few.in_words()
    alone = limits([], None, [3.0, 4.0], 0.05)
    assert [alone.verdict(score) for score in (2.0, 3.0)] == ["review", "defect"]
    none = limits([1.0] * 60, 0.05, (), 0.05)
    assert "It needs at least 19 defective parts, and there are none." in none.in_words()


def test_with_no_parts_at_all_a_person_decides() -> None:
    assert limits([], 0.05).verdict(0.0) == "review"
    assert limits([], None, [], 0.05).verdict(0.0) == "review"


def test_both_statements_in_words() -> None:
    assert limits([float(each) for each in range(60)], 0.05).in_words() == (
        "On average, at most 5 % of good parts are called defective. For these 60 good parts, it is at most 11 % "
        "with 95 % confidence."
    )
    both = limits([0.0] * 19, 0.05, [1.0] * 19, 0.05)
    assert both.in_words().endswith(
        "On average, at most 5 % of defective parts pass. For these 19 defective parts, it is at most 15 % with "
        "95 % confidence."
    )


@pytest.mark.parametrize(
    ("parts", "enough"), [(1, "50"), (7, "13"), (60, "2"), (99, "1"), (150, "0.7"), (1999, "0.05")]
)
def test_what_few_parts_are_enough_for_is_rounded_up(parts: int, enough: str) -> None:
    assert f"enough for {enough} %" in limits([0.0] * parts, 0.0001).in_words()


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, math.nan, 5.0])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(ConfigError, match=r"share of false alarms .* such as 0.1 for a tenth"):
        limits([0.0] * 60, share)
    with pytest.raises(ConfigError, match="share of missed defects"):
        limits([0.0] * 60, 0.1, [1.0] * 60, share)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ConfigError, match="Nothing is promised"):
        limits([1.0], None)
    with pytest.raises(ConfigError, match="A score of nan of a good part is no number"):
        limits([math.nan], 0.1)
    with pytest.raises(ConfigError, match="A score of inf of a defective part"):
        limits([1.0], 0.1, [math.inf], 0.1)
    with pytest.raises(ConfigError, match="Every defective part looks better than every good one"):
        limits([1.0], 0.1, [0.0], 0.1)
