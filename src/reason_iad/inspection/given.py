"""What an `Inspector` is given: another type than it takes is refused in one sentence."""

from __future__ import annotations

import os

from reason_iad.config import InspectorConfig
from reason_iad.errors import ConfigError, given_type
from reason_iad.schema.verdict import OperatingPoint


def config_of(config: object) -> InspectorConfig:
    """The configuration; None: the default one.

    Raises:
        ConfigError: it is something else.
    """
    if config is None:
        return InspectorConfig()
    if not isinstance(config, InspectorConfig):
        raise ConfigError(
            f"The configuration is given as {given_type(config)}. Write it as InspectorConfig(...), for example "
            "InspectorConfig(method='full')."
        )
    return config


def check_given(model: object, knowledge: object, gallery: object, operating_point: object) -> None:
    """Refuse names and paths in place of what is loaded from them.

    Raises:
        ConfigError: there is one, or something else that is not taken.
    """
    if not hasattr(model, "version"):
        name = os.fspath(model) if isinstance(model, str | os.PathLike) else "nano"
        raise ConfigError(
            f"Inspector(...) takes a model that is loaded, not {given_type(model)}. To load one, write "
            f"Inspector.from_pretrained({name!r})."
        )
    if knowledge is not None and not hasattr(knowledge, "categories"):
        raise ConfigError(
            f"Inspector(...) takes knowledge that is open, not {given_type(knowledge)}. To open it, write "
            "Inspector.from_pretrained(..., knowledge='FOLDER')."
        )
    if gallery is not None and not hasattr(gallery, "classify"):
        raise ConfigError(
            f"Inspector(...) takes a gallery that is open, not {given_type(gallery)}. To open it, write "
            "Inspector.from_pretrained(..., gallery='FOLDER')."
        )
    if operating_point is not None and not isinstance(operating_point, OperatingPoint):
        raise ConfigError(
            f"The operating point is given as {given_type(operating_point)}. Give an OperatingPoint, or set "
            "InspectorConfig(threshold=...)."
        )
