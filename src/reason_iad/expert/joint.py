"""What the comparison and a model say together of one kind of part, and when the model is asked at all [ours].

The model's two looks and the comparison are weighed by a logistic regression on parts of which it is known what
they are: good parts, each left out of what was learnt, drawn defects, and labelled ones (METHOD section 5). No
weight is negative: more evidence never makes a defect less probable. Few parts say little, so the weights are drawn
towards the comparison alone. Every part is scored with weights that were fitted without it.

A cascade asks the model only where the comparison is not certain. The bounds hold for the cascade as a whole,
because the parts that it may decide wrongly are shared out: some to the limits by which the comparison decides
alone, the others to the limits of the joint score. The share of wrong decisions is at most the sum.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from reason_iad.errors import ConfigError
from reason_iad.expert.conformal import Limits, limits, needed, rank
from reason_iad.schema.record import Record
from reason_iad.schema.verdict import Verdict

PULL = 4.0
"""How strongly weights are drawn to the comparison alone: as if each had a deviation of a half around it."""
FOLDS = 5
"""Parts are scored with weights that were fitted without a fifth of them."""
EARLY = 0.25
"""Share of the wrong decisions that are allowed which is left to the comparison alone."""
DOUBTFUL = 4.0
"""A part passes without the model if it would at so many times the false alarms that are allowed."""
SURE = 1e-6
"""A model's probability counts as at least so far from 0 and 1."""

Finite = Annotated[float, Field(allow_inf_nan=False, ge=-1e9, le=1e9)]
Probability = Annotated[float, Field(ge=0, le=1)]
Features = npt.NDArray[np.float64]
"""(n, 3): the score, and the log odds of the model's two looks; (n, 2) where it looks once."""
Scores = npt.NDArray[np.float64]
"""(n,)."""


@dataclass(frozen=True, slots=True)
class ModelSays:
    """How probable the model finds a defect.

    Attributes:
        probability: seeing the whole part, in [0, 1].
        closer: the same at a closer look at where most differs; None for a model that has none.
    """

    probability: float
    closer: float | None


class Trial(Record):
    """A part of which it is known what it is, and what was said of it.

    Attributes:
        key: which part, for going on after an interruption.
        part: what it is.
        score: of the comparison; for a good part, without it among the good images.
        probability, closer: as in `ModelSays`.
    """

    key: Annotated[str, Field(max_length=200)]
    part: Literal["good", "drawn", "labelled"]
    score: Finite
    probability: Probability
    closer: Probability | None = None


@dataclass(frozen=True, slots=True)
class Weights:
    """What each side counts: log odds = bias + score * s + model * logit p + closer * logit p_closer."""

    bias: float
    score: float
    model: float
    closer: float

    @property
    def has_say(self) -> bool:
        """Whether the model counts at all."""
        return self.model > 0 or self.closer > 0

    def log_odds(self, score: float, says: ModelSays) -> float:
        """Log odds of a defect."""
        closer = 0.0 if says.closer is None else self.closer * _logit(says.closer)
        return self.bias + self.score * score + self.model * _logit(says.probability) + closer


@dataclass(frozen=True, slots=True)
class Cascade:
    """Who decides which part, and by which limits.

    Attributes:
        pass_below: a part whose score of the comparison lies below passes, and the model is not asked.
        defect_from: from this score on a part is defective, and the model is not asked whether.
        joint: limits on the joint score, for the parts between.
        false_alarms: the share of good parts that may be called defective, by the cascade as a whole.
        alone: which good part's score, counted from the highest, and of how many, set `defect_from`; (0, n): none.
        missed: the share of defective parts that may pass, by the cascade as a whole; None: no limit.
    """

    pass_below: float
    defect_from: float
    joint: Limits
    false_alarms: float
    alone: tuple[int, int]
    missed: float | None = None

    def certain(self, score: float) -> Verdict | None:
        """What the comparison decides alone; None where the model has a say."""
        if score >= self.defect_from:
            return "defect"
        return "pass" if score < self.pass_below else None

    @property
    def at_most(self) -> float:
        """The largest share of false alarms that is compatible with the known good parts, with 95 % confidence."""
        from scipy.special import betaincinv

        pairs = [self.alone]
        if self.joint.false_alarms is not None:
            pairs.append((self.joint.false_alarms.rank, self.joint.false_alarms.parts))
        pairs = [(k, n) for k, n in pairs if k]
        level = 1 - 0.05 / max(1, len(pairs))  # both statements hold together
        return min(1.0, float(sum(betaincinv(k, n + 1 - k, level) for k, n in pairs)))

    def in_words(self) -> str:
        """What is promised of comparison and model together."""
        known = 0 if self.joint.false_alarms is None else self.joint.false_alarms.parts
        said = (
            f"On average, comparison and model together call at most {100 * self.false_alarms:.6g} % of good parts "
            f"defective. For these {known} good parts, it is at most {math.ceil(100 * self.at_most)} % with 95 % "
            "confidence."
        )
        known_defects = self.joint.missed
        if known_defects is None:
            return said
        if not known_defects.kept:
            return (
                f"{said} At least {known_defects.needed} defective parts have to be known for the limit on those "
                "that pass. Until then no part passes by the limit alone."
            )
        return (
            f"{said} On average, at most {100 * (self.missed or 0):.6g} % of defective parts pass. Parts between "
            "the two limits are handed to a person."
        )


