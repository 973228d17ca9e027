"""Commands whose help lists the options under headings, and groups that suggest the command that was meant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from reason_iad.errors import did_you_mean

F = TypeVar("F", bound=Callable[..., Any])

INPUT = "Input"
REFERENCES = "References"
VERDICT = "Verdict"
OUTPUT = "Output"
MODEL = "Model"
METHOD = "Method"
MACHINES = "Several processes or machines (Ray)"
SERVICE = "Server"
PEOPLE = "People"
RESEARCH = "Research (for researchers; the defaults are right for inspection)"
OTHER = "Help"
HEADINGS = (INPUT, REFERENCES, VERDICT, METHOD, OUTPUT, MODEL, SERVICE, PEOPLE, MACHINES, RESEARCH, OTHER)
"""The order in which the help shows them."""


class HeadedOption(click.Option):
    """An option that the help lists under a heading."""

    def __init__(self, *names: Any, heading: str = OTHER, **settings: Any) -> None:
        if isinstance(settings.get("type"), click.IntRange):
            settings.setdefault("metavar", "N")
        super().__init__(*names, **settings)
        self.heading = heading

    def get_help_extra(self, ctx: click.Context) -> Any:
        """What stands in brackets behind the help: without the range of a number, which its message names."""
        extra = super().get_help_extra(ctx)
        extra.pop("range", None)
        return extra


def option(heading: str, *names: str, **settings: Any) -> Callable[[F], F]:
    """`click.option`, under a heading of the help."""
    return click.option(*names, cls=HeadedOption, heading=heading, **settings)


class HeadedCommand(click.Command):
    """A command whose options stand under headings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, one section per heading."""
        sections: dict[str, list[tuple[str, str]]] = {heading: [] for heading in HEADINGS}
        for each in self.get_params(ctx):
            if isinstance(each, click.Option) and (record := each.get_help_record(ctx)) is not None:
                sections[getattr(each, "heading", OTHER)].append(record)
        for heading, records in sections.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)


class SuggestingGroup(click.Group):
    """A group of commands; for a command that it does not have, it suggests one with a similar name."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first word names."""
        word = args[0]
        if not word.startswith("-") and self.get_command(ctx, word) is None and not ctx.resilient_parsing:
            known = self.list_commands(ctx)
            advice = did_you_mean(word, known) or f" Choose one of: {', '.join(known)}."
            ctx.fail(f"There is no command '{word}'.{advice}")
        return super().resolve_command(ctx, args)
