"""A verdict by any detector: what it says of a picture, against what it says of good parts [ours].

The detector's map takes the place of the patches' distances. What is usual comes from the good parts: each is left
out and scored by a detector that saw the others. A single good part cannot be left out, so slightly changed copies
of it are scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from reason_iad.errors import ConfigError
from reason_iad.expert.calibration import AnomalyMap, Expert, Usual, calibrated
from reason_iad.expert.jitter import jittered_copies
from reason_iad.images import load_image

if TYPE_CHECKING:
    from reason_iad.expert.cache import ReferenceCache
    from reason_iad.expert.detectors.base import Detector, Fitted
    from reason_iad.images import LoadedImage

ROUNDING = 1e-4
"""A value that is so little below 0 is 0: distances are rounded."""


def compare_by(
    detector: Detector, image: LoadedImage, references: Sequence[LoadedImage], cache: ReferenceCache
) -> AnomalyMap:
    """How a picture differs from good parts, as a detector sees it.

    Args:
        detector: any.
        image: the inspected picture.
        references: good parts, at least one.
        cache: keeps what the detector says of the good parts.

    Raises:
        ConfigError: the detector's map has another shape, values that are no finite numbers, or values below 0,
            which cannot be compared with what is usual.
    """
    key = ":".join([detector.name, *(reference.key for reference in references)])
    usual = cache.usual.get(key, lambda: _usual(detector, references))
    fitted = cache.fitted.get(key, lambda: detector.fit(references))
    raw = _map(detector, fitted, image)
    return calibrated(raw, usual.expert.residuals, len(references))


def _usual(detector: Detector, references: Sequence[LoadedImage]) -> Usual:
    """What the detector says of good parts."""
    if len(references) == 1:
        fitted = detector.fit(references)
        copies = [load_image(copy) for copy in jittered_copies(references[0].whole)]
        maps = [_map(detector, fitted, copy) for copy in copies]
    else:
        maps = [
            _map(detector, detector.fit([*references[:at], *references[at + 1 :]]), reference)
            for at, reference in enumerate(references)
        ]
    return Usual(Expert((), tuple(maps), len(references)), None)


def _map(detector: Detector, fitted: Fitted, image: LoadedImage) -> torch.Tensor:
    values = np.asarray(fitted.score(image).map)
    if values.ndim != 2 or values.size == 0 or values.dtype.kind not in "fiu":
        raise _unusable(
            detector, f"a map of shape {values.shape} and type {values.dtype} instead of rows and columns"
        )
    if not np.isfinite(values).all():
        raise _unusable(detector, "a map in which some values are no finite numbers")
    if float(values.min()) < -ROUNDING:
        raise _unusable(detector, "values below 0")
    return torch.from_numpy(values.astype(np.float32)).clamp_min(0)


def _unusable(detector: Detector, what: str) -> ConfigError:
    return ConfigError(
        f"The detector '{detector.name}' gives {what}, so no verdict can rest on it; choose another."
    )
