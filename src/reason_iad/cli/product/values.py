"""What the options of a product take: shares, lengths, scales, boxes, and 'none' to take a setting away."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import click

from reason_iad.errors import ReasonIADError
from reason_iad.products import Length
from reason_iad.schema import Box

T = TypeVar("T")


class Nothing:
    """What 'none' stands for: the setting is taken away."""


NOTHING = Nothing()


class OrNone(click.ParamType[Any], Generic[T]):
    """A value of another type, or 'none'."""

    def __init__(self, inner: click.ParamType[T]) -> None:
        self.inner, self.name = inner, inner.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value, or `NOTHING`."""
        if isinstance(value, str) and value.lower() == "none":
            return NOTHING
        return self.inner.convert(value, param, ctx)


class Share(click.ParamType[float]):
    """A share: 0.05, or 5%."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The share as a number above 0 and at most 0.5."""
        text = str(value).strip()
        try:
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            share = 0.0
        if not 0 < share <= 0.5:
            self.fail(f"'{value}' is not possible. Give a share from 0 to 0.5: 0.05 means 5 %.", param, ctx)
        return share


class Size(click.ParamType[Length]):
    """A length with its unit: 0.5mm, 12px."""

    name = "length"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Length:
        """The length."""
        if isinstance(value, Length):
            return value
        try:
            return Length.parse(str(value))
        except ReasonIADError as error:
            self.fail(str(error), param, ctx)


class Scale(click.ParamType[float]):
    """Millimetres per pixel: 0.05mm."""

    name = "length"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number of millimetres."""
        length = Size().convert(str(value).removesuffix("/px"), param, ctx)
        if length.unit != "mm":
            self.fail(f"'{value}' is no scale. Give the millimetres per pixel: 0.05mm.", param, ctx)
        return length.value


class BoxValue(click.ParamType[Box]):
    """A box in pixels: left,top,right,bottom."""

    name = "box"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Box:
        """The box."""
        if isinstance(value, Box):
            return value
        try:
            x1, y1, x2, y2 = (int(number) for number in str(value).split(","))
        except ValueError:
            self.fail(f"'{value}' is no box. Give left, top, right and bottom: 10,20,30,40.", param, ctx)
        return Box(x1=x1, y1=y1, x2=x2, y2=y2)
