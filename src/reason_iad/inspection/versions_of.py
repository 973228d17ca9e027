"""What made a result about a part of a known kind: versions and hashes."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from reason_iad.schema import ModelVersion, Versions

if TYPE_CHECKING:
    from reason_iad.config import InspectorConfig
    from reason_iad.expert.part_kind import PartKind

NO_MODEL = ModelVersion(name="no language model", family="none", sha256="", device="cpu", dtype="float32")


def versions_of(
    kind: PartKind, config: InspectorConfig, model: ModelVersion = NO_MODEL, knowledge: str | None = None
) -> Versions:
    """The versions of everything that had a part in a result.

    Args:
        kind: what parts are judged by.
        config: of the method.
        model: that was asked.
        knowledge: hash of what it was shown.
    """
    from reason_iad import __version__

    encoders = ":".join(encoder.sha256 for encoder in kind.expert.eyes.encoders)
    return Versions(
        package=__version__,
        torch=installed("torch"),
        transformers=installed("transformers"),
        model=model.model_copy(update={"encoder_sha256": encoders}),
        knowledge_sha256=knowledge,
        config_sha256=config.sha256(),
    )


@cache
def installed(package: str) -> str:
    """The version of a package. It is read once, since reading it takes several milliseconds."""
    from importlib.metadata import version

    return version(package)
