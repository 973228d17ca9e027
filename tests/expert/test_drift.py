"""Drift: noticed within 200 parts, rarely told where there is none, and honest where too few parts are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from reason_iad.errors import ConfigError
from reason_iad.expert.drift import LEAST_P, REFERENCE, WINDOWS, Drift


def first_alarm(drift: Drift, stream: np.ndarray, start: int, every: int = 5) -> int | None:
    """After how many parts from `start` on it is told; a look after every few parts."""
    looks = range(start + every, len(stream) + 1, every)
    return next((seen - start for seen in looks if drift.look(stream[:seen]).drifted), None)


@pytest.mark.parametrize("known", [20, 60])
@pytest.mark.parametrize("shift", [0.5, -0.5])
def test_half_a_deviation_is_noticed_within_200_parts(known: int, shift: float) -> None:
    rng = np.random.default_rng(known)
    noticed = 0
    for _ in range(60):
        stream = rng.standard_normal(450)
        stream[250:] += shift
        noticed += first_alarm(Drift(rng.standard_normal(known).tolist()), stream, 250) is not None
    assert noticed >= 54  # 97 of 100; fewer than 54 of 60 in one of 1,000 draws


def test_without_a_drift_nothing_is_told() -> None:
    rng = np.random.default_rng(1)
    alarms = sum(
        first_alarm(Drift(rng.gumbel(size=30)), rng.gumbel(size=2000), 0, 20) is not None for _ in range(15)
    )
    assert alarms <= 5  # 30,000 parts, 2 expected


def test_a_large_drift_is_noticed_soon_and_in_its_direction() -> None:
    rng = np.random.default_rng(2)
    drift, before = Drift(rng.standard_normal(30).tolist()), rng.standard_normal(100)
    for shift, direction in ((2.0, "higher"), (-2.0, "lower")):
        stream = np.concatenate([before, rng.standard_normal(50) + shift])
        after = first_alarm(drift, stream, 100)
        assert after is not None and after <= 40
        report = drift.look(stream)
        assert (report.direction, report.parts) == (direction, 50)
        assert f"have {direction} scores than the 130 before" in report.in_words()


def test_a_slow_drift_is_noticed() -> None:
    rng = np.random.default_rng(3)
    stream = rng.standard_normal(3000) + np.linspace(0, 1, 3000)
    assert first_alarm(Drift(rng.standard_normal(60).tolist()), stream, 0, 50) is not None


def test_an_odd_calibration_alone_is_no_drift() -> None:
    """Twenty parts that happen to lie half a deviation lower than the parts to come."""
    rng = np.random.default_rng(4)
    calibration = rng.standard_normal(20)
    calibration -= calibration.mean() + 0.5
    told = sum(Drift(calibration.tolist()).look(rng.standard_normal(50)).drifted for _ in range(200))
    assert told <= 2


def test_the_p_value_is_that_of_mann_and_whitney() -> None:
    rng = np.random.default_rng(5)
    known, new = rng.standard_normal(60), rng.standard_normal(50) + 0.4
    report = Drift(known.tolist()).look(new)
    plain = stats.mannwhitneyu(new, known, use_continuity=False, method="asymptotic")
    assert report.p == pytest.approx(plain.pvalue, rel=1e-9)
    assert (report.parts, report.known) == (50, 60)


def test_what_they_are_compared_with_stays_the_same() -> None:
    rng = np.random.default_rng(6)
    drift, stream = Drift(rng.standard_normal(40).tolist()), rng.standard_normal(5000)
    changed = np.concatenate([stream[: REFERENCE - 40], stream[-max(WINDOWS) :]])
    assert drift.look(stream) == drift.look(changed)
    assert drift.look(stream).known == REFERENCE


def test_a_large_calibration_is_used_in_full() -> None:
    assert Drift([float(each) for each in range(500)]).look([250.0] * 50).known == 500


def test_equal_scores_are_no_drift() -> None:
    report = Drift([0.0] * 60).look([0.0] * 500)
    assert (report.drifted, report.p, report.direction) == (False, 1.0, None)


def test_words_where_there_is_too_little_to_tell() -> None:
    drift = Drift([float(each) for each in range(60)])
    assert drift.look([30.0] * 12).in_words() == (
        "A drift can be noticed from 50 parts on; 12 came since the limits were set."
    )
    assert drift.look([]).p is None
    few = drift.look([29.0, 30.0] * 25)
    assert not few.drifted and not few.reliable
    assert few.in_words() == (
        "The last 50 parts were compared with the 60 before. No drift was noticed. A small drift can be noticed "
        "once about 250 parts are known."
    )
    many = drift.look([29.0, 30.0] * 500)
    assert many.reliable and many.in_words().endswith("with the 300 before. No drift was noticed.")


def test_the_bound_is_stricter_than_one_in_a_thousand() -> None:
    assert LEAST_P < 0.001


def test_what_is_no_score_is_refused() -> None:
    with pytest.raises(ConfigError, match="give the scores of at least one good part"):
        Drift([])
    with pytest.raises(ConfigError, match="no number; inspect the part again"):
        Drift([math.nan])
    with pytest.raises(ConfigError, match="no number"):
        Drift([1.0]).look([math.inf])
