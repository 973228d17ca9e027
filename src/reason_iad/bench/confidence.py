"""Whether a model knows when it is right: calibration, and what could be left to a person.

The confidence of an answer is the probability of the letter chosen, in [0, 1]. Sources: Guo et al. (2017) for the
expected calibration error, Brier (1950) for its score over all letters, Geifman and El-Yaniv (2017) for risk and
coverage.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from reason_iad.bench.records import AnswerRecord

BINS = 10

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bin:
    """Some answers of similar value, of confidence or of reward.

    Attributes:
        low, high: smallest and largest value in it.
        mean: of the values.
        asked, right: counts.
    """

    low: float
    high: float
    mean: float
    asked: int
    right: int

    @property
    def accuracy(self) -> float:
        """Share of right answers in [0, 1]."""
        return self.right / self.asked


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far confidence and accuracy lie apart; every figure in [0, 1] but the Brier score, in [0, 2].

    Attributes:
        answers: with probabilities, and therefore judged here.
        confidence, accuracy: means over them.
        ece: expected calibration error over bins of equal width.
        ece_mass: over bins of equal size.
        brier: squared error over all letters; 0 is best.
        bins: of equal size, for the reliability plot; equal confidences stay together.
    """

    answers: int
    confidence: float
    accuracy: float
    ece: float
    ece_mass: float
    brier: float
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """Risk when only the most confident answers are kept.

    Attributes:
        coverage: share of answers kept, one point per distinct confidence, ascending to 1.
        risk: share of wrong ones among them.
        aurc: mean risk over coverage; less is better.
    """

    coverage: tuple[float, ...]
    risk: tuple[float, ...]
    aurc: float


def calibration(answers: Iterable[AnswerRecord]) -> Calibration | None:
    """Calibration of the answers that have probabilities; None if none has."""
    judged = _judged(answers)
    if not judged:
        return None
    confidence, right = _confidence(judged)
    bins = equal_mass(confidence, right)
    brier = [
        sum((p - (letter == each.truth)) ** 2 for letter, p in _whole(each.probabilities, each.truth).items())
        for each in judged
    ]
    return Calibration(
        answers=len(judged),
        confidence=float(confidence.mean()),
        accuracy=float(right.mean()),
        ece=_error(_equal_width(confidence, right)),
        ece_mass=_error(bins),
        brier=float(np.mean(brier)),
        bins=bins,
    )


def risk_coverage(answers: Iterable[AnswerRecord]) -> RiskCoverage | None:
    """Risk against coverage; None if no answer has probabilities.

    Answers of equal confidence are kept or left together; within such a group the area is that of a random order.
    """
    judged = _judged(answers)
    if not judged:
        return None
    confidence, right = _confidence(judged)
    order = np.argsort(-confidence, kind="stable")
    confidence, wrong = confidence[order], 1 - right[order]
    ends = np.append(np.flatnonzero(np.diff(confidence)) + 1, len(confidence))  # answers kept at each point
    errors = np.cumsum(wrong)[ends - 1]
    kept = np.arange(1, len(wrong) + 1)
    expected = np.interp(kept, np.append(0, ends), np.append(0, errors))
    return RiskCoverage(
        coverage=tuple((ends / len(wrong)).tolist()),
        risk=tuple((errors / ends).tolist()),
        aurc=float(np.mean(expected / kept)),
    )


def by_reward(answers: Iterable[AnswerRecord]) -> tuple[Bin, ...]:
    """Accuracy per tenth of the answers by their reward; empty without latent reasoning."""
    rewarded = [answer for answer in answers if answer.reward is not None]
    if not rewarded:
        return ()
    rewards = np.array([answer.reward for answer in rewarded], float)
    return equal_mass(rewards, np.array([answer.right for answer in rewarded], float))


def equal_mass(values: Vector, right: Vector, bins: int = BINS) -> tuple[Bin, ...]:
    """Bins of equal size, as far as equal values allow, which are never torn apart."""
    order = np.argsort(values, kind="stable")
    values, right = values[order], right[order]
    cuts = {0, len(values)}
    for number in range(1, bins):
        cut = round(number * len(values) / bins)
        # the end of the group of equal values that the cut falls into
        cuts.add(int(np.searchsorted(values, values[cut - 1], side="right")) if cut else 0)
    edges = sorted(cuts)
    return tuple(_bin(values[a:b], right[a:b]) for a, b in pairwise(edges))


def _equal_width(values: Vector, right: Vector) -> tuple[Bin, ...]:
    place = np.clip(np.ceil(values * BINS).astype(int) - 1, 0, BINS - 1)  # (low, high], as Guo et al. have it
    return tuple(_bin(values[place == k], right[place == k]) for k in range(BINS) if (place == k).any())


def _bin(values: Vector, right: Vector) -> Bin:
    return Bin(
        float(values.min()), float(values.max()), float(values.mean()), len(values), round(float(right.sum()))
    )


def _error(bins: Sequence[Bin]) -> float:
    total = sum(each.asked for each in bins)
    return sum(each.asked / total * abs(each.accuracy - each.mean) for each in bins)


def _judged(answers: Iterable[AnswerRecord]) -> list[AnswerRecord]:
    return [answer for answer in answers if answer.choice is not None and answer.probabilities]


def _confidence(judged: Sequence[AnswerRecord]) -> tuple[Vector, Vector]:
    """Probability of the choice, and 1.0 where it is right; each of shape (answers,)."""
    confidence = [each.probabilities.get(each.choice or "", 0.0) for each in judged]
    return np.array(confidence, float), np.array([each.right for each in judged], float)


def _whole(probabilities: Mapping[str, float], truth: str) -> dict[str, float]:
    return {truth: 0.0} | dict(probabilities)
