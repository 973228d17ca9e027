"""Fit late fusion (`inspection/fusion.py`) on drawn parts: how much the model's two looks and the map are worth.

Runs after training and needs no gradients: one pass of the finished model over pairs of the validation seeds, which
it never learned from and no table is measured on. Half of them come with one reference, half with several.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import log_softmax

from reason_iad.errors import ConfigError
from reason_iad.expert.extent import covered
from reason_iad.expert.suspicion import place_evidence, standing_out
from reason_iad.files import write_atomic
from reason_iad.inspection.fusion import (
    FILE,
    SURE,
    DetectionWeights,
    Floors,
    LateFusion,
    PlaceWeights,
    SizeWeights,
    TypeWeights,
    log_odds,
    off,
)
from reason_iad.schema import SIZES
from reason_iad_nano.weighables import REFERENCES, Weighable, weighables

if TYPE_CHECKING:
    from reason_iad.backbones.base import Backbone

Rows = npt.NDArray[np.float64]

PENALTY = 1e-3
"""Of the squared weights, against running away where a feature separates everything; per pair."""
LARGEST = 100.0
LEAST_PAIRS = 8
BOARDS, FIRST_BOARD = 4, 100_000
"""One board more for so many pairs: few others have two tones, and what changed on them weighs in types alone."""
FOLDS = 5
"""Parts of the pairs, each of which is left out once to see how probable the true names are with other weights."""
MISSED = 1 / 30
"""Share of defects whose true type, place or size an explanation may leave out, each; together at most a tenth."""


def fit_detection(pairs: Sequence[Weighable]) -> DetectionWeights:
    """Logistic regression of the truth on the model's log odds and how far the map stands out; none below 0.

    Raises:
        ConfigError: there are too few pairs, or only good or only defective ones.
    """
    labels = np.array([pair.defective for pair in pairs], dtype=np.float64)
    if len(pairs) < LEAST_PAIRS or labels.min() == labels.max():
        raise ConfigError(f"{len(pairs)} pairs are too few to weigh model and map; take more (-n 400).")
    rows = np.array(
        [(1.0, log_odds(pair.model), log_odds(pair.closer), standing_out(pair.found)) for pair in pairs]
    )

    def loss(weights: Rows) -> tuple[float, Rows]:
        signs = 1 - 2 * labels
        margins = signs * (rows @ weights)
        slope = signs / (1 + np.exp(-np.clip(margins, -50, 50)))
        penalty = PENALTY * weights * np.array([0.0, 1.0, 1.0, 1.0])
        value = np.logaddexp(0, margins).mean() + (penalty * weights).sum() / 2
        return float(value), rows.T @ slope / len(labels) + penalty

    bias, model, closer, found = _minimum(loss, [(-LARGEST, LARGEST), *[(0.0, LARGEST)] * 3])
    return DetectionWeights(bias=bias, model=model, closer=closer, map=found)


def fit_places(pairs: Sequence[Weighable]) -> PlaceWeights:
    """Conditional logistic regression of the true place; weights at least 0.

    Raises:
        ConfigError: there are too few defective pairs.
    """
    kept = [(pair.places[0], pair.found) for pair in pairs if pair.places]
    if len(kept) < LEAST_PAIRS:
        raise ConfigError(f"{len(kept)} defective pairs are too few to weigh places; take more (-n 400).")
    there = np.array([place_evidence(found) for _, found in kept])
    weights = _conditional([asked.right for asked, _ in kept], _logs([asked.model for asked, _ in kept]), there)
    return PlaceWeights(model=weights[0], map=weights[1])


def fit_types(pairs: Sequence[Weighable]) -> TypeWeights:
    """Conditional logistic regression of the true type; weights at least 0.

    Raises:
        ConfigError: there are too few defective pairs.
    """
    kept = [pair.types for pair in pairs if pair.types is not None]
    if len(kept) < LEAST_PAIRS:
        raise ConfigError(f"{len(kept)} pairs with types are too few to weigh both looks; take more (-n 400).")
    looks = (
        _logs([types.model for types in kept]),
        _logs([types.closer for types in kept]),
        _logs([types.described or (1.0,) * len(types.model) for types in kept]),
    )
    weights = _conditional([types.right for types in kept], *looks)
    return TypeWeights(model=weights[0], closer=weights[1], described=weights[2])


def fit_sizes(pairs: Sequence[Weighable]) -> SizeWeights:
    """Conditional logistic regression of the true range of the share; weights at least 0.

    Raises:
        ConfigError: there are too few defective pairs.
    """
    kept = [(pair.sizes, pair.found) for pair in pairs if pair.sizes is not None]
    if len(kept) < LEAST_PAIRS:
        raise ConfigError(f"{len(kept)} defective pairs are too few to weigh sizes; take more (-n 400).")
    near = -np.array([off(covered(found), sizes.ranges) for sizes, found in kept])
    weights = _conditional([sizes.right for sizes, _ in kept], _logs([sizes.model for sizes, _ in kept]), near)
    return SizeWeights(model=weights[0], map=weights[1])


def fit_floors(folds: Iterable[tuple[LateFusion, Sequence[Weighable]]]) -> Floors:
    """How probable a type, a place and a size is where it is the true one, in all but a few defects that are found.

    Cross-conformal prediction (Vovk, "Cross-conformal predictors", 2015): of new drawn defects that are found,
    about `MISSED` at most have a true name that is less probable, for each of the three.

    Args:
        folds: pairs, with weights that were fitted on others.
    """
    types, places, sizes = [], [], []
    for fusion, pairs in folds:
        for pair in pairs:
            if not pair.defective or fusion.probability(pair.model, pair.closer, pair.found) < 0.5:
                continue
            if (named := pair.named) is not None:
                types.append(fusion.types(named.model, named.closer, named.described)[named.right])
            nine = fusion.places(pair.places[0].model, pair.found)
            places.append(nine[pair.places[0].right])
            share = covered(pair.found, nine.index(max(nine)))
            if pair.size is not None and share is not None:
                sizes.append(fusion.size_alone(share)[SIZES.index(pair.size)])
    return Floors(type=_floor(types), place=_floor(places), size=_floor(sizes))


def _floor(true: Sequence[float]) -> float | None:
    """The level that at most `MISSED` of new values lie below; None if there are too few to tell."""
    rank = int((len(true) + 1) * MISSED)
    return math.floor(sorted(true)[rank - 1] * 1e4) / 1e4 if rank else None


def _logs(probabilities: Sequence[Sequence[float]]) -> Rows:
    logs: Rows = np.log(np.maximum(np.array(probabilities), SURE))
    return logs


def _conditional(truth: Sequence[int], *evidence: Rows) -> list[float]:
    """What each kind of evidence, (cases, options), is worth for the true option of each case."""
    features = np.stack(evidence, axis=-1)
    at, right = np.arange(len(features)), np.array(truth)

    def loss(weights: Rows) -> tuple[float, Rows]:
        logs = log_softmax(features @ weights, axis=1)
        surplus = np.exp(logs)
        surplus[at, right] -= 1
        slope = np.einsum("np,npk->k", surplus, features) / len(features)
        return float(-logs[at, right].mean() + PENALTY * (weights**2).sum() / 2), slope + PENALTY * weights

    return _minimum(loss, [(0.0, LARGEST)] * len(evidence))


def _minimum(loss: Callable[[Rows], tuple[float, Rows]], bounds: list[tuple[float, float]]) -> list[float]:
    """Where a convex loss with its gradient is least, rounded: more digits than the data give say nothing."""
    start = np.array([0.0 if low < 0 else 1.0 for low, _ in bounds])
    return [round(float(weight), 4) for weight in minimize(loss, start, jac=True, bounds=bounds).x]


def fit(backbone: Backbone, count: int, progress: Callable[[int], None] = lambda done: None) -> LateFusion:
    """Fit all weights of a model.

    Args:
        backbone: the model.
        count: pairs, half with one reference and half with several.
        progress: called with the number of pairs done.

    Raises:
        ConfigError: there are too few pairs.
    """
    if count < 2 * LEAST_PAIRS:
        raise ConfigError(f"{count} pairs are too few to weigh model and map; take at least {2 * LEAST_PAIRS}.")
    halves: list[list[Weighable]] = []
    for references in (1, REFERENCES):
        half: list[Weighable] = []
        for pair in weighables(backbone, "validate", count // 2, references):
            half.append(pair)
            progress(sum(map(len, halves)) + len(half))
        halves.append(half)
    boards = list(weighables(backbone, "validate", count // BOARDS, 1, FIRST_BOARD, "pcb"))
    floors = Floors()
    if min(map(len, halves)) >= FOLDS * LEAST_PAIRS:
        folds = []
        for fold in range(FOLDS):
            one, more = ([pair for at, pair in enumerate(half) if at % FOLDS != fold] for half in halves)
            others = [pair for at, pair in enumerate(boards) if at % FOLDS != fold]
            left_out = [pair for half in halves for pair in half[fold::FOLDS]]
            folds.append((_weights(one, more, others, floors), left_out))
        floors = fit_floors(folds)
    return _weights(halves[0], halves[1], boards, floors)


def _weights(
    one: Sequence[Weighable], more: Sequence[Weighable], boards: Sequence[Weighable], floors: Floors
) -> LateFusion:
    """Everything that is weighed, fitted on pairs with one reference and with more."""
    pairs = [*one, *more]
    return LateFusion(
        one_reference=fit_detection(one),
        more_references=fit_detection(more),
        place=fit_places(pairs),
        type=fit_types([*pairs, *boards]),
        size=fit_sizes(pairs),
        floors=floors,
        fitted_on=f"{len(pairs)} drawn pairs of the validation seeds, half with one reference, half with "
        f"{REFERENCES}; types also on {len(boards)} boards",
    )


def write_fusion(fusion: LateFusion, directory: Path) -> Path:
    """Put the weights into a model directory, in one step.

    Raises:
        OutputError: they cannot be written.
    """
    path = directory / FILE
    write_atomic(path, fusion.model_dump_json(indent=2) + "\n")
    return path
