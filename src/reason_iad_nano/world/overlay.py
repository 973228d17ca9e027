"""What a defect expert would draw on a picture: right, weak, noisy or wrong, as experts are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from reason_iad.expert.brushes.drawing import smoothed
from reason_iad_nano.world.types import Pixels, Sample

Heat = npt.NDArray[np.float32]
"""(S, S) in [0, 1]."""
RIGHT, WEAK, NOISY = 0.55, 0.15, 0.15
"""Shares of maps that are right, right but faint, and right among noise; the rest are wrong."""
TINT = np.array([255.0, 40.0, 0.0], np.float32)
STRENGTH = 0.55
"""Share of the tint where the map is 1."""
_STREAM = 77  # keeps the map's draws apart from the sample's


def simulate_map(sample: Sample) -> Heat:
    """A calibrated anomaly map of a sample, a pure function of the sample.

    A right map is the blurred mask, and empty on a good part. A weak one is faint, a noisy one has other spots too,
    a wrong one shows a spot somewhere, whatever the part is like.
    """
    rng = np.random.default_rng([sample.seed, _STREAM])
    high, wide = sample.mask.shape
    size = max(high, wide)
    kind = rng.random()
    truth = _blur(sample.mask.astype(np.float32), size * rng.uniform(0.015, 0.04))
    if kind < RIGHT:
        return _scaled(truth, rng.uniform(0.7, 1.0))
    if kind < RIGHT + WEAK:
        return _scaled(truth, rng.uniform(0.15, 0.4))
    dots = np.zeros((high, wide), np.float32)
    for _ in range(int(rng.integers(1, 4))):
        dots[int(rng.integers(high)), int(rng.integers(wide))] = 1.0
    spots = _blur(dots, size * rng.uniform(0.02, 0.05))
    if kind < RIGHT + WEAK + NOISY:
        mixed: Heat = np.maximum(truth, _scaled(spots, rng.uniform(0.2, 0.6)))
        return mixed
    return _scaled(spots, rng.uniform(0.6, 1.0))


def draw_overlay(sample: Sample) -> Pixels:
    """The query with its simulated map drawn on it, (S, S, 3) uint8."""
    return tint(sample.query, simulate_map(sample))


def tint(picture: Pixels, heat: Heat) -> Pixels:
    """Draw a map on a picture in red.

    Args:
        picture: (S, S, 3) uint8.
        heat: (S, S) in [0, 1].
    """
    share = heat[..., None] * STRENGTH
    drawn: Pixels = (picture * (1 - share) + TINT * share).astype(np.uint8)
    return drawn


def _scaled(heat: Heat, factor: float) -> Heat:
    result: Heat = heat * np.float32(factor)
    return result


def _blur(field: Heat, sigma: float) -> Heat:
    """Blurred, its peak brought back to 1; all zeros stay so."""
    soft = smoothed(field, sigma)
    peak = float(soft.max())
    return _scaled(soft, 1 / peak) if peak > 0 else soft
