"""Encoders: frozen vision networks that turn a picture into feature maps. Each is one file here.

Another package registers its encoder with an entry point of the group `reason_iad.encoders` (docs/extending.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from reason_iad.expert.encoders.base import Encoder, FeatureMap, Scalable, deepest
from reason_iad.registry import BuiltIn, Registry

if TYPE_CHECKING:
    from reason_iad.expert.encoders.tower import HasTower

__all__ = ["ENCODERS", "Encoder", "FeatureMap", "Scalable", "deepest", "make_encoder"]

ENCODERS: Registry[Callable[[HasTower | None], Encoder]] = Registry(
    "encoder",
    {
        "tower": BuiltIn(
            "reason_iad.expert.encoders.tower:TowerEncoder", "the vision tower of the model that answers"
        ),
        "efficientnet_lite0": BuiltIn(
            "reason_iad.expert.encoders.efficientnet_lite0:make", "a small network trained on ImageNet"
        ),
    },
)
"""Name to the function or class that makes the encoder. It is given the model, and need not use it."""


def make_encoder(name: str, model: HasTower | None) -> Encoder:
    """An encoder by its name.

    Args:
        name: one of `ENCODERS`.
        model: the local model that answers, if there is one; 'tower' uses its vision tower, others may ignore it.

    Raises:
        ConfigError: there is none of that name, its package cannot be loaded, or it needs a model.
        ModelError: its weights are missing or broken.
    """
    return ENCODERS.get(name)(model)
