"""The defect expert: how a picture differs from good parts (METHOD section 4).

Encoders (`encoders/`) turn pictures into feature maps, detectors (`detectors/`) score pictures against good ones,
and the files beside them compare, calibrate and register. It knows pictures and feature maps, not language models.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reason_iad.expert.calibration import AnomalyMap, Expert, build_expert

__all__ = ["AnomalyMap", "Expert", "build_expert"]


def __getattr__(name: str) -> object:
    """Import what is asked for, so that a contract of the room costs no torch."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("reason_iad.expert.calibration"), name)
