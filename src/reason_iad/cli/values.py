"""What options take: one of several choices, a path that exists, or several values.

`inspect PART.png --reference GOOD1.png GOOD2.png` gives several values to one option, which click does not have.
The rule is: once an argument has been given, such an option takes every value up to the next option. Before that it
takes one value, so that `--reference GOOD.png PART.png` means what it says. It can always be repeated instead.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import click

from reason_iad.cli.headings import HeadedCommand
from reason_iad.errors import did_you_mean, nearest_file


class Choice(click.Choice[str]):
    """One of several words; for another word, the message suggests the one that was meant."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word, if it is one of the choices."""
        if value not in self.choices:
            self.fail(
                f"'{value}' is not possible here.{did_you_mean(str(value), self.choices)} "
                f"Choose one of: {', '.join(self.choices)}.",
                param,
                ctx,
            )
        return str(value)


class ExistingPath(click.Path):
    """A path of something that exists; for another path, the message suggests a similar name in its folder."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(exists=True, path_type=Path, **settings)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path, if it exists."""
        path = Path(value)
        try:
            missing = not path.exists()
        except (OSError, ValueError):
            missing = True
        if missing:
            self.fail(f"'{value}' does not exist.{nearest_file(path) or ' Check the path.'}", param, ctx)
        return super().convert(value, param, ctx)


class ManyValues(HeadedCommand):
    """A command some of whose options take several values."""

    many: ClassVar[frozenset[str]] = frozenset({"--reference", "--options"})

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Rewrite `--option A B` as `--option A --option B`, then parse as usual."""
        given = [p for p in self.get_params(ctx) if isinstance(p, click.Option)]
        options = {name: p for p in given for name in (*p.opts, *p.secondary_opts)}  # '--no-align' is one, too
        return super().parse_args(ctx, spread(args, self.many & options.keys(), options))


def spread(args: list[str], many: frozenset[str], options: dict[str, click.Option]) -> list[str]:
    """Repeat the name of an option in `many` before each of its values.

    Args:
        args: the words of the command line.
        many: names of the options that take several values.
        options: all options by name.
    """
    result: list[str] = []
    rest = list(args)
    has_argument = False
    while rest:
        word = rest.pop(0)
        if word == "--":
            return [*result, word, *rest]
        option = options.get(word)
        if option is None:
            has_argument = has_argument or not word.startswith("-") or word == "-"
            result.append(word)
        elif option.is_flag or option.count or not rest:
            result.append(word)
        else:
            result += [word, rest.pop(0)]
            while has_argument and word in many and rest and not _is_option(rest[0], options):
                result += [word, rest.pop(0)]
    return result


def _is_option(word: str, options: dict[str, click.Option]) -> bool:
    return word == "--" or word.partition("=")[0] in options
