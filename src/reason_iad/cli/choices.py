"""An option whose choices stand in a registry, those of other packages included."""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import CompletionItem

from reason_iad.errors import ConfigError
from reason_iad.expert.encoders import ENCODERS, check_encoder
from reason_iad.registry import Registry

_HELP = "help"


class OneOf(click.ParamType[str]):
    """The name of an entry. Other packages are only looked at for help, and for names that are not built in."""

    name = "name"

    def __init__(self, registry: Registry[Any]) -> None:
        self.registry = registry

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name itself, once it is known."""
        if value not in self.registry:
            self.fail(str(self.registry.unknown(str(value))), param, ctx)
        return str(value)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """All choices, as `click.Choice` shows them."""
        return f"[{'|'.join(self.registry)}]"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The names that begin so, each with its description."""
        described = self.registry.describe().items()
        return [CompletionItem(name, help=text) for name, text in described if name.startswith(incomplete)]


class LayoutName(OneOf):
    """The name of a layout. 'help' prints what each looks like, and ends the command."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name itself, once it is known."""
        if value == _HELP and ctx is not None:
            from reason_iad.bench.detect.readers import described

            click.echo(described(), nl=False)
            ctx.exit()
        return super().convert(value, param, ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """All choices, and the word for help."""
        return f"[{'|'.join(self.registry)}|{_HELP}]"


class EncoderName(OneOf):
    """The name of an encoder, or the directory of a vision model."""

    def __init__(self) -> None:
        super().__init__(ENCODERS)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name or directory, once it is there."""
        try:
            check_encoder(str(value))
        except ConfigError as error:
            self.fail(str(error), param, ctx)
        return str(value)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """All choices, and that a directory is one."""
        return f"[{'|'.join(self.registry)}|DIR]"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The names that begin so; else directories."""
        return super().shell_complete(ctx, param, incomplete) or [CompletionItem(incomplete, type="dir")]


class Shots(click.ParamType[tuple[int | None, ...]]):
    """Numbers of images with commas between them; 'all' is None."""

    name = "numbers"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int | None, ...]:
        """The numbers, each once."""
        if isinstance(value, tuple):
            return value
        words = [word.strip() for word in str(value).split(",")]
        if not all(word == "all" or (word.isascii() and word.isdigit() and int(word) > 0) for word in words):
            self.fail(
                f"'{value}' is not possible here. Give numbers above 0, or all, for example 1,2,4,all.", param, ctx
            )
        return tuple(dict.fromkeys(None if word == "all" else int(word) for word in words))
