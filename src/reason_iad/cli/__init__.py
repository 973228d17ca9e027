"""The command line: parse, call, print. Sub-commands are imported when they are used, so `--help` is instant.

Exit codes, the same for every command: 0 fine, 1 a defect was found, 2 usage or input error, 3 some images
failed, 4 some parts need a person, 70 a bug in the program (never 1: a crash must not look like a verdict), 130
interrupted.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import traceback
from importlib import import_module
from typing import Any

import click

from reason_iad import __version__
from reason_iad.cli.headings import SuggestingGroup
from reason_iad.errors import ConfigError, ReasonIADError

EXIT_DEFECT = 1
EXIT_INPUT = 2
EXIT_FAILED = 3
EXIT_REVIEW = 4
EXIT_UNJUDGED = 5
EXIT_BUG = 70
EXIT_INTERRUPTED = 130
EXIT_PIPE_CLOSED = 141
_FULL = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))
"""Errors of an output that has no space left."""

COMMANDS: dict[str, str] = {
    "inspect": "Inspect parts: pass or defect, what, where and why.",
    "compare": "Compare two parts: what differs, and where.",
    "ask": "Ask a question about an image.",
    "demo": "Inspect six drawn parts to see how it works. Nothing is downloaded.",
    "doctor": "Check the installation, and say how to repair what is missing.",
    "product": "Keep what is known of a product: good images, defects, settings.",
    "knowledge": "Write, import, search and check knowledge about products.",
    "serve": "Run the service: parts come in over HTTP, people review in the browser.",
    "backup": "Copy everything that a service has to keep, while it runs.",
    "restore": "Make a service of a copy that `backup` wrote.",
    "bench": "Measure how well models and methods work.",
    "nano": "Train and measure the model that comes with the package (install reason-iad-nano).",
    "schema": "Print the JSON schemas of the results.",
}
"""Sub-command, and the line `--help` shows. 'name' is the click command `name` in `reason_iad.cli.name`."""
SECTIONS: dict[str, tuple[str, ...]] = {
    "Inspection": ("inspect", "compare", "ask", "demo", "doctor", "product", "knowledge"),
    "Service": ("serve", "backup", "restore"),
    "For researchers and programmers": ("bench", "nano", "schema"),
}
"""Heading in `--help`, and the sub-commands below it."""

PACKAGES: dict[str, str] = {"nano": "reason-iad-nano"}
"""Sub-command to the package that brings it, where it is a package of its own."""
ENTRY_POINTS = "reason_iad.commands"
"""Group of entry points by which installed packages bring sub-commands."""


class LazyGroup(SuggestingGroup):
    """Imports a sub-command when it is called, and is the one place where errors become exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the sub-commands, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a sub-command."""
        if cmd_name not in COMMANDS or cmd_name in PACKAGES:
            return _outside(cmd_name)
        command: click.Command = getattr(import_module(f"reason_iad.cli.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the sub-commands from the table, importing none of them."""
        for heading, names in SECTIONS.items():
            with formatter.section(heading):
                formatter.write_dl([(name, COMMANDS[name]) for name in names])

    def invoke(self, ctx: click.Context) -> Any:
        """Run a sub-command; an error is one sentence, a traceback only with --debug."""
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.Abort, click.ClickException):
            raise
        except KeyboardInterrupt:
            fail("Interrupted.", EXIT_INTERRUPTED)
        except BrokenPipeError:
            _drop_output()
            ctx.exit(EXIT_PIPE_CLOSED)
        except ReasonIADError as error:
            fail(str(error), EXIT_INPUT)
        except OSError as error:
            if error.errno in _FULL:
                raise  # of the output: files that cannot be written are errors of their own
            _fail_with_bug(error)
        except Exception as error:
            _fail_with_bug(error)

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the program. Where its output has no space left, it says so."""
        try:
            result = super().main(*args, **options)
            sys.stdout.flush()  # what is still buffered would be lost without a word
        except OSError as error:
            if error.errno not in _FULL:
                raise
            _drop_output()
            click.echo(f"Error: The output could not be written: {(error.strerror or '').lower()}.", err=True)
            sys.exit(EXIT_INPUT)
        return result


def _drop_output() -> None:
    """Let what is still buffered for standard output go nowhere."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail_with_bug(error: Exception) -> None:
    fail(
        f"The program has a bug: {type(error).__name__}: {error}. Please report it. To see where it "
        "happened, write --debug before the command and run it again.",
        EXIT_BUG,
    )


def fail(message: str, code: int) -> None:
    """Print an error, with its traceback under --debug, and end the program."""
    context = click.get_current_context()
    if context.find_root().params.get("debug"):
        traceback.print_exc()
    click.echo(f"{click.style('Error:', fg='red')} {message}", err=True)
    context.exit(code)


def _outside(name: str) -> click.Command | None:
    """A sub-command that another package brings; None if no installed one does."""
    from importlib.metadata import entry_points

    for found in entry_points(group=ENTRY_POINTS, name=name):
        command: click.Command = found.load()
        return command
    if name in PACKAGES:
        raise ConfigError(
            f"'reason-iad {name}' is a package of its own. Install it with 'pip install {PACKAGES[name]}', or "
            "from a clone with 'pip install -e src/reason_iad_nano'."
        )
    return None


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--debug", is_flag=True, help="Show details of errors, for bug reports.")
@click.version_option(__version__, prog_name="reason-iad")
def main(debug: bool) -> None:
    """Inspect industrial parts from photos: pass or defect, what, where and why.

    \b
    reason-iad demo
    reason-iad inspect part.png --reference good.png --report out.html
    reason-iad ask part.png "Is there any defect?" --options yes no --reference good.png

    To see the options of a command, write --help after it: reason-iad inspect --help
    """
    if debug:
        import logging

        logging.basicConfig(level=logging.WARNING)
        logging.getLogger("reason_iad").setLevel(logging.DEBUG)
