"""Intervals of averages: they hold what they promise, with few questions and with questions that go together."""

from __future__ import annotations

import numpy as np
import pytest
from tests.bench.made_runs import answer, answers

from reason_iad.bench.intervals import (
    accuracy_difference,
    average_difference,
    average_interval,
    cell_intervals,
    subtask_intervals,
)
from reason_iad.bench.records import AnswerRecord
from reason_iad.bench.resampling import resampled_average, resampled_injection
from reason_iad.bench.scoring import score
from reason_iad.bench.statistics import mean_interval, wilson

KINDS = ("Defect Classification", "Defect Localization", "Defect Description")


def image(number: int, chances: tuple[float, ...], luck: np.ndarray) -> list[AnswerRecord]:
    """One image with a question of each kind, right where its luck is below the chance of the kind."""
    name = f"D/p/test/x/{number:03d}.png"
    return [
        answer(name, kind, bool(luck[i] < chance), i)
        for i, (kind, chance) in enumerate(zip(KINDS, chances, strict=True))
    ]


def test_a_cell_has_wilsons_interval_and_detection_that_of_both_sides() -> None:
    scores = score(
        [
            *answers("D", "Defect Analysis", 3, 8),
            *answers("D", "Anomaly Detection", 2, 5, folder="good"),
            *answers("D", "Anomaly Detection", 6, 7),
            *answers("E", "Anomaly Detection", 1, 2),
        ]
    )
    found = cell_intervals(scores)
    assert found["D", "Defect Analysis"] == wilson(3, 8)
    assert found["D", "Anomaly Detection"] == mean_interval([(2, 5), (6, 7)])
    assert found["E", "Anomaly Detection"] == wilson(1, 2)
    both = subtask_intervals(scores.table, found)["Anomaly Detection"]
    values = [scores.table.values[name, "Anomaly Detection"] for name in ("D", "E")]
    lows = [found[name, "Anomaly Detection"].low for name in ("D", "E")]
    gap = sum((value - low) ** 2 for value, low in zip(values, lows, strict=True)) ** 0.5 / 2
    assert both.low == pytest.approx(sum(values) / 2 - gap)


def test_a_cell_of_one_question_keeps_the_average_unsure() -> None:
    """Resampling alone believes that one question for certain, however often it is drawn."""
    those = [*answers("D", "Defect Analysis", 60, 80), *answers("D", "Defect Description", 1, 1)]
    alone, both = resampled_average(those), average_interval(score(those), those)
    assert alone.high - alone.low < 0.12 < 0.3 < both.high - both.low


@pytest.mark.parametrize("together", [False, True], ids=["independent", "together"])
def test_the_interval_of_an_average_covers_the_truth(together: bool) -> None:
    """Also when the questions of an image are right or wrong together, as far as their chances allow."""
    generator = np.random.default_rng(4)
    chances, truth, inside, times = (0.85, 0.6, 0.5), (0.85 + 0.6 + 0.5) / 3, 0, 200
    for _ in range(times):
        luck = generator.random((40, 1 if together else 3)).repeat(3 if together else 1, axis=1)
        those = [each for number in range(40) for each in image(number, chances, luck[number])]
        low, high = average_interval(score(those), those, resamples=200)
        inside += low <= truth <= high
    assert inside / times >= 0.92


def test_resampling_knows_that_questions_of_an_image_go_together() -> None:
    generator = np.random.default_rng(3)
    luck = generator.random(60)
    together = [each for number in range(60) for each in image(number, (0.5,) * 3, luck[[number] * 3])]
    apart = [each for number in range(60) for each in image(number, (0.5,) * 3, generator.random(3))]
    wide, narrow = resampled_average(together), resampled_average(apart)
    assert wide.high - wide.low > 1.3 * (narrow.high - narrow.low)


def test_a_paired_difference_of_averages_covers_the_truth() -> None:
    generator = np.random.default_rng(7)
    better, worse, inside, times = (0.9, 0.7, 0.6), (0.7, 0.6, 0.6), 0, 200
    truth = sum(better) / 3 - sum(worse) / 3
    for _ in range(times):
        luck = generator.random((40, 3))
        first, second = (
            [each for number in range(40) for each in image(number, chances, luck[number])]
            for chances in (better, worse)
        )
        pairs = list(zip(first, second, strict=True))
        low, high = average_difference(pairs, resamples=200).interval
        inside += low <= truth <= high
    assert inside / times >= 0.92


def test_differences_are_those_of_the_scores() -> None:
    first = [*answers("D", "Defect Analysis", 7, 10), *answers("E", "Object Analysis", 1, 4)]
    second = [*answers("D", "Defect Analysis", 4, 10), *answers("E", "Object Analysis", 3, 4)]
    pairs = list(zip(first, second, strict=True))
    ours, theirs = score(first).table.overall, score(second).table.overall
    assert ours is not None and theirs is not None
    assert average_difference(pairs).value == pytest.approx(ours - theirs)
    assert accuracy_difference(pairs).value == pytest.approx(8 / 14 - 7 / 14)


def test_the_injected_share_is_resampled_by_image() -> None:
    those = [
        answer(f"D/p/test/x/{i:02d}.png", "Defect Analysis", True, j, inside=0.5 + i / 100, chance=0.3)
        for i in range(20) for j in range(5)
    ]  # fmt: skip
    low, high = resampled_injection([*those, answer("D/p/test/x/none.png", "Defect Analysis", True)])
    spread = np.std(np.arange(20) / 100) / np.sqrt(20)
    assert high - low == pytest.approx(2 * 1.96 * spread, rel=0.15)
    assert low < 0.295 < high
