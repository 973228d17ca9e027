"""Options of the reasoning by name, as they are written on a command line: 'sigma=0.3', 'estimator=gradient'."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from pydantic import TypeAdapter, ValidationError

from reason_iad.config import PRESETS, ReasoningConfig
from reason_iad.errors import ConfigError


def override(method: str, assignments: Sequence[str]) -> ReasoningConfig | None:
    """The reasoning of a method with some options changed; None if nothing is to be changed.

    Args:
        method: name of a preset.
        assignments: 'name=value' each; a value is written as in JSON, text also without quotation marks.

    Raises:
        ConfigError: the method does not reason in latent space, there is no such option, or a value is of another
            type or out of its range.
    """
    if not assignments:
        return None
    preset = PRESETS[method].reasoning
    if preset is None:
        raise ConfigError(f"The method '{method}' does not reason in latent space; --set has no effect on it.")
    known = [field.name for field in fields(ReasoningConfig)]
    changes: dict[str, Any] = {}
    for assignment in assignments:
        name, sign, text = (part.strip() for part in assignment.partition("="))
        if not sign or name not in known:
            raise ConfigError(f"'{assignment}' sets nothing; write NAME=VALUE with one of: {', '.join(known)}.")
        changes[name] = _read(text)
    try:
        return TypeAdapter(ReasoningConfig).validate_json(json.dumps(asdict(preset) | changes), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise ConfigError(f"'{name}={changes[name]}' does not fit: {first['msg']}.") from error


def _read(text: str) -> Any:
    """A JSON value; anything else is text."""
    try:
        return json.loads(text)
    except ValueError:
        return text
