"""Extension points: named parts of the program that are loaded when they are first used.

A registry lists what the package brings, by name, with the place of the code and one line of description. Other
packages add to it with an entry point of the group `reason_iad.<kind>s`. `docs/extending.md` shows how.

Entry points are read only when a name is not built in, or when the choices are listed. Nothing is kept between
calls, so a package that was installed meanwhile is found.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, Literal, TypeVar, cast

from reason_iad.errors import ConfigError, ReasonIADError, did_you_mean

T = TypeVar("T")
Kind = Literal["backbone", "encoder", "detector", "layout", "sink"]

log = logging.getLogger(__name__)

_MADE = ("encoder", "detector")
"""Kinds whose entries are functions that make the part."""


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """An entry that comes with the package.

    Attributes:
        place: the code, as 'module:attribute'.
        description: one line for the people who choose.
    """

    place: str
    description: str


class Registry(Generic[T]):
    """What there is of one kind, by name. Iterating gives the names, the built-in ones first.

    Args:
        kind: what the entries are, as messages call it. The group of entry points is `reason_iad.<kind>s`.
        builtin: name to entry. No other package can take one of these names.
        error: raised for a name that is unknown or whose code cannot be loaded.
    """

    def __init__(
        self, kind: Kind, builtin: Mapping[str, BuiltIn], error: type[ReasonIADError] = ConfigError
    ) -> None:
        self.kind, self.group = kind, f"reason_iad.{kind}s"
        self._builtin = dict(builtin)
        self._error = error

    def get(self, name: str) -> T:
        """Load one entry.

        Raises:
            ReasonIADError: the subclass that the registry was made with. There is no such entry, its code cannot
                be loaded, or several packages bring one of that name.
        """
        if name in self._builtin:
            module, _, attribute = self._builtin[name].place.partition(":")
            return cast(T, getattr(import_module(module), attribute))
        outside = self._outside()
        if name not in outside:
            raise self.unknown(name)
        return self._load(name, outside[name])

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        """Run code of an entry: what goes wrong in another package's code is an error that names the package.

        Raises:
            ReasonIADError: the subclass that the registry was made with, where another package's code failed.
        """
        try:
            yield
        except ReasonIADError:
            raise
        except Exception as error:
            found = {} if name in self._builtin else self._outside()
            if name not in found:
                raise  # a bug of this program
            raise self._error(
                f"The {self.kind} '{name}' of the package {_packages(found[name])} failed ({_reason(error)}). "
                f"Choose another {self.kind}, or report this to the makers of that package."
            ) from error

    def names(self) -> tuple[str, ...]:
        """Every name: the built-in ones as they are listed, then those of other packages, sorted."""
        return (*self._builtin, *sorted(self._outside()))

    def built_in(self, name: str) -> bool:
        """Whether an entry comes with this package."""
        return name in self._builtin

    def describe(self) -> dict[str, str]:
        """Name to one line of description. Of an entry of another package, it is the name of the package."""
        built_in = {name: entry.description for name, entry in self._builtin.items()}
        outside = sorted(self._outside().items())
        return built_in | {name: f"from the package {_packages(found)}" for name, found in outside}

    def load_all(self) -> dict[str, T]:
        """Load every entry. One of another package that cannot be loaded is left out, and a warning is logged."""
        loaded = {name: self.get(name) for name in self._builtin}
        for name, found in sorted(self._outside().items()):
            try:
                loaded[name] = self._load(name, found)
            except self._error as error:
                log.warning("%s", error)
        return loaded

    def unknown(self, name: str) -> ReasonIADError:
        """The error for a name that is not there: it lists the choices and suggests a close spelling."""
        names = self.names()
        meant = did_you_mean(name, names, most=1)
        return self._error(f"There is no {self.kind} '{name}'.{meant} Choose one of: {', '.join(names)}.")

    def __contains__(self, name: object) -> bool:
        return name in self._builtin or name in self._outside()

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def _outside(self) -> dict[str, list[EntryPoint]]:
        """Name to the entry points of other packages."""
        found: dict[str, list[EntryPoint]] = {}
        for point in entry_points(group=self.group):
            if point.name in self._builtin:
                log.warning(
                    "The package %s brings a %s '%s', a name that is built in. The built-in one is used.",
                    _packages([point]), self.kind, point.name,
                )  # fmt: skip
                continue
            others = found.setdefault(point.name, [])
            if all(_packages([point]) != _packages([other]) or point != other for other in others):
                others.append(point)  # the same package can be on the path twice, and counts once
        return found

    def _load(self, name: str, found: list[EntryPoint]) -> T:
        if len(found) > 1:
            raise self._error(
                f"Several packages bring a {self.kind} '{name}': {_packages(found)}. Uninstall all but one of them."
            )
        try:
            loaded = found[0].load()
        except (Exception, SystemExit) as error:  # code of others can fail in any way, and must not end the program
            raise self._error(
                f"The {self.kind} '{name}' of the package {_packages(found)} cannot be loaded ({_reason(error)}). "
                "Repair or uninstall that package."
            ) from error
        return cast(T, self._guarded(name, loaded) if self.kind in _MADE and callable(loaded) else loaded)

    def _guarded(self, name: str, make: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(make)
        def guarded(*given: Any, **named: Any) -> Any:
            with self.running(name):
                return make(*given, **named)

        return guarded


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _packages(points: list[EntryPoint]) -> str:
    names = {f"'{point.dist.name}'" if point.dist is not None else f"of '{point.value}'" for point in points}
    return " and ".join(sorted(names))
