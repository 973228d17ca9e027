"""Fit late fusion (`expert/fusion.py`) on drawn parts: how much the model's answer and the anomaly map are worth.

Runs after training and needs no gradients: one pass of the finished model over pairs of the validation seeds, which
it never learned from and no table is measured on. Half of them come with one reference, half with several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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
    log_odds,
    place_evidence,
    standing_out,
)
from reason_iad.files import write_atomic
from reason_iad.nano.facts import facts_of
from reason_iad.nano.pairs import Purpose, draw, kind_index
from reason_iad.nano.world.types import Size
from reason_iad.schema import PLACES

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


@dataclass(frozen=True, slots=True)
class Weighable:
    """One pair as fusion sees it.

    Attributes:
        model: the model's own probability of a defect.
        places: its probability of each of the nine places; None for a good part.
        found: the map.
        defective: the truth.
        place: index of the true place; None for a good part.
    """

    model: float
    places: tuple[float, ...] | None
    found: AnomalyMap
    defective: bool
    place: int | None


def weighables(backbone: Backbone, purpose: Purpose, count: int, references: int) -> Iterator[Weighable]:
    """Pairs through the product's `Inspector`, without knowledge and without the reasoning loop.

    Args:
        backbone: the model.
        purpose: which seeds.
        count: number of pairs.
        references: good pictures of each.
    """
    from PIL import Image

    from reason_iad.config import InspectorConfig
    from reason_iad.examination import Examination
    from reason_iad.prompt import detection_question, place_question
    from reason_iad.workbench import Workbench

    bench = Workbench(backbone, None, InspectorConfig(method="direct", fuse=False), None)
    for number in range(count):
        sample = draw(number, purpose, DRAWN_SIZES[number % len(DRAWN_SIZES)], references)
        facts = facts_of(sample, kind_index())
        pictures = [Image.fromarray(pixels) for pixels in sample.references]
        look = Examination(bench, Image.fromarray(sample.query), pictures, None)
        assert look.map is not None
        probability = look.ask(detection_question()).probabilities["A"]
        places = tuple(look.ask(place_question()).probabilities.values()) if facts.defective else None
        place = PLACES.index(facts.main.place) if facts.defective else None
        yield Weighable(probability, places, look.map, facts.defective, place)


def fit_detection(pairs: Sequence[Weighable]) -> DetectionWeights:
    """Logistic regression of the truth on the model's log odds and how far the map stands out; weights at least 0.

    Raises:
        ConfigError: there are too few pairs, or only good or only defective ones.
    """
    labels = np.array([pair.defective for pair in pairs], dtype=np.float64)
    if len(pairs) < LEAST_PAIRS or labels.min() == labels.max():
        raise ConfigError(f"{len(pairs)} pairs are too few to weigh model and map; take more (-n 400).")
    rows = np.array([(1.0, log_odds(pair.model), standing_out(pair.found)) for pair in pairs])

    def loss(weights: Rows) -> tuple[float, Rows]:
        signs = 1 - 2 * labels
        margins = signs * (rows @ weights)
        slope = signs / (1 + np.exp(-np.clip(margins, -50, 50)))
        penalty = PENALTY * weights * np.array([0.0, 1.0, 1.0])
        value = np.logaddexp(0, margins).mean() + (penalty * weights).sum() / 2
        return float(value), rows.T @ slope / len(labels) + penalty

    bias, model, found = _minimum(loss, [(-LARGEST, LARGEST), *[(0.0, LARGEST)] * 2])
    return DetectionWeights(bias=bias, model=model, map=found)


def fit_places(pairs: Sequence[Weighable]) -> PlaceWeights:
    """Conditional logistic regression of the true place; weights at least 0.

    Raises:
        ConfigError: there are too few defective pairs.
    """
    kept = [(pair.places, pair.place, pair.found) for pair in pairs if pair.places is not None]
    if len(kept) < LEAST_PAIRS:
        raise ConfigError(f"{len(kept)} defective pairs are too few to weigh places; take more (-n 400).")
    truth = np.array([place for _, place, _ in kept])
    model = np.log(np.maximum(np.array([places for places, _, _ in kept]), SURE))
    there = np.array([place_evidence(found) for _, _, found in kept])
    features = np.stack((model, there), axis=-1)  # (pairs, places, 2)
    at = np.arange(len(kept))

    def loss(weights: Rows) -> tuple[float, Rows]:
        logs = log_softmax(features @ weights, axis=1)
        surplus = np.exp(logs)
        surplus[at, truth] -= 1
        slope = np.einsum("np,npk->k", surplus, features) / len(kept)
        return float(-logs[at, truth].mean() + PENALTY * (weights**2).sum() / 2), slope + PENALTY * weights

    weights = _minimum(loss, [(0.0, LARGEST)] * 2)
    return PlaceWeights(model=weights[0], map=weights[1])


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
