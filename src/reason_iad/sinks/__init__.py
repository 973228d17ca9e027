"""Sinks: where the outcomes of inspections go. Each is one file here.

Another package registers its sink with an entry point of the group `reason_iad.sinks` (docs/extending.md).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from reason_iad.errors import OutputError, ReasonIADError
from reason_iad.registry import BuiltIn, Registry
from reason_iad.sinks.base import Sink

if TYPE_CHECKING:
    from reason_iad.inspection.many import Outcome

__all__ = ["SINKS", "Sink", "open_sink", "open_sinks"]

log = logging.getLogger(__name__)

SINKS: Registry[Callable[[str], Sink]] = Registry(
    "sink",
    {"jsonl": BuiltIn("reason_iad.sinks.jsonl:JsonLines", "one JSON line per image, added to a file: jsonl:FILE")},
)
"""Name to the function or class that makes the sink. It is given the text after the colon, '' without one."""


def open_sink(spec: str) -> Sink:
    """Make a sink from its name and its target.

    Args:
        spec: 'NAME' or 'NAME:TARGET', such as 'jsonl:results.jsonl'. What the target is depends on the sink.

    Raises:
        ConfigError: there is no sink of that name, its package cannot be loaded, or it cannot use the target.
        OutputError: the target cannot be written to.
    """
    name, _, target = spec.partition(":")
    make = SINKS.get(name)
    with _named(name):
        return make(target)


@contextmanager
def open_sinks(specs: Iterable[str]) -> Iterator[Callable[[Outcome], None]]:
    """Make several sinks, give a function that sends an outcome to all of them, and close them in the end.

    Raises:
        ConfigError: as `open_sink`.
        OutputError: as `open_sink`, or a sink could not take or deliver an outcome.
    """
    with ExitStack() as stack:
        sinks: list[tuple[str, Sink]] = []
        for spec in specs:
            sinks.append((spec, open_sink(spec)))
            stack.push(_closing(*sinks[-1]))

        def send(outcome: Outcome) -> None:
            for spec, sink in sinks:
                with _named(spec.partition(":")[0]):
                    sink.send(outcome)

        yield send


def _closing(spec: str, sink: Sink) -> Callable[..., None]:
    """Closes a sink. If something went wrong before, people hear of that, and not of what follows from it."""

    def close(kind: type[BaseException] | None, *_: object) -> None:
        try:
            with _named(spec.partition(":")[0]):
                sink.close()
        except ReasonIADError as error:
            if kind is None:
                raise
            log.debug("%s", error, exc_info=True)

    return close


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Sinks are code of others and can fail in any way: say which one did."""
    try:
        yield
    except ReasonIADError:
        raise
    except Exception as error:
        raise OutputError(
            f"The sink '{name}' failed ({type(error).__name__}: {error}); check its target."
        ) from error
