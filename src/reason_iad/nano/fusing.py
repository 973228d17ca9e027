"""Fit late fusion (`expert/fusion.py`) on drawn parts: how much the model's two looks and the map are worth.

Runs after training and needs no gradients: one pass of the finished model over pairs of the validation seeds, which
it never learned from and no table is measured on. Half of them come with one reference, half with several.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import log_softmax

from reason_iad.errors import ConfigError
from reason_iad.expert.fusion import (
    FILE,
    SURE,
    DetectionWeights,
    LateFusion,
    PlaceWeights,
    SizeWeights,
    TypeWeights,
    log_odds,
    off,
)
from reason_iad.expert.suspicion import place_evidence, standing_out
from reason_iad.files import write_atomic
from reason_iad.nano.facts import facts_of
from reason_iad.nano.inspecting import SceneBench
from reason_iad.nano.pairs import Purpose, draw, kind_index
from reason_iad.nano.questions import how_much
from reason_iad.nano.scene import Scene, SceneOdds, make_scene
from reason_iad.nano.texts import world_vocabulary
from reason_iad.nano.world.types import Size
from reason_iad.prompt import Question, detection_question, place_question, type_question
from reason_iad.schema import PLACES
from reason_iad.weighing import ranges_of

if TYPE_CHECKING:
    from reason_iad.backbones.base import Backbone
    from reason_iad.expert import AnomalyMap

Rows = npt.NDArray[np.float64]

DRAWN_SIZES: tuple[Size, ...] = (168, 224, (168, 252), 336, 448, (336, 252))
"""Pixels of the drawn pictures, in turn: photographs come in every size and shape."""
REFERENCES = 4
"""References of the pairs that have several."""
PENALTY = 1e-3
"""Of the squared weights, against running away where a feature separates everything; per pair."""
LARGEST = 100.0
LEAST_PAIRS = 8
TOLD = SceneOdds(knowledge=1.0, renamed=0.0, reference=1.0, category=0.0, shipped=0.0)
"""What is told of a part that is measured: knowledge under the usual names."""


def four_types(scene: Scene, rng: random.Random) -> tuple[Question, int] | None:
    """The product's type question with the true type among four; None if there are not so many."""
    present = {defect.kind for defect in scene.facts.defects}
    others = [kind for kind in scene.entry_kinds if kind is not None and kind not in present]
    if len(others) < 3:
        return None
    kinds = [scene.facts.main.kind, *rng.sample(others, 3)]
    rng.shuffle(kinds)
    return type_question([scene.name(kind) for kind in kinds]), kinds.index(scene.facts.main.kind)


@dataclass(frozen=True, slots=True)
class Types:
    """The model's probability of each of four types at both looks, and which is the true one."""

    model: tuple[float, ...]
    closer: tuple[float, ...]
    right: int


@dataclass(frozen=True, slots=True)
class Places:
    """The model's probability of each of some places, which of the nine they are, and which of them is right."""

    model: tuple[float, ...]
    options: tuple[int, ...]
    right: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """The model's probability of each of four ranges of the image's share, their limits, and which is right."""

    model: tuple[float, ...]
    ranges: tuple[tuple[float, float], ...]
    right: int


@dataclass(frozen=True, slots=True)
class Weighable:
    """One pair as fusion sees it.

    Attributes:
        found: the map.
        defective: the truth.
        model, closer: the model's own probability of a defect, at both looks.
        places: of a defective part, asked with all nine and with four options.
        types: of a defective part whose knowledge lists four types or more.
        sizes: of a defective part.
    """

    found: AnomalyMap
    defective: bool
    model: float
    closer: float
    places: tuple[Places, ...] = ()
    types: Types | None = None
    sizes: Sizes | None = None


