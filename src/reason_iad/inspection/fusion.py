"""Late fusion: the model's answer and the anomaly map, weighed into one probability (METHOD section 5) [ours].

The model sees the part and the knowledge but misses small defects; the comparison with good parts sees every
difference but not what it means. So the model looks twice, at the whole part and closer at the most suspicious
place (`closer.py`), and a logistic regression on drawn parts says how much each is worth. What the comparison says
is put so that it means the same for every product: how far that place stands out from what is usual
(`suspicion.py`).

The weights belong to a model, because its log odds and its patch features do: they lie in its directory as
`fusion.json`. A model without that file answers alone.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reason_iad.errors import ModelError
from reason_iad.expert.calibration import AnomalyMap
from reason_iad.expert.extent import covered
from reason_iad.expert.suspicion import place_evidence, standing_out, suspicion, what_is_usual
from reason_iad.schema import PLACES, SIZE_LIMITS

FILE = "fusion.json"
LARGEST = 100_000
"""Bytes that the file may have."""
SURE = 1e-6
"""A model's probability counts as at least so far from 0 and 1."""

HEAT_SIDE = 32
"""Rows and columns of the map that is kept as evidence, at most."""
FARTHEST = 3.0
"""Nothing is farther off than this: a share may be wrong by any factor."""

Range = tuple[float, float]
"""Limits of a share of the image, each in [0, 1]."""
Weight = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
"""Never negative: more evidence must not make a defect less probable."""
Bias = Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class DetectionWeights(_Part):
    """P(defect) = sigmoid(bias + model and closer * log odds of the model's two looks + map * `standing_out`)."""

    bias: Bias
    model: Weight
    closer: Weight
    map: Weight


class PlaceWeights(_Part):
    """P(place) is proportional to P_model(place)^model times (share of the suspicious region there)^map."""

    model: Weight
    map: Weight


class TypeWeights(_Part):
    """P(type) is proportional to P_model(type)^model times P_closer(type)^closer, and where the pixels say what
    changed, times P_described(type)^described."""

    model: Weight
    closer: Weight
    described: Weight = 0.0


class SizeWeights(_Part):
    """P(range) is proportional to P_model(range)^model times exp(-map * `off`)."""

    model: Weight
    map: Weight


Floor = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Floors(_Part):
    """How probable a type, a place or a size has to be for an explanation to name it (`claims.py`).

    None: the most probable is named alone, as there were too few pairs to tell.
    """

    type: Floor | None = None
    place: Floor | None = None
    size: Floor | None = None