@dataclass(frozen=True, slots=True)
class Joint:
    """A model fitted to one kind of part.

    Attributes:
        model: name of the model.
        prompted: hash of its weights and of the knowledge that it was shown.
        weights: what each side counts.
        middle, spread: of the log odds of good parts; the joint score is in these deviations.
        cascade: who decides what.
        parts: how many parts it was fitted with.
        sha256: of all that results follow from.
    """

    model: str
    prompted: str
    weights: Weights
    middle: float
    spread: float
    cascade: Cascade
    parts: int
    sha256: str

    def score(self, score: float, says: ModelSays) -> float:
        """How far a part stands out in the eyes of both, in deviations of good parts: about 0 for these."""
        return (self.weights.log_odds(score, says) - self.middle) / self.spread


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of the verdict.

    Attributes:
        false_alarms: share of good parts that may be called defective.
        missed: share of defective parts that may pass; None: no limit.
        always: ask the model about every part.
    """

    false_alarms: float
    missed: float | None = None
    always: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Trials with their joint scores, each by weights that were fitted without it.

    Attributes:
        weights: fitted with all of them.
        middle, spread: of the log odds of the good ones.
        good, defective, labelled: joint scores.
        alone_good, alone_defective, alone_labelled: the scores of the comparison, in the same order.
    """

    weights: Weights
    middle: float
    spread: float
    good: Scores
    defective: Scores
    labelled: Scores
    alone_good: Scores
    alone_defective: Scores
    alone_labelled: Scores

    @property
    def separation(self) -> float:
        """Area under the ROC curve of the joint score, in [0, 1]."""
        return separation(self.good, self.defective)

    @property
    def separation_alone(self) -> float:
        """The same of the comparison alone."""
        return separation(self.alone_good, self.alone_defective)

    @property
    def helps(self) -> bool:
        """Whether the model has a say, and good and defective parts are told apart better with it."""
        return self.weights.has_say and self.separation > self.separation_alone


def scored(trials: Sequence[Trial]) -> Scored:
    """Fit the weights, and score each part with weights that were fitted without it.

    Raises:
        ConfigError: there are too few parts.
    """
    features, defective = _features(trials)
    if defective.sum() < 2 or (~defective).sum() < 2:
        raise ConfigError("There are too few parts to fit a model with; give more good images.")
    weights = _fit(features, defective)
    odds = np.empty(len(trials))
    for fold in range(FOLDS):
        held = np.zeros(len(trials), bool)
        for kind in (defective, ~defective):
            held[np.flatnonzero(kind)[fold::FOLDS]] = True
        if held.all() or not held.any() or len({*defective[~held]}) < 2:
            held[:] = True  # too few to leave any out
            odds[:] = _odds(weights, features)
            break
        odds[held] = _odds(_fit(features[~held], defective[~held]), features[held])
    middle, spread = float(odds[~defective].mean()), float(max(odds[~defective].std(), 1e-3))
    joint, alone = (odds - middle) / spread, features[:, 0]
    labelled = np.array([trial.part == "labelled" for trial in trials])
    return Scored(
        weights, middle, spread, joint[~defective], joint[defective], joint[labelled],
        alone[~defective], alone[defective], alone[labelled],
    )  # fmt: skip


