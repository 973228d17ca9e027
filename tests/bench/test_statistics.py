"""Intervals and tests: against published examples, independent formulas, and by simulation of what they promise."""

from __future__ import annotations

import math
import sys
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from reason_iad.bench.statistics import (
    Pairs,
    bootstrap,
    holm,
    mcnemar,
    mcnemar_over,
    mean_interval,
    paired_difference,
    wilson,
)
from reason_iad.errors import MissingExtraError

counts = st.builds(Pairs, *[st.integers(0, 12)] * 4).filter(lambda pairs: pairs.asked > 0)


@given(st.integers(1, 400), st.data())
def test_wilson_solves_its_own_equation(asked: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, asked))
    p, z = right / asked, 1.959963984540054
    for bound in wilson(right, asked):
        if 1e-9 < bound < 1 - 1e-9:
            assert abs(p - bound) == pytest.approx(z * math.sqrt(bound * (1 - bound) / asked), abs=1e-9)


@pytest.mark.parametrize(
    ("pairs", "low", "high"),
    [
        (Pairs(36, 12, 2, 0), 0.0569, 0.3404),
        (Pairs(53, 0, 1, 0), -0.0977, 0.0496),
        (Pairs(54, 0, 0, 0), -0.0664, 0.0664),
        (Pairs(0, 29, 1, 0), 0.6666, 0.9882),
    ],
)
def test_paired_differences_of_newcombe_1998_table_2(pairs: Pairs, low: float, high: float) -> None:
    assert paired_difference([pairs]).interval == pytest.approx((low, high), abs=5e-5)


@given(counts)
def test_swapping_the_runs_swaps_the_interval(pairs: Pairs) -> None:
    value, (low, high) = paired_difference([pairs])
    other = paired_difference([Pairs(pairs.both, pairs.second, pairs.first, pairs.neither)])
    assert other.value == pytest.approx(-value, abs=1e-12)
    assert other.interval == pytest.approx((-high, -low), abs=1e-9)
    assert -1 - 1e-9 <= low <= value + 1e-9 and value - 1e-9 <= high <= 1 + 1e-9


def test_the_paired_interval_covers_what_it_should() -> None:
    generator = np.random.default_rng(5)
    for chances in ([0.5, 0.2, 0.1, 0.2], [0.85, 0.06, 0.02, 0.07], [0.3, 0.2, 0.2, 0.3]):
        truth = chances[1] - chances[2]
        tables, times = np.unique(generator.multinomial(80, chances, size=1500), axis=0, return_counts=True)
        inside = 0
        for table, count in zip(tables, times, strict=True):
            low, high = paired_difference([Pairs(*map(int, table))]).interval
            inside += int(count) * (low <= truth <= high)
        assert 0.93 <= inside / 1500 <= 0.99, chances


def test_the_interval_of_a_mean_of_shares_covers_what_it_should() -> None:
    generator = np.random.default_rng(6)
    normal, abnormal = generator.binomial(40, 0.9, 1500), generator.binomial(160, 0.6, 1500)
    inside = 0
    for a, b in zip(normal.tolist(), abnormal.tolist(), strict=True):
        low, high = mean_interval([(a, 40), (b, 160)])
        inside += low <= 0.75 <= high
    assert 0.93 <= inside / 1500 <= 0.98


def test_the_interval_of_one_share_is_wilsons() -> None:
    assert mean_interval([(7, 9)]) == pytest.approx(wilson(7, 9))


@given(counts)
def test_mcnemar_is_a_sign_test_of_the_discordant_pairs(pairs: Pairs) -> None:
    n, k = pairs.first + pairs.second, min(pairs.first, pairs.second)
    by_hand = min(1.0, 2 * sum(comb(n, i) for i in range(k + 1)) / 2**n)
    assert mcnemar(pairs) == pytest.approx(by_hand)
    assert mcnemar_over([pairs]) == pytest.approx(by_hand), "with one stratum it is the same test"


def test_the_test_over_strata_counts_every_outcome() -> None:
    strata = [Pairs(1, 3, 1, 5), Pairs(20, 1, 4, 0)]
    observed = abs(2 / 10 - 3 / 25)
    extreme = sum(
        comb(4, i) * comb(5, j) / 2**9
        for i in range(5)
        for j in range(6)
        if abs((2 * i - 4) / 10 + (2 * j - 5) / 25) >= observed - 1e-9
    )
    assert mcnemar_over(strata) == pytest.approx(extreme)


def test_without_a_discordant_pair_there_is_no_difference() -> None:
    assert mcnemar(Pairs(5, 0, 0, 5)) == 1.0 and mcnemar_over([Pairs(5, 0, 0, 5), Pairs(1, 0, 0, 0)]) == 1.0


@pytest.mark.parametrize("size", [1, 2, 5, 9])
def test_holm_is_that_of_statsmodels(size: int) -> None:
    values = (np.random.default_rng(size).random(size) ** 3).round(2).tolist()
    assert holm(values) == pytest.approx(multipletests(values, method="holm")[1].tolist())


def test_nothing_needs_no_correction() -> None:
    assert holm([]) == []


def test_the_bootstrap_resamples_images_not_questions() -> None:
    """Ten questions of an image that are right or wrong together are one piece of evidence, not ten."""
    generator = np.random.default_rng(0)
    right = generator.binomial(1, 0.5, 60).tolist()
    images = [{"asked": 10.0, "right": 10.0 * value} for value in right]
    interval = bootstrap([images], lambda sums: sums["right"] / sums["asked"])
    share = sum(right) / 60
    width = 2 * 1.96 * math.sqrt(share * (1 - share) / 60)
    assert interval.high - interval.low == pytest.approx(width, rel=0.15)
    assert interval == bootstrap([images], lambda sums: sums["right"] / sums["asked"]), "seeded"
    one, two = (bootstrap([images], lambda sums: sums["right"] / 7, seed=seed, resamples=9) for seed in (0, 1))
    assert one != two


def test_the_bootstrap_keeps_the_size_of_every_group() -> None:
    groups = [[{"a": 1.0}] * 3, [{"b": 1.0}] * 5]
    assert bootstrap(groups, lambda sums: sums["a"] * 100 + sums["b"], resamples=30) == (305, 305)


def test_without_statsmodels_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "statsmodels.stats.proportion", None)
    with pytest.raises(MissingExtraError, match=r"reason-iad\[bench\]"):
        wilson(1, 2)
