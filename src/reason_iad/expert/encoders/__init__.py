"""Encoders: frozen vision networks that turn a picture into feature maps. Each is one file here.

Another package registers its encoder with an entry point of the group `reason_iad.encoders` (docs/extending.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from reason_iad.errors import ConfigError
from reason_iad.expert.encoders.base import Encoder, FeatureMap, Scalable, deepest
from reason_iad.expert.encoders.model_directory import find_directory
from reason_iad.registry import BuiltIn, Registry

if TYPE_CHECKING:
    from reason_iad.expert.encoders.tower import HasTower

__all__ = [
    "ENCODERS",
    "Encoder",
    "FeatureMap",
    "Scalable",
    "check_encoder",
    "deepest",
    "make_encoder",
    "needs_model",
]

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


def make_encoder(name: str, model: HasTower | None, device: str = "cpu") -> Encoder:
    """An encoder by its name.

    Args:
        name: one of `ENCODERS`, the directory of a vision model of transformers, or the hub id of one that was
            downloaded before.
        model: the local model that answers, if there is one; 'tower' uses its vision tower, others may ignore it.
        device: where the encoder runs if there is no model; else it runs where the model does.

    Raises:
        ConfigError: there is none of that name, its package cannot be loaded, or it needs a model.
        ModelError: its weights are missing or broken.
    """
    check_encoder(name)
    if name in ENCODERS:
        return ENCODERS.get(name)(model)
    from reason_iad.expert.encoders.vision_model import open_vision_model

    return open_vision_model(name, "cpu" if model is None else model.version.device)


def needs_model(name: str) -> bool:
    """Whether an encoder needs the model that answers. One of another package may."""
    return name == "tower" or (name in ENCODERS and not ENCODERS.built_in(name))


def check_encoder(name: str) -> None:
    """Check that there is an encoder of that name, without loading it.

    Raises:
        ConfigError: there is none.
    """
    if name not in ENCODERS and find_directory(name) is None:
        raise ConfigError(f"{ENCODERS.unknown(name)} Or give the directory of a vision model.")