def weighables(backbone: Backbone, purpose: Purpose, count: int, references: int) -> Iterator[Weighable]:
    """Pairs through the product's examination, with the scene's knowledge and without the reasoning loop.

    Args:
        backbone: the model.
        purpose: which seeds.
        count: number of pairs.
        references: good pictures of each.
    """
    bench, vocabulary = SceneBench(backbone, fuse=False), world_vocabulary()
    for number in range(count):
        sample = draw(number, purpose, DRAWN_SIZES[number % len(DRAWN_SIZES)], references)
        facts = facts_of(sample, kind_index())
        rng = random.Random(f"fusing/{purpose}/{number}")
        scene = make_scene(facts, vocabulary, rng, TOLD)
        look = bench.examine(sample, scene.entries)
        assert look.map is not None
        whether = detection_question()
        model, closer = look.ask(whether).probabilities["A"], look.look_closer(whether).probabilities["A"]
        if not facts.defective:
            yield Weighable(look.map, False, model, closer)
            continue
        right = PLACES.index(facts.main.place)
        taken = {PLACES.index(defect.place) for defect in facts.defects}
        four = [right, *rng.sample([place for place in range(len(PLACES)) if place not in taken], 3)]
        rng.shuffle(four)
        places = tuple(
            Places(tuple(look.ask(_where(options)).probabilities.values()), options, options.index(right))
            for options in (tuple(range(len(PLACES))), tuple(four))
        )
        typed = four_types(scene, rng)
        types = None
        if typed is not None:
            whole, near = (tuple(ask(typed[0]).probabilities.values()) for ask in (look.ask, look.look_closer))
            types = Types(whole, near, typed[1])
        asked = how_much(scene, rng)
        ranges, known = ranges_of(asked.question), asked.correct
        assert ranges is not None and known is not None
        sizes = Sizes(tuple(look.ask(asked.question).probabilities.values()), tuple(ranges), known)
        yield Weighable(look.map, True, model, closer, places, types, sizes)


def _where(places: Sequence[int]) -> Question:
    """The product's question for the place, with these of the nine to choose from."""
    return replace(place_question(), options=tuple(PLACES[place] for place in places))


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
    weights = _conditional(_logs([asked.model for asked, _ in kept]), there, [asked.right for asked, _ in kept])
    return PlaceWeights(model=weights[0], map=weights[1])


def fit_types(pairs: Sequence[Weighable]) -> TypeWeights:
    """Conditional logistic regression of the true type; weights at least 0.

    Raises:
        ConfigError: there are too few defective pairs.
    """
    kept = [pair.types for pair in pairs if pair.types is not None]
    if len(kept) < LEAST_PAIRS:
        raise ConfigError(f"{len(kept)} pairs with types are too few to weigh both looks; take more (-n 400).")
    looks = (_logs([types.model for types in kept]), _logs([types.closer for types in kept]))
    weights = _conditional(*looks, [types.right for types in kept])
    return TypeWeights(model=weights[0], closer=weights[1])


def fit_sizes(pairs: Sequence[Weighable]) -> SizeWeights:
    """Conditional logistic regression of the true range of the share; weights at least 0.

    Raises:
        ConfigError: there are too few defective pairs.
    """
    kept = [(pair.sizes, pair.found) for pair in pairs if pair.sizes is not None]
    if len(kept) < LEAST_PAIRS:
        raise ConfigError(f"{len(kept)} defective pairs are too few to weigh sizes; take more (-n 400).")
    near = -np.array([off(found, sizes.ranges) for sizes, found in kept])
    weights = _conditional(_logs([sizes.model for sizes, _ in kept]), near, [sizes.right for sizes, _ in kept])
    return SizeWeights(model=weights[0], map=weights[1])


def _logs(probabilities: Sequence[Sequence[float]]) -> Rows:
    logs: Rows = np.log(np.maximum(np.array(probabilities), SURE))
    return logs


def _conditional(one: Rows, other: Rows, truth: Sequence[int]) -> list[float]:
    """What two kinds of evidence, (cases, options) each, are worth for the true option of each case."""
    features = np.stack((one, other), axis=-1)
    at, right = np.arange(len(features)), np.array(truth)

    def loss(weights: Rows) -> tuple[float, Rows]:
        logs = log_softmax(features @ weights, axis=1)
        surplus = np.exp(logs)
        surplus[at, right] -= 1
        slope = np.einsum("np,npk->k", surplus, features) / len(features)
        return float(-logs[at, right].mean() + PENALTY * (weights**2).sum() / 2), slope + PENALTY * weights

    return _minimum(loss, [(0.0, LARGEST)] * 2)


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
    return LateFusion(
        one_reference=fit_detection(halves[0]),
        more_references=fit_detection(halves[1]),
        place=fit_places([*halves[0], *halves[1]]),
        type=fit_types([*halves[0], *halves[1]]),
        size=fit_sizes([*halves[0], *halves[1]]),
        fitted_on=f"{2 * (count // 2)} drawn pairs of the validation seeds, half with one reference, half with "
        f"{REFERENCES}",
    )


def write_fusion(fusion: LateFusion, directory: Path) -> Path:
    """Put the weights into a model directory, in one step.

    Raises:
        OutputError: they cannot be written.
    """
    path = directory / FILE
    write_atomic(path, fusion.model_dump_json(indent=2) + "\n")
    return path
