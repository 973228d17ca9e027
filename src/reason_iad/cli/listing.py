"""How a run over many parts is shown: a progress bar, a line per part, and a summary that names what failed."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from reason_iad.inspection.many import Failure, Outcome
    from reason_iad.schema import Inspection

NO_GOOD_PART = "No good part to compare with: these results are the model's opinion alone."
DETECT = "detect"
"""Name of the method in which no model is asked."""
NAMED = 10
"""Failed parts that the summary names; the others are counted."""
_COLOURS = {"pass": "green", "review": "yellow", "defect": "red", "unjudged": "magenta", "failed": "red"}


class Listing:
    """Shows parts as they are inspected.

    Args:
        quiet: print nothing but failures of a run whose results go elsewhere.
        lines: print a line per part on standard output.

    Attributes:
        counts: how many parts there are of each verdict, and how many 'failed'.
    """

    def __init__(self, *, quiet: bool, lines: bool) -> None:
        self.counts: Counter[str] = Counter()
        self._failed: list[str] = []
        self._alone = False
        self._itself = 0
        self._compared = self._asked = 0
        self._said: dict[str, str] = {}
        self._pictures: Counter[str] = Counter()
        self._quiet, self._lines = quiet, lines
        self._console: Any = None
        self._advance: Any = None

    @contextmanager
    def progress(self, total: int) -> Iterator[None]:
        """Show a progress bar on standard error while parts are added, if that is a terminal."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._console = Console(stderr=True, soft_wrap=True, highlight=False)
        hidden = self._quiet or not self._console.is_terminal
        with Progress(
            TextColumn("inspecting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            console=self._console, transient=True, disable=hidden,
        ) as bar:  # fmt: skip
            task = bar.add_task("inspecting", total=total)
            self._advance = lambda: bar.advance(task)
            yield

    def add(self, outcome: Outcome) -> None:
        """Show the outcome of one part."""
        from reason_iad.inspection.many import Failure
        from reason_iad.schema.verdict import ALONE

        if isinstance(outcome, Failure):
            self.counts["failed"] += 1
            self._failed.append(outcome.image)
        else:
            self.counts[outcome.verdict] += 1
            self._alone = self._alone or outcome.alone_in_words() == ALONE
            self._itself += outcome.evidence.same_in_words() is not None
            self._note(outcome)
            self._pictures.update(outcome.picture_notes())
        if self._lines and not self._quiet:
            self._print(part_line(outcome))
        elif isinstance(outcome, Failure):
            self._console.print(_failure(outcome), style="red", markup=False)
        self._advance()

    def _note(self, result: Inspection) -> None:
        """Keep what there is to say of all parts of a product together."""
        product = result.evidence.product
        if product is None:
            return
        self._compared += 1
        self._asked += product.model_asked
        self._said |= {"drift": product.drift} if product.drift else {}
        self._said |= {"advice": product.advice} if product.advice else {}
        if result.method != DETECT:
            self._said["model"] = f"The model was asked about {self._asked} of {self._compared} parts."

    def _print(self, line: str) -> None:
        """Print a line on standard output; above the bar if both are on a terminal."""
        from rich.text import Text

        if self._console.is_terminal and sys.stdout.isatty():
            self._console.print(Text.from_ansi(line))
        else:
            click.echo(line)

    def sum_up(
        self, log: Path | None, reports: Path | None, exports: Path | None = None, *, others: int = 0
    ) -> None:
        """Say how many parts pass, which failed, and where results are.

        Args:
            log: the file of results; None if there is none.
            reports: the folder of reports; None if there is none.
            exports: the folder of exports; None if there is none.
            others: reports of earlier runs in the folder of reports.
        """
        number = self.counts.total()
        self.say(f"{number} {'image' if number == 1 else 'images'}: {', '.join(_counted(self.counts))}")
        if self._failed:
            more = f" and {len(self._failed) - NAMED} more" if len(self._failed) > NAMED else ""
            count, them = len(self._failed), "it" if len(self._failed) == 1 else "them"
            again = f"Repair {them}, then run again{' with --resume' if log else ''}."
            photos = f"{count} photo{'' if count == 1 else 's'} could not be inspected"
            self.say(f"{photos}: {', '.join(self._failed[:NAMED])}{more}. {again}")
        if self._alone:
            self.say(NO_GOOD_PART)
        if self._itself:
            are = "1 part is" if self._itself == 1 else f"{self._itself} parts are"
            self.say(
                f"{are} among the good parts. No part is compared with itself where there is another good part."
            )
        for note, count in self._pictures.most_common(NAMED):
            self.say(f"{count} image{'' if count == 1 else 's'}: {note}")
        for name in ("model", "advice", "drift"):
            if name in self._said:
                self.say(self._said[name])
        if reports is not None:
            self.say(f"Reports: {reports}\nOverview: {reports / 'index.html'}")
            if others:
                are = "1 report of an earlier run is" if others == 1 else f"{others} reports of earlier runs are"
                self.say(f"{are} in that folder, too. The overview does not list them.")
        if exports is not None:
            self.say(f"Exports: {exports}")

    def say(self, message: str) -> None:
        """Print something about the run on standard error."""
        if not self._quiet:
            click.echo(message, err=True)


def part_line(outcome: Outcome) -> str:
    """One part in one line; the verdict is its first word."""
    from reason_iad.cli.show import measured
    from reason_iad.inspection.many import Failure
    from reason_iad.schema.verdict import ALONE, SHOWN

    if isinstance(outcome, Failure):
        return f"{click.style('FAILED', fg=_COLOURS['failed'], bold=True)}  {_failure(outcome)}"
    verdict = click.style(SHOWN[outcome.verdict].upper(), fg=_COLOURS[outcome.verdict], bold=True)
    found = ", ".join(filter(None, (outcome.in_words("type"), outcome.in_words("place"))))
    what = f"  {found}" if found else ""
    what = f"  {outcome.unjudged}" if outcome.unjudged else what
    alone = {None: "", ALONE: "the model's opinion alone"}.get(outcome.alone_in_words(), "nothing was compared")
    sure = ", ".join(filter(None, (None if outcome.unjudged else measured(outcome), alone)))
    return f"{verdict}  {outcome.image.name}{f'  ({sure})' if sure else ''}{what}"


def _failure(outcome: Failure) -> str:
    named = "" if outcome.image in outcome.error else f"{outcome.image}: "
    return f"{named}{outcome.error}"


def _counted(counts: Counter[str]) -> Iterator[str]:
    """How many of each kind; that a person is needed is said only if one is."""
    for kind, name in (("pass", "pass"), ("defect", "defect"), ("failed", "not inspected")):
        yield f"{counts[kind]} {name}"
    if counts["review"]:
        yield f"{counts['review']} for a person"
    if counts["unjudged"]:
        yield f"{counts['unjudged']} that cannot be judged"
