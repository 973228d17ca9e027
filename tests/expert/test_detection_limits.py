"""Detection limits: the fit is the plain one, the bound is safe, and no size is claimed without trials."""

from __future__ import annotations

import math

import numpy as np
import pytest

from reason_iad.errors import ConfigError
from reason_iad.expert.detection_limits import ENOUGH, Trial, detection_limit, detection_limits


def drawn(rng: np.random.Generator, count: int, a50: float, width: float) -> list[Trial]:
    """Trials with sizes from 1 to 16; `width`: of the curve, in logarithms of the size for each logit."""
    sizes = np.exp(rng.uniform(0, math.log(16), count))
    found = rng.random(count) < 1 / (1 + np.exp(-np.log(sizes / a50) / width))
    return [Trial(float(size), bool(hit)) for size, hit in zip(sizes, found, strict=True)]


@pytest.mark.parametrize("seed", range(5))
def test_the_fit_is_the_plain_one(seed: int) -> None:
    api = pytest.importorskip("statsmodels.api")
    trials = drawn(np.random.default_rng(seed), 100, 3.0, 0.4)
    logs = np.log([trial.size for trial in trials])
    plain = api.Logit([float(trial.found) for trial in trials], api.add_constant(logs)).fit(disp=0)
    intercept, slope = plain.params
    limit = detection_limit(trials)
    assert limit.a50 == pytest.approx(math.exp(-intercept / slope), rel=1e-5)
    assert limit.a90 == pytest.approx(math.exp((math.log(9) - intercept) / slope), rel=1e-5)


def test_the_bound_is_where_the_likelihood_ratio_says() -> None:
    """Against a search over a plain grid of curves."""
    trials = drawn(np.random.default_rng(1), 80, 3.0, 0.3)
    logs, sign = np.log([trial.size for trial in trials]), np.where([trial.found for trial in trials], 1, -1)
    at, slope = np.meshgrid(np.log(np.linspace(3, 14, 300)), np.linspace(0.1, 12, 150), indexing="ij")
    logits = math.log(9) + slope[..., None] * (logs - at[..., None])
    likelihood = -np.log1p(np.exp(-sign * logits)).sum(-1)
    possible = (likelihood.max() - likelihood <= math.log(20)).any(1)
    bound = detection_limit(trials).a90_95
    assert bound == pytest.approx(math.exp(at[possible, 0].max()), abs=0.08)


@pytest.mark.parametrize(
    ("count", "a50", "width"), [(20, 2.0, 0.1), (40, 1.0, 0.3), (40, 2.0, 0.3), (80, 4.0, 0.2)]
)
def test_the_true_size_is_on_the_safe_side(count: int, a50: float, width: float) -> None:
    rng = np.random.default_rng(count)
    true = a50 * math.exp(width * math.log(9))
    bounds = [detection_limit(drawn(rng, count, a50, width)).a90_95 for _ in range(60)]
    assert sum(bound is None or bound >= true for bound in bounds) >= 54
    assert sum(bound is not None for bound in bounds) >= 36  # and it is not silence


@pytest.mark.parametrize(
    ("hits", "misses", "shown"), [(29, 0, True), (28, 0, False), (60, 1, True), (28, 2, False)]
)
def test_with_a_single_size_the_bound_is_that_of_a_share(hits: int, misses: int, shown: bool) -> None:
    trials = [Trial(3.0, True)] * hits + [Trial(3.0, False)] * misses
    limit = detection_limit(trials)
    assert limit.a90_95 == (3.0 if shown else None)
    assert (limit.a50, limit.a90, ENOUGH) == (None, None, 29)


def test_where_all_are_found_the_bound_is_what_their_number_allows() -> None:
    sizes = np.geomspace(1, 16, 60)
    many = detection_limit([Trial(float(size), True) for size in sizes])
    assert many.a90_95 is not None and 1 < many.a90_95 < sizes[28]
    few = detection_limit([Trial(float(size), True) for size in sizes[::3]])
    assert few.a90_95 is None
    assert few.in_words("scratches") == (
        "All 20 scratches that were drawn are found; 29 are needed to promise 9 of 10 cases."
    )


