"""The directive `cli-help`: what `--help` prints of a click command and of all commands below it.

The page is made from the commands themselves, so no option can be missing or described twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

import click
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

WIDTH = 96


class CliHelp(SphinxDirective):
    """One section per command; the argument is 'module:attribute' of the topmost one."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Import the command and show it and its sub-commands."""
        module, _, attribute = self.arguments[0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return [self._section(context) for context in _walk(command, None, "reason-iad")]

    def _section(self, context: click.Context) -> nodes.section:
        section = nodes.section(ids=[nodes.make_id(context.command_path)])
        section += nodes.title("", "", nodes.literal("", context.command_path))
        section += nodes.literal_block("", context.command.get_help(context), language="text")
        return section


def _walk(command: click.Command, parent: click.Context | None, name: str) -> Iterator[click.Context]:
    """A context for a command, then for each of its sub-commands that can be imported, depth first."""
    context = command.make_context(name, [], parent, resilient_parsing=True)
    context.terminal_width = context.max_content_width = WIDTH
    yield context
    if isinstance(command, click.Group):
        for sub in command.list_commands(context):
            below = command.get_command(context, sub)
            if below is not None:
                yield from _walk(below, context, sub)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("cli-help", CliHelp)
    return {"parallel_read_safe": True}
