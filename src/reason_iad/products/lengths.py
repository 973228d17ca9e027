"""Lengths on a part: in millimetres, or in pixels of its pictures."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from reason_iad.errors import ConfigError

Unit = Literal["mm", "px"]

_LENGTH = re.compile(r"\s*(\d{1,9}(?:\.\d{1,9})?|\.\d{1,9})\s*([a-zµμ]*)\s*", re.IGNORECASE)
_MILLIMETRES = {"mm": 1.0, "cm": 10.0, "um": 0.001, "µm": 0.001, "μm": 0.001}
_PIXELS = ("px", "pixel", "pixels")


@dataclass(frozen=True, slots=True)
class Length:
    """A length.

    Attributes:
        value: how many, above zero.
        unit: 'mm' or 'px'.
    """

    value: float
    unit: Unit

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and self.value > 0):
            raise ConfigError(f"A length of {self.value:g} {self.unit} is not possible. Give one above zero.")

    @classmethod
    def parse(cls, text: str) -> Length:
        """Read '0.5mm', '300 um' or '12px'.

        Raises:
            ConfigError: it is no length, or has no unit.
        """
        match = _LENGTH.fullmatch(text)
        unit = match[2].lower() if match else ""
        if match and unit in _MILLIMETRES:
            return cls(float(f"{float(match[1]) * _MILLIMETRES[unit]:.12g}"), "mm")
        if match and unit in _PIXELS:
            return cls(float(match[1]), "px")
        raise ConfigError(f"'{text}' is no length. Write it with its unit: 0.5mm or 12px.")

    def __str__(self) -> str:
        return f"{self.value:g} {self.unit}"

    def pixels(self, scale: float | None) -> float:
        """The same in pixels.

        Args:
            scale: millimetres per pixel; None: not known.

        Raises:
            ConfigError: it is in millimetres, and there is no scale.
        """
        if self.unit == "px":
            return self.value
        if scale is None:
            raise ConfigError(f"{self} cannot be counted in pixels without a scale. Give it: --scale 0.05mm.")
        return self.value / scale
