"""A map that means something: calibrated against normal variation, and silent when it cannot tell.

theta_low is the 0.99 quantile of normal-against-normal residuals, theta_high = theta_low + 3 (theta_low - median);
the map is clipped between them to [0, 1]. The coherence gate compares the largest connected region above theta_low
with the same on normals: a map that fails it may say where, but not whether (METHOD section 4).

Normal-against-normal needs two references. With one [ours], the residuals come from jittered copies of it. Jitter
knows nothing of the variation between two parts, so they are scaled up some of the way to the query's own median.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from reason_iad.errors import ConfigError
from reason_iad.expert.connected import connected
from reason_iad.expert.distance import Residuals, residual_map
from reason_iad.expert.encoders.base import FeatureMap

QUANTILE = 0.99
AREA_SLACK = 0.01
ONE_REFERENCE = 0.25
"""Exponent of that scale. Chosen among 0, 1/4, 1/2, 3/4 and 1 on 80 drawn parts with an early tower: 1/4 kept
the gate's false alarms below a tenth (0.08; 0.18 at 0) without silencing it (it passed 0.39 of the defects, 0.10
at 1)."""
LEAST_RESIDUAL = 0.01
"""Cosine distance below which nothing counts as different: references may be copies of one another [ours]."""
RADIUS = 0.15
"""References show the part in about the same place: a patch is compared within 15 % of the image side [ours]."""


@dataclass(frozen=True, slots=True, eq=False)
class AnomalyMap:
    """A calibrated map of one image; two are the same only if they are one.

    Attributes:
        values: (rows, columns) in [0, 1].
        distances: (rows, columns), the cosine distances it was made from, in [0, 2].
        normal_peak: mean of the largest distances of normals against normals.
        gate_passed: whether the map may speak about there being a defect.
        area: share of the image that the largest connected region above theta_low covers.
        calibrated_on: number of references.
        pixels: (h, w) float32 grey levels by which pixels differ from the references (`template.py`), or None.
        normal_pixels: mean of the largest such differences of normals against normals; None with one reference.
    """

    values: torch.Tensor
    distances: torch.Tensor
    normal_peak: float
    gate_passed: bool
    area: float
    calibrated_on: int
    pixels: npt.NDArray[np.float32] | None = None
    normal_pixels: float | None = None

    def on_grid(self, rows: int, columns: int) -> torch.Tensor:
        """The map on another grid, (rows * columns,): the largest value that falls into each cell."""
        pooled = torch.nn.functional.adaptive_max_pool2d(self.values[None, None], (rows, columns))
        return pooled.flatten()


@dataclass(frozen=True, slots=True)
class Expert:
    """Calibrated on normal references; compares one query at a time.

    Attributes:
        normals: their features.
        residuals: normal-against-normal residual maps.
        calibrated_on: number of real references among them.
    """

    normals: tuple[FeatureMap, ...]
    residuals: tuple[torch.Tensor, ...]
    calibrated_on: int

    def beside(self, normals: Sequence[FeatureMap]) -> Expert:
        """The same calibration, with references as they are laid for one image."""
        return replace(self, normals=tuple(normals))

    def inspect(self, query: FeatureMap, shown: npt.NDArray[np.bool_] | None = None) -> AnomalyMap:
        """The calibrated map of a query image.

        Args:
            query: its features.
            shown: (rows, columns) where some reference shows it; None: everywhere. Elsewhere nothing is compared,
                and nothing stands out.
        """
        raw = where_shown(residual_map(query, self.normals, RADIUS), shown)
        return calibrated(raw, self.residuals, self.calibrated_on)


class Usual(NamedTuple):
    """How much good parts differ: by patches, and by pixels (None for a single one)."""

    expert: Expert
    pixels: float | None


class Apart(NamedTuple):
    """How a good part differs from others: patch by patch, and by how much its most different pixel does."""

    patches: Residuals
    pixels: float | None


def calibrated(raw: torch.Tensor, residuals: Sequence[torch.Tensor], calibrated_on: int) -> AnomalyMap:
    """A map against what is usual.

    Args:
        raw: (rows, columns), at least 0: how far each place is from normal.
        residuals: the same of normals against normals, at least one.
        calibrated_on: number of real references among them.
    """
    normal = torch.cat([residual.flatten() for residual in residuals])
    scale = 1.0
    if calibrated_on == 1:
        scale = max(1.0, float(raw.median()) / max(float(normal.median()), 1e-6)) ** ONE_REFERENCE
    low = max(float(normal.quantile(QUANTILE)) * scale, LEAST_RESIDUAL)
    high = low + max(3 * (low - float(normal.median()) * scale), LEAST_RESIDUAL)
    values = ((raw - low) / (high - low)).clamp(0, 1).cpu()
    area = largest_region(values > 0)
    normal_areas = torch.tensor([largest_region(residual * scale > low) for residual in residuals])
    gate = area > float(normal_areas.quantile(QUANTILE)) + AREA_SLACK
    peak = sum(float(residual.max()) for residual in residuals) / len(residuals)
    return AnomalyMap(values, raw.cpu(), peak, gate, area, calibrated_on)


def where_shown(raw: torch.Tensor, shown: npt.NDArray[np.bool_] | None) -> torch.Tensor:
    """Distances (rows, columns), of at most their median where the image is not shown by any reference."""
    if shown is None or shown.all() or not shown.any():
        return raw
    seen = torch.from_numpy(shown).to(raw.device)
    return torch.where(seen, raw, raw.clamp(max=float(raw[seen].median())))


def build_expert(
    normals: Sequence[FeatureMap],
    jittered: Sequence[FeatureMap] = (),
    laid: Sequence[FeatureMap] | None = None,
) -> Expert:
    """Calibrate on normal references.

    Args:
        normals: features of at least one reference.
        jittered: features of slightly changed copies of it; needed when there is only one.
        laid: features of several references laid alike, which say how much good parts differ; None: `normals` do.

    Raises:
        ConfigError: there is nothing to calibrate on.
    """
    if not normals or (len(normals) == 1 and not jittered):
        raise ConfigError("The defect expert needs at least two references, or one and jittered copies of it.")
    if len(normals) == 1:
        residuals = [residual_map(copy, normals, RADIUS) for copy in jittered]
    else:
        residuals = [
            residual_map(one, [other for j, other in enumerate(laid or normals) if j != i], RADIUS)
            for i, one in enumerate(laid or normals)
        ]
    return Expert(tuple(normals), tuple(residuals), len(normals))


def largest_region(above: torch.Tensor) -> float:
    """Share of the image covered by the largest 8-connected region of a (rows, columns) mask, in [0, 1]."""
    labels, count = connected(above.cpu().numpy())
    return float(np.bincount(labels.ravel())[1:].max() / labels.size) if count else 0.0
