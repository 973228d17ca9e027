"""Encoders: frozen vision networks that turn a picture into feature maps. Each is one file here.

Another package registers its encoder with an entry point of the group `reason_iad.encoders` (docs/extending.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from reason_iad.expert.encoders.base import Encoder, FeatureMap, deepest
from reason_iad.registry import BuiltIn, Registry

if TYPE_CHECKING:
    from reason_iad.expert.encoders.tower import HasTower

__all__ = ["ENCODERS", "Encoder", "FeatureMap", "deepest", "make_encoder"]

ENCODERS: Registry[Callable[[HasTower], Encoder]] = Registry(
    "encoder",
    {
        "tower": BuiltIn(
            "reason_iad.expert.encoders.tower:TowerEncoder", "the vision tower of the model that answers"
        )
    },
)
"""Name to the function or class that makes the encoder. It is given the model, and need not use it."""


def make_encoder(name: str, model: HasTower) -> Encoder:
    """An encoder by its name.

    Args:
        name: one of `ENCODERS`.
        model: the local model that answers; 'tower' uses its vision tower, others may ignore it.

    Raises:
        ConfigError: there is none of that name, or its package cannot be loaded.
    """
    return ENCODERS.get(name)(model)