class LateFusion(_Part):
    """The weights of one model, as `fusion.json` holds them.

    Attributes:
        one_reference: for maps calibrated on jittered copies of a single reference.
        more_references: for maps calibrated on references against each other.
        place: for the question where the defect is.
        type: for the question which it is.
        size: for the question how much of the image it covers.
        floors: what an explanation names.
        fitted_on: what the weights were fitted on, for people.
    """

    format: Literal[3] = 3
    one_reference: DetectionWeights
    more_references: DetectionWeights
    place: PlaceWeights
    type: TypeWeights
    size: SizeWeights
    floors: Floors
    fitted_on: str = Field(max_length=1000)

    def probability(self, model: float, closer: float, found: AnomalyMap) -> float:
        """Probability of a defect, in [0, 1].

        Args:
            model: the probability that the model gives to it, seeing the whole part, in [0, 1].
            closer: the same at a closer look.
            found: the map.
        """
        weights = self._detection(found)
        looks = weights.model * log_odds(model) + weights.closer * log_odds(closer)
        odds = weights.bias + looks + weights.map * standing_out(found)
        return 1 / (1 + math.exp(-odds)) if odds > -700 else math.exp(odds)

    def heat(self, found: AnomalyMap) -> torch.Tensor:
        """What each place of the map says for a defect: (rows, columns) in [0, 1].

        0 where no more differs than is usual; 1 where that alone, were both looks undecided, is surely a defect.
        Where the map is larger than `HEAT_SIDE` each way, a cell has the largest value in it.
        """
        weights = self._detection(found)
        usual = torch.sigmoid(torch.tensor(weights.bias))
        whole = torch.sigmoid(weights.bias + weights.map * suspicion(found))
        whole = ((whole - usual) / (1 - usual).clamp_min(SURE)).clamp_min(0)
        rows, columns = (min(side, HEAT_SIDE) for side in whole.shape)
        return torch.nn.functional.adaptive_max_pool2d(whole[None], (rows, columns))[0]

    def _detection(self, found: AnomalyMap) -> DetectionWeights:
        return self.more_references if what_is_usual(found) == "references" else self.one_reference

    def places(
        self, model: Sequence[float], found: AnomalyMap, places: Sequence[int] = range(len(PLACES))
    ) -> list[float]:
        """Probability of each of some places; sums to 1.

        Args:
            model: the probability that the model itself gives to each of them.
            found: the map.
            places: which of the nine `PLACES` they are.
        """
        there = place_evidence(found)
        pairs = zip(model, places, strict=True)
        return _shares([self.place.model * _log(p) + self.place.map * there[i] for p, i in pairs])

    def types(
        self, model: Sequence[float], closer: Sequence[float], described: Sequence[float] | None = None
    ) -> list[float]:
        """Probability of each of some types; sums to 1.

        Args:
            model: the probability that the model gives to each of them, seeing the whole part.
            closer: the same at a closer look.
            described: the same by what the pixels say changed; None where they say nothing.
        """
        weights = self.type
        looks = zip(model, closer, described or [1.0] * len(model), strict=True)
        return _shares(
            [
                weights.model * _log(whole) + weights.closer * _log(near) + weights.described * _log(read)
                for whole, near, read in looks
            ]
        )

    def sizes(self, model: Sequence[float], found: AnomalyMap, ranges: Sequence[Range]) -> list[float]:
        """Probability of each of some ranges of the share that a defect covers; sums to 1.

        Args:
            model: the probability that the model itself gives to each of them.
            found: the map.
            ranges: their limits, shares of the image.
        """
        away = off(covered(found), ranges)
        pairs = zip(model, away, strict=True)
        return _shares([self.size.model * _log(p) - self.size.map * distance for p, distance in pairs])

    def size_alone(self, share: float) -> list[float]:
        """Probability of each of the four `SIZES` by the share of the image that differs alone; sums to 1."""
        limits = (0.0, *SIZE_LIMITS, 1.0)
        return _shares([-self.size.map * distance for distance in off(share, list(pairwise(limits)))])


def off(share: float | None, ranges: Sequence[Range]) -> list[float]:
    """How far each range is from the share that differs: 0 inside it, else |ln| of the ratio to its nearer limit.

    At most `FARTHEST`; 0 for all where the share cannot be told.
    """
    if share is None:
        return [0.0] * len(ranges)
    below = [math.log(low / share) if share < low else 0.0 for low, _ in ranges]
    above = [math.log(share / high) if share > high else 0.0 for _, high in ranges]
    return [min(max(pair), FARTHEST) for pair in zip(below, above, strict=True)]


def _log(probability: float) -> float:
    return math.log(max(probability, SURE))


def _shares(logits: Sequence[float]) -> list[float]:
    shares: list[float] = torch.tensor(logits, dtype=torch.float64).softmax(0).tolist()
    return shares


def log_odds(probability: float) -> float:
    """ln(p / (1 - p)), bounded."""
    bounded = min(max(probability, SURE), 1 - SURE)
    return math.log(bounded / (1 - bounded))


def fusion_sha256(directory: Path) -> str | None:
    """SHA-256 of the weights in a model directory; None if it has none."""
    path = directory / FILE
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def load_fusion(directory: Path) -> LateFusion | None:
    """The weights in a model directory; None if it has none.

    Raises:
        ModelError: the file is not what `reason-iad nano fuse` writes.
    """
    path = directory / FILE
    if not path.exists():
        return None
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError("the file is too large")
        return LateFusion.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise ModelError(
            f"{FILE} in '{directory.name}' cannot be used ({why}); write it again with `reason-iad nano fuse`, "
            "or delete it."
        ) from error
