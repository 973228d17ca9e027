"""Many images, one after another: one outcome per image, in order, and a failed image never stops the others."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from reason_iad.errors import ReasonIADError
from reason_iad.images import printable
from reason_iad.schema import SCHEMA_VERSION, Inspection, Record

log = logging.getLogger(__name__)


class Failure(Record):
    """An image that could not be inspected. Its line in a log is replaced when the run is resumed."""

    schema_version: str = SCHEMA_VERSION
    image: str
    error: str


Outcome = Inspection | Failure


class Inspecting(Protocol):
    """The part of `Inspector` that a batch needs."""

    def inspect(
        self,
        image: Path,
        *,
        references: Sequence[Path] = (),
        category: str | None = None,
        question: str | None = None,
    ) -> Inspection:
        """Inspect one image."""
        ...


def inspect_many(
    inspector: Inspecting,
    paths: Iterable[Path],
    *,
    references: Sequence[Path] = (),
    category: str | None = None,
    question: str | None = None,
) -> Iterator[Outcome]:
    """Inspect images lazily, in order; yields one outcome per path.

    The image of an outcome is named by its path as given, so that images of the same file name stay apart.
    """
    for path in paths:
        name = printable(path)
        try:
            result = inspector.inspect(path, references=references, category=category, question=question)
        except ReasonIADError as error:
            yield Failure(image=name, error=str(error))
        except Exception as error:  # a bug met on one image must not cost the results of the others
            log.debug("inspecting '%s'", name, exc_info=True)
            yield Failure(image=name, error=f"Internal error: {type(error).__name__}: {error}")
        else:
            yield named(result, path)


def named(result: Inspection, path: Path) -> Inspection:
    """The same result, its image named by the path as given instead of by the file's name."""
    image = result.image.model_copy(update={"name": printable(path)})
    return result.model_copy(update={"image": image})
