"""Comparison and model together: what each counts, who decides, and what is promised of both."""

from __future__ import annotations

import math

import numpy as np
import pytest

from reason_iad.errors import ConfigError
from reason_iad.expert.joint import (
    Asked,
    Joint,
    ModelSays,
    Scored,
    Trial,
    cascade_of,
    joint_of,
    least_good,
    scored,
)


def trials(rng: np.random.Generator, good: int = 60, drawn: int = 60, *, knows: float = 0.0) -> list[Trial]:
    """Parts whose defects stand out a little; a model that `knows` so much more, in log odds."""
    found = []
    for number in range(good + drawn):
        defective = number >= good
        score = rng.normal(1.5 * defective)
        odds = rng.normal(knows * defective, 1.0)
        probability = 1 / (1 + math.exp(-odds))
        found.append(
            Trial(
                key=str(number),
                part="drawn" if defective else "good",
                score=score,
                probability=probability,
                closer=0.5,
            )
        )
    return found


def joint(found: Scored, asked: Asked) -> Joint:
    return joint_of(found, asked, found.alone_good.tolist(), "model", "0")


def test_a_model_that_knows_nothing_has_next_to_no_say(rng: np.random.Generator) -> None:
    found = scored(trials(rng))
    assert found.weights.score == pytest.approx(1.0, abs=0.5)
    assert 0 <= found.weights.model < 0.3 and found.weights.closer == 0


def test_a_model_that_knows_more_has_a_say_and_helps(rng: np.random.Generator) -> None:
    found = scored(trials(rng, knows=3.0))
    assert found.weights.model > 0.5 and found.helps
    assert found.separation > found.separation_alone + 0.05


def test_a_model_that_is_wrong_has_no_say(rng: np.random.Generator) -> None:
    found = scored(trials(rng, knows=-3.0))
    assert not found.weights.has_say and not found.helps


def test_a_model_that_answers_alike_for_all_does_not_help() -> None:
    rng = np.random.default_rng(3)
    same = [each.model_copy(update={"probability": 0.2, "closer": None}) for each in trials(rng)]
    assert not scored(same).helps


def test_more_evidence_never_makes_a_defect_less_probable(rng: np.random.Generator) -> None:
    fitted = joint(scored(trials(rng, knows=2.0)), Asked(0.05))
    scores = [fitted.score(s, ModelSays(p, 0.5)) for s, p in ((0, 0.1), (1, 0.1), (1, 0.9))]
    assert scores == sorted(scores)
    assert math.isfinite(fitted.score(0.0, ModelSays(0.0, 1.0)))


def test_parts_are_scored_by_weights_that_did_not_see_them() -> None:
    """Else a model of pure noise would seem to help with few parts."""
    helped = [scored(trials(np.random.default_rng(seed), 12, 12)).separation for seed in range(20)]
    alone = [scored(trials(np.random.default_rng(seed), 12, 12)).separation_alone for seed in range(20)]
    assert np.mean(helped) <= np.mean(alone) + 0.01


def test_false_alarms_of_the_cascade_as_a_whole_stay_below_what_was_asked() -> None:
    share, wrong = 0.1, []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        fitted = joint(scored(trials(rng, 40, 40, knows=2.0)), Asked(share))
        for score, odds in rng.normal(size=(200, 2)):
            verdict = fitted.cascade.certain(score)
            if verdict is None:
                says = ModelSays(1 / (1 + math.exp(-odds)), 0.5)
                verdict = fitted.cascade.joint.verdict(fitted.score(score, says))
            wrong.append(verdict == "defect")
    assert np.mean(wrong) <= share + 3 * math.sqrt(share / 41 / 60)
    assert np.mean(wrong) > share / 4


def test_what_is_certain_is_what_the_comparison_alone_would_say(rng: np.random.Generator) -> None:
    found = scored(trials(rng, knows=2.0))
    cascade = cascade_of(found, Asked(0.05), found.alone_good.tolist())
    good = sorted(found.alone_good)
    assert cascade.certain(good[-1]) is None and cascade.certain(good[-1] + 0.01) == "defect"
    assert cascade.certain(good[0]) == "pass"
    asked = np.mean([cascade.certain(score) is None for score in good])
    assert 0.1 < asked <= 0.2  # four times the false alarms that are allowed
    assert cascade.alone == (1, 60) and cascade.joint.false_alarms is not None
    assert 1 / 61 + cascade.joint.false_alarms.on_average <= 0.05


def test_without_a_cascade_the_model_has_a_say_in_every_part(rng: np.random.Generator) -> None:
    found = scored(trials(rng))
    cascade = cascade_of(found, Asked(0.05, always=True), found.alone_good.tolist())
    assert all(cascade.certain(score) is None for score in (-99.0, 0.0, 99.0))


def test_with_few_good_parts_no_defect_is_certain(rng: np.random.Generator) -> None:
    found = scored(trials(rng, least_good(0.05), 20))
    cascade = cascade_of(found, Asked(0.05), found.alone_good.tolist())
    assert cascade.defect_from == math.inf and math.isfinite(cascade.joint.defect_from)


def test_missed_defects_are_shared_out_too(rng: np.random.Generator) -> None:
    known = [each.model_copy(update={"part": "labelled"}) if each.part == "drawn" else each for each in trials(rng)]
    found = scored(known)
    cascade = cascade_of(found, Asked(0.05, missed=0.1), found.alone_good.tolist())
    assert np.mean(found.alone_labelled < cascade.pass_below) <= 0.025
    assert cascade.joint.missed is not None and cascade.joint.missed.share < 0.1
    few = cascade_of(found, Asked(0.05, missed=0.01), found.alone_good.tolist())
    assert few.pass_below == -math.inf  # nothing passes without the model


def test_the_promise_says_both_statements(rng: np.random.Generator) -> None:
    words = joint(scored(trials(rng)), Asked(0.05)).cascade.in_words()
    assert "together call at most 5 % of good parts defective" in words
    assert "with 95 % confidence" in words and "60 good parts" in words


def test_the_promise_says_what_passes_where_that_is_bounded(rng: np.random.Generator) -> None:
    known = [each.model_copy(update={"part": "labelled"}) if each.part == "drawn" else each for each in trials(rng)]
    found = scored(known)
    assert "at most 10 % of defective parts pass" in joint(found, Asked(0.05, missed=0.1)).cascade.in_words()
    few = joint(found, Asked(0.05, missed=0.001)).cascade.in_words()
    assert "At least 999 defective parts" in few and "no part passes" in few


def test_too_few_parts_are_refused(rng: np.random.Generator) -> None:
    with pytest.raises(ConfigError, match="too few parts"):
        scored(trials(rng, 60, 1))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
