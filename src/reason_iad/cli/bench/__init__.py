"""`reason-iad bench`: measure, and judge what was measured. Sub-commands are imported when they are used."""

from __future__ import annotations

from importlib import import_module

import click

from reason_iad.cli.headings import SuggestingGroup

COMMANDS: dict[str, str] = {
    "run": "Measure how many questions about images are answered right.",
    "report": "Show the results of runs as tables and plots.",
    "compare": "Compare two runs: which is better, and is that more than chance?",
    "detect": "Measure how well defects are found and located.",
    "retrieval": "Measure how often the right knowledge is found.",
}
"""Sub-command, and the line `--help` shows. 'name' is the click command `name` in `reason_iad.cli.bench.name`."""


class _Lazy(SuggestingGroup):
    """Imports a sub-command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"{__name__}.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Lazy)
def bench() -> None:
    """Measure how well models and methods work, on benchmarks or on your own images.

    \b
    reason-iad bench run --questions questions.json --images DIR --method direct,full --out runs/first
    reason-iad bench report runs/first
    reason-iad bench compare runs/first/direct runs/first/full
    """
