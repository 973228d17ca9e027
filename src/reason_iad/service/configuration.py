"""The configuration file: where parts come from, where outcomes go, and how long they are kept.

    [sources.line-2]
    kind = "folder"
    product = "bracket"
    folder = "incoming"

    [sinks.control]
    kind = "webhook"
    url = "https://control.example/parts"
    secret_file = "control.secret"

    [[rules]]
    outcomes = ["defect", "review"]
    sinks = ["control"]

    [retention]
    passed_days = 90

    [corrections]
    learn = "after confirmation"

It is read once, when the service starts. No request can change it, so no request makes the server open an address
or a file that an administrator did not choose.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, model_validator

from reason_iad.errors import ConfigError, did_you_mean
from reason_iad.service.options import Name, Options
from reason_iad.service.sinks import SINKS, SinkOptions
from reason_iad.service.sources import SOURCES, SourceOptions

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MOST_BYTES = 2**20
"""Bytes that the file may have."""
Outcome = Literal["pass", "defect", "review", "unjudged", "failed"]
When = Literal["at once", "after confirmation"]
"""When a product learns what people said of its parts."""


class Rule(Options):
    """Which outcomes go where.

    Attributes:
        outcomes: 'pass', 'defect', 'review', 'unjudged' or 'failed'; empty: all of them.
        products: empty: all of them.
        sinks: names of sinks.
    """

    outcomes: tuple[Outcome, ...] = ()
    products: tuple[str, ...] = ()
    sinks: tuple[Name, ...] = Field(min_length=1)

    def fits(self, product: str, outcome: str) -> bool:
        """Whether it is about this part."""
        return (not self.outcomes or outcome in self.outcomes) and (not self.products or product in self.products)


class Retention(Options):
    """How long things are kept.

    Attributes:
        passed_days: pictures and results of parts that passed and that nobody reviewed are deleted after so many
            days; None: they stay.
    """

    passed_days: float | None = Field(default=None, gt=0, le=36500)


class Corrections(Options):
    """What becomes of what people say of parts.

    Attributes:
        learn: 'at once': the product learns it, and the next verdicts use it. 'after confirmation': it waits on
            the page of the product until somebody has seen its effect and takes or drops it.
    """

    learn: When = "at once"


class Configuration(Options):
    """Everything in the file.

    Attributes:
        sources: where parts come from, by name.
        sinks: where outcomes go, by name.
        rules: which outcomes go to which sinks.
        retention: how long things are kept.
        corrections: when products learn what people say of parts.
    """

    sources: dict[Name, SourceOptions] = {}  # noqa: RUF012  # pydantic copies it
    sinks: dict[Name, SinkOptions] = {}  # noqa: RUF012  # pydantic copies it
    rules: tuple[Rule, ...] = ()
    retention: Retention = Retention()
    corrections: Corrections = Corrections()

    @model_validator(mode="after")
    def _names_are_known(self) -> Configuration:
        for rule in self.rules:
            for name in rule.sinks:
                if name not in self.sinks:
                    raise ValueError(f"there is no sink '{name}' for a rule.{did_you_mean(name, self.sinks)}")
        if "http" in self.sources:
            raise ValueError("a source cannot be called 'http': parts that programs send have this source")
        return self

    def sinks_for(self, product: str, outcome: str) -> tuple[str, ...]:
        """The sinks that take this outcome, each once."""
        return sinks_for(self.rules, product, outcome)


def sinks_for(rules: Iterable[Rule], product: str, outcome: str) -> tuple[str, ...]:
    """The sinks that take this outcome by these rules, each once."""
    fitting = (rule.sinks for rule in rules if rule.fits(product, outcome))
    return tuple(dict.fromkeys(name for sinks in fitting for name in sinks))


def read_configuration(path: Path) -> Configuration:
    """Read the configuration file.

    Raises:
        ConfigError: it cannot be read, is not TOML, or says something that cannot be used.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ConfigError(f"'{path}' is too large for a configuration file.")
        tables = tomllib.loads(content.decode("utf-8"))
    except OSError as error:
        raise ConfigError(f"'{path}' cannot be read ({error.strerror}). Check --config.") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"'{path}' is not a TOML file: {error}.") from None
    try:
        return Configuration.model_validate(tables, context={"folder": path.parent})
    except ValidationError as error:
        raise ConfigError(f"'{path}': {_said(error)}") from None


def _said(error: ValidationError) -> str:
    """What is wrong, and where."""
    first = error.errors()[0]
    place, tags = [str(part) for part in first["loc"]], {*SOURCES, *SINKS}
    shown = [part for number, part in enumerate(place) if not (number == 2 and part in tags)]
    where = ".".join(shown)
    if first["type"] == "extra_forbidden":
        return f"there is no key '{where}'.{did_you_mean(place[-1], _known(place))}"
    if first["type"] == "missing":
        return f"the key '{where}' is missing."
    if first["type"] == "union_tag_invalid":
        kinds = SOURCES if place[0] == "sources" else SINKS
        given = str(first["ctx"]["tag"])
        return f"'{where}.kind' is '{given}'.{did_you_mean(given, kinds)} Choose one of: {', '.join(kinds)}."
    if first["type"] == "union_tag_not_found":
        return f"the key '{where}.kind' is missing."
    said = first["msg"].removeprefix("Value error, ")
    return f"{where}: {said}." if where else f"{said.rstrip('.')}."


def _known(place: list[str]) -> list[str]:
    """The keys that would have been right at a place."""
    top: dict[str, type[Options]] = {"rules": Rule, "retention": Retention, "corrections": Corrections}
    if len(place) > 1 and place[0] in top:
        return list(top[place[0]].model_fields)
    if len(place) > 3:
        kinds: dict[str, type[Options]] = {**SOURCES, **SINKS}
        return list(kinds[place[2]].model_fields)
    return list(Configuration.model_fields)
