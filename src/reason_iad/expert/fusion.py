"""Late fusion: the model's answer and the anomaly map, weighed into one probability (METHOD section 5) [ours].

The model sees the part and the knowledge but misses small defects; the map sees every difference but not what it
means. A logistic regression on drawn parts says how much either is worth. What the map says is put so that it means
the same for every product: how far its largest distance stands out from what is usual.

The weights belong to a model, because its log odds and its patch features do: they lie in its directory as
`fusion.json`. A model without that file answers alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reason_iad.errors import ModelError
from reason_iad.expert.calibration import AnomalyMap
from reason_iad.schema import PLACES, Usual

FILE = "fusion.json"
LARGEST = 100_000
"""Bytes that the file may have."""
FLOOR = 1e-3
"""Cosine distance added before logarithms: two images may be the same to the last pixel."""
SURE = 1e-6
"""A model's probability counts as at least so far from 0 and 1."""

Weight = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
"""Never negative: more evidence must not make a defect less probable."""
Bias = Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class DetectionWeights(_Part):
    """P(defect) = sigmoid(bias + model * log odds of the model + map * `standing_out`)."""

    bias: Bias
    model: Weight
    map: Weight


class PlaceWeights(_Part):
    """P(place) is proportional to P_model(place)^model times (largest distance there / in the whole map)^map."""

    model: Weight
    map: Weight


class LateFusion(_Part):
    """The weights of one model, as `fusion.json` holds them.

    Attributes:
        one_reference: for maps calibrated on jittered copies of a single reference.
        more_references: for maps calibrated on references against each other.
        place: for the question where the defect is.
        fitted_on: what the weights were fitted on, for people.
    """

    format: Literal[1] = 1
    one_reference: DetectionWeights
    more_references: DetectionWeights
    place: PlaceWeights
    fitted_on: str = Field(max_length=1000)

    def probability(self, model: float, found: AnomalyMap) -> float:
        """Probability of a defect, in [0, 1].

        Args:
            model: the probability that the model itself gives to it, in [0, 1].
            found: the map.
        """
        weights = self.more_references if what_is_usual(found) == "references" else self.one_reference
        odds = weights.bias + weights.model * log_odds(model) + weights.map * standing_out(found)
        return 1 / (1 + math.exp(-odds)) if odds > -700 else math.exp(odds)

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
        logits = [self.place.model * math.log(max(p, SURE)) + self.place.map * there[i] for p, i in pairs]
        weighed: list[float] = torch.tensor(logits, dtype=torch.float64).softmax(0).tolist()
        return weighed


def log_odds(probability: float) -> float:
    """ln(p / (1 - p)), bounded."""
    bounded = min(max(probability, SURE), 1 - SURE)
    return math.log(bounded / (1 - bounded))


def standing_out(found: AnomalyMap) -> float:
    """How far the map stands out: ln of its largest distance over what is usual.

    What is usual, `what_is_usual` tells.
    """
    at = {"references": found.normal_peak, "median": float(found.distances.median())}
    return math.log((float(found.distances.max()) + FLOOR) / (at[what_is_usual(found)] + FLOOR))


def what_is_usual(found: AnomalyMap) -> Usual:
    """What the largest distance of a map is compared with.

    'references': the mean of the largest distances between them. A single one does not say how good parts differ,
    and neither do copies of one another, which lie nearer together than most of the query to them; there it is the
    'median' distance of the same map.
    """
    several = found.calibrated_on > 1 and found.normal_peak > float(found.distances.median())
    return "references" if several else "median"


def place_evidence(found: AnomalyMap) -> list[float]:
    """For each of the nine places: ln of the largest distance there over that of the whole map, at most 0."""
    rows, columns = found.distances.shape
    down, across = (((torch.arange(n) + 0.5) * 3 / n).long() for n in (rows, columns))
    place = (3 * down[:, None] + across[None, :]).flatten()
    largest = torch.zeros(len(PLACES)).scatter_reduce(0, place, found.distances.flatten().float().cpu(), "amax")
    evidence: list[float] = ((largest + FLOOR) / (largest.max() + FLOOR)).log().tolist()
    return evidence


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
