"""Errors a user can act on: one sentence that says what is wrong with the input and what to do about it.

Everything that can go wrong at a boundary (a file, a model directory, a knowledge file, an option) is raised as
a subclass of `ReasonIADError`. The command line prints its message without a traceback; library users can catch
the one base class. Programming errors stay ordinary exceptions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


def did_you_mean(word: str, known: Iterable[str], *, most: int = 3, shown: Mapping[str, str] | None = None) -> str:
    """A suggestion to end a message with: ' Did you mean 'pcb'?', or '' if no name is close to the word.

    Args:
        word: what was given; case and accents do not count.
        known: the names that would have been right.
        most: at most so many names are suggested.
        shown: what is suggested for each of them; None: the name itself.
    """
    from difflib import get_close_matches

    names: dict[str, list[str]] = {}
    for name in known:
        names.setdefault(_roughly(name), []).append(name if shown is None else shown[name])
    found = (name for match in get_close_matches(_roughly(word), names, n=most) for name in names[match])
    near = [f"'{name}'" for name in dict.fromkeys(found)][:most]
    if not near:
        return ""
    return f" Did you mean {', '.join(near[:-1])} or {near[-1]}?" if near[1:] else f" Did you mean {near[0]}?"


def _roughly(name: str) -> str:
    """A name without case, accents and other marks: how near two spellings are, not whether they are one."""
    import unicodedata

    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold())
    return "".join(character for character in plain if not unicodedata.combining(character))


def nearest_file(path: Path) -> str:
    """The same for a path that does not exist: the nearest names in its folder.

    A folder that cannot be read, or with more than 10,000 files, gives no suggestion.
    """
    from itertools import islice

    try:
        names = [entry.name for entry in islice(path.parent.iterdir(), 10_001)]
    except (OSError, ValueError):
        return ""
    printable = [name for name in names if name.isprintable()]
    return did_you_mean(path.name, printable) if len(names) <= 10_000 else ""


def given_type(value: object) -> str:
    """The type of a value, as a message names it: 'None', 'a dict', 'an int'."""
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeioAEIO' else 'a'} {name}"


class ReasonIADError(Exception):
    """Base of every error that is the input's fault and that the user can correct."""


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


class MemoryBankError(ReasonIADError):
    """A saved memory of good images is damaged, or was built with another encoder."""


class ProductError(ReasonIADError):
    """A product is missing, damaged, or cannot be changed as asked."""


class ServiceError(ReasonIADError):
    """The service cannot do what it was asked for: its database, its data folder or a worker is in the way."""


class MissingExtraError(ReasonIADError):
    """An optional dependency is needed.

    Args:
        feature: what was asked for, as the user would say it.
        extra: the extra that brings it, as in `pip install 'reason-iad[extra]'`.
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an optional dependency; run: pip install 'reason-iad[{extra}]'")
