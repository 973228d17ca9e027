"""Errors a user can act on: one sentence that names the input and the mend.

Everything that can go wrong at a boundary (a file, a model directory, a knowledge file, an option) is raised as
a subclass of `ReasonIADError`. The command line prints its message without a traceback; library users can catch
the one base class. Programming errors stay ordinary exceptions.
"""

from __future__ import annotations


class ReasonIADError(Exception):
    """Base of every error that is the input's fault and that the user can mend."""


class ImageError(ReasonIADError):
    """An image is missing, unreadable, too small, too large, or not an image."""


class ModelError(ReasonIADError):
    """A model directory or hub id cannot be loaded, or cannot do what was asked of it."""


class KnowledgeError(ReasonIADError):
    """A knowledge file or store is missing, empty or malformed."""


class ConfigError(ReasonIADError):
    """An option or a configuration value is out of its range."""


class PromptError(ReasonIADError):
    """A prompt does not fit the model's context window, or a question is malformed."""


class DatasetError(ReasonIADError):
    """A dataset, a questions file or a benchmark run is missing, empty or malformed."""


class OutputError(ReasonIADError):
    """A result file cannot be written; nothing half-written is left behind."""


class MissingExtraError(ReasonIADError):
    """An optional dependency is needed.

    Args:
        feature: what was asked for, as the user would say it.
        extra: the extra that brings it, as in `pip install 'reason-iad[extra]'`.
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an optional dependency; run: pip install 'reason-iad[{extra}]'")