def test_where_none_is_found_nothing_is_claimed() -> None:
    limit = detection_limit([Trial(size, False) for size in (4.0, 4.0, 4.0, 4.0, 2.0, 1.0)])
    assert (limit.a50, limit.a90, limit.a90_95) == (None, None, None)
    assert limit.in_words("pores", scale=0.1) == ("Pores are not found in the sizes that were drawn, up to 0.4 mm.")


def test_where_one_size_parts_the_found_from_the_missed() -> None:
    trials = [Trial(float(size), size > 10) for size in range(1, 61)]
    limit = detection_limit(trials)
    assert limit.a50 == pytest.approx(math.sqrt(110), rel=1e-3)
    assert limit.a90 == pytest.approx(math.sqrt(110), rel=1e-3)
    assert limit.a90_95 is not None and 11 < limit.a90_95 < 30
    shared = detection_limit([*trials, *[Trial(11.0, hit) for hit in (False, True)]])  # a step at a drawn size
    assert shared.a50 == pytest.approx(11, rel=1e-3)


@pytest.mark.parametrize("found", [lambda size: size < 8, lambda size: int(size) % 2 == 0])
def test_where_larger_ones_are_not_found_more_often_there_is_no_limit(found: object) -> None:
    trials = [Trial(float(size), found(size)) for size in range(1, 17)]  # type: ignore[operator]
    limit = detection_limit(trials)
    assert (limit.a90, limit.a90_95) == (None, None)
    assert "this is too little to promise 9 of 10 cases for any size." in limit.in_words("dents")


def test_the_curve_rises_within_its_bounds() -> None:
    trials = drawn(np.random.default_rng(4), 60, 3.0, 0.3)
    limit = detection_limit(trials)
    points = limit.curve(12)
    assert all(0 <= point.low <= point.pod <= point.high <= 1 for point in points)
    for column in zip(*points, strict=True):
        assert list(column) == sorted(column)
    assert (points[0].size, points[-1].size) == pytest.approx((limit.trials[0].size, limit.trials[-1].size))
    assert limit.a90_95 is not None
    reached = [point.size for point in points if point.low >= 0.9]
    assert min(reached) >= limit.a90_95 > max(point.size for point in points if point.low < 0.9)


@pytest.mark.parametrize("hit", [True, False])
def test_there_is_a_curve_where_all_are_alike(hit: bool) -> None:
    points = detection_limit([Trial(size, hit) for size in (1.0, 2.0, 4.0)]).curve(5)
    assert [round(point.pod, 6) for point in points] == [float(hit)] * 5
    assert all((point.high == 1) if hit else (point.low < 1e-12) for point in points)
    assert all((point.low < 0.5) if hit else (point.high > 0.5) for point in points)


def test_what_is_said() -> None:
    limit = detection_limit(drawn(np.random.default_rng(0), 80, 3.0, 0.2))
    assert limit.a50 is not None and limit.a90_95 is not None
    assert limit.in_words("scratches", "longer", scale=0.5) == (
        "Scratches longer than 4.3 mm are found in 9 of 10 cases. Scratches under 1.6 mm are missed in half of the "
        "cases or more."
    )
    assert 4.2 < limit.a90_95 / 2 <= 4.3  # rounded to the safe side
    assert "Pores larger than 8.5 px" in limit.in_words("pores")


def test_each_kind_has_its_limit() -> None:
    found = detection_limits({"dents": [Trial(3.0, True)] * 29, "pores": [Trial(3.0, False)]})
    assert [limit.a90_95 for limit in found.values()] == [3.0, None]


def test_the_order_and_the_unit_of_sizes_do_not_matter() -> None:
    trials = drawn(np.random.default_rng(5), 60, 3.0, 0.3)
    limit = detection_limit(trials)
    assert detection_limit(trials[::-1]) == limit
    large = detection_limit([Trial(1000 * size, found) for size, found in trials])
    assert limit.a90_95 is not None and large.a90_95 == pytest.approx(1000 * limit.a90_95, rel=1e-4)


def test_what_is_no_trial_is_refused() -> None:
    with pytest.raises(ConfigError, match="draw at least one"):
        detection_limit([])
    for size in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ConfigError, match="sizes are numbers above 0"):
            detection_limit([Trial(size, True)])