def joint_of(found: Scored, asked: Asked, good: Sequence[float], model: str, prompted: str) -> Joint:
    """A fitted model, with the limits that are asked for.

    Args:
        found: what known parts say.
        asked: of the verdict.
        good: scores of the comparison of good parts, each left out.
        model, prompted: as in `Joint`.

    Raises:
        ConfigError: a share is out of its range.
    """
    cascade = cascade_of(found, asked, good)
    content = [model, prompted, *(getattr(found.weights, each) for each in Weights.__slots__), found.middle,
               found.spread, cascade.pass_below, cascade.defect_from, cascade.joint.pass_below,
               cascade.joint.defect_from]  # fmt: skip
    digest = hashlib.sha256(repr(content).encode()).hexdigest()
    parts = len(found.good) + len(found.defective)
    return Joint(model, prompted, found.weights, found.middle, found.spread, cascade, parts, digest)


def cascade_of(found: Scored, asked: Asked, good: Sequence[float]) -> Cascade:
    """Share out what may be decided wrongly, and set the limits."""
    joint_good = found.good.tolist()
    joint_labelled = () if asked.missed is None else found.labelled.tolist()
    if asked.always:
        joint = limits(joint_good, asked.false_alarms, joint_labelled, asked.missed)
        return Cascade(-math.inf, math.inf, joint, asked.false_alarms, (0, len(good)), asked.missed)
    ordered = sorted(good)
    early = max(1, rank(len(good), EARLY * asked.false_alarms))
    left = asked.false_alarms - early / (len(good) + 1)
    if left <= 0 or not rank(len(joint_good), left):  # too few good parts to be certain of a defect
        early, left = 0, asked.false_alarms
    high = math.nextafter(ordered[-early], math.inf) if early else math.inf
    doubtful = rank(len(good), min(0.5, DOUBTFUL * asked.false_alarms))
    low = math.nextafter(ordered[-doubtful], math.inf) if doubtful else -math.inf
    missed = asked.missed
    if missed is not None:
        known = sorted(found.alone_labelled.tolist())
        passed = rank(len(known), EARLY * missed)
        low = min(low, known[passed - 1]) if passed else -math.inf
        missed -= passed / (len(known) + 1)
    joint = limits(joint_good, left, joint_labelled, missed)
    return Cascade(min(low, high), high, joint, asked.false_alarms, (early, len(good)), asked.missed)


def least_good(false_alarms: float) -> int:
    """How many good parts have to be asked about so that a limit can be set."""
    return max(needed(false_alarms), 10)


def separation(good: Scores, defective: Scores) -> float:
    """Area under the ROC curve: how often a defective part scores higher than a good one; ties count half."""
    higher = (defective[:, None] > good).mean() + 0.5 * (defective[:, None] == good).mean()
    return float(higher)


def _features(trials: Sequence[Trial]) -> tuple[Features, npt.NDArray[np.bool_]]:
    closer = all(trial.closer is not None for trial in trials)
    rows = [
        [trial.score, _logit(trial.probability), *([_logit(trial.closer or 0.0)] if closer else [])]
        for trial in trials
    ]
    return np.array(rows, np.float64).reshape(len(trials), -1), np.array([each.part != "good" for each in trials])


def _fit(features: Features, defective: npt.NDArray[np.bool_]) -> Weights:
    """Logistic regression with weights that are not negative; good and defective parts count alike as a whole."""
    from scipy.optimize import minimize

    count = len(defective)
    share = np.where(defective, 0.5 / defective.sum(), 0.5 / (~defective).sum()) * count
    target = np.zeros(features.shape[1])
    target[0] = 1.0  # the comparison alone

    def loss(values: Scores) -> Any:
        odds = values[0] + features @ values[1:]
        wrong = np.logaddexp(0.0, np.where(defective, -odds, odds))
        slope = share * (1 / (1 + np.exp(-np.clip(odds, -500, 500))) - defective)
        away = values[1:] - target
        gradient = np.concatenate([[slope.sum()], features.T @ slope + PULL * away])
        return share @ wrong + PULL / 2 * away @ away, gradient

    bounds = [(None, None), *[(0.0, None)] * features.shape[1]]
    found = minimize(loss, np.concatenate([[0.0], target]), jac=True, bounds=bounds, method="L-BFGS-B").x
    bias, score, model, *closer = (float(value) for value in found)
    return Weights(bias, score, model, closer[0] if closer else 0.0)


def _odds(weights: Weights, features: Features) -> Scores:
    values = np.array([weights.score, weights.model, weights.closer])[: features.shape[1]]
    odds: Scores = weights.bias + features @ values
    return odds


def _logit(probability: float) -> float:
    bounded = min(max(probability, SURE), 1 - SURE)
    return math.log(bounded / (1 - bounded))
