"""Options of the reasoning by name, as they are written on a command line: 'sigma=0.3', 'estimator=gradient'."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

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
    changes: dict[str, Any] = {}
    for assignment in assignments:
        name, sign, text = (part.strip() for part in assignment.partition("="))
        known = [field.name for field in fields(ReasoningConfig)]
        if not sign or name not in known:
            raise ConfigError(f"'{assignment}' sets nothing; write NAME=VALUE with one of: {', '.join(known)}.")
        changes[name] = _value(name, text, getattr(preset, name))
    return replace(preset, **changes)


_NUMBERS = {"reward_threshold", "budget_ms", "patience"}
"""Options that hold a number or nothing, whatever they hold by default."""
_SEVERAL = {"attention_layers", "attention_heads"}


def _value(name: str, text: str, now: Any) -> Any:
    """A value of the type that the option has."""
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    wanted: str
    if name in _SEVERAL:
        wanted, fits = "a list of numbers or null", value is None or _whole_numbers(value)
        value = tuple(value) if fits and value is not None else value
    elif name in _NUMBERS:
        wanted, fits = "a number or null", value is None or _is_number(value)
        fits = fits and not (name == "patience" and isinstance(value, float))
    elif isinstance(now, bool):
        wanted, fits = "true or false", isinstance(value, bool)
    elif isinstance(now, int):
        wanted, fits = "a whole number", isinstance(value, int) and not isinstance(value, bool)
    elif isinstance(now, float):
        wanted, fits = "a number", _is_number(value)
        value = float(value) if fits else value
    else:
        wanted, fits = "a word", isinstance(value, str)
    if not fits:
        raise ConfigError(f"'{name}={text}' does not fit; {name} is {wanted}.")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, int) and not isinstance(each, bool) for each in value)
