"""Options that take several values, as in `inspect PART.png --reference GOOD1.png GOOD2.png`; click has none.

The rule: once an argument has been given, such an option takes every value up to the next option; before that
it takes one, so that `--reference GOOD.png PART.png` means what it says. It can always be repeated instead.
"""

from __future__ import annotations

from typing import ClassVar

import click


class ManyValues(click.Command):
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
