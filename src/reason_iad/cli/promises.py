"""Options that let known parts set the threshold: how many false alarms and missed defects there may be."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reason_iad.cli.headings import VERDICT, F, option
from reason_iad.cli.values import ExistingPath
from reason_iad.errors import ConfigError

if TYPE_CHECKING:
    from reason_iad.inspection.operating_point import KnownParts


@dataclass(frozen=True, slots=True)
class Promised:
    """Bounds, and the results of known parts that they rest on; false if there are none.

    Raises:
        ConfigError: a bound is given without its results, or the other way round.
    """

    good_results: Path | None
    false_alarms: float | None
    defect_results: Path | None
    missed: float | None

    def __post_init__(self) -> None:
        for file, results, bound, share in (
            ("--good-results", self.good_results, "--false-alarms", self.false_alarms),
            ("--defect-results", self.defect_results, "--missed", self.missed),
        ):
            if (results is None) != (share is None):
                raise ConfigError(f"{file} and {bound} go together. Give both, or neither.")

    def __bool__(self) -> bool:
        return bool(self.files)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of results."""
        return tuple(path for path in (self.good_results, self.defect_results) if path is not None)

    def read(self) -> tuple[KnownParts | None, KnownParts | None]:
        """Good and defective parts, each as far as they are asked for.

        Raises:
            OutputError: a file cannot be used.
        """
        from reason_iad.inspection.operating_point import KnownParts

        good = None if self.good_results is None else KnownParts(self.good_results, "good")
        return good, None if self.defect_results is None else KnownParts(self.defect_results, "defective")


def promise_options(command: F) -> F:
    """Add the options of `Promised` to a command, which receives them as `promised`."""

    @functools.wraps(command)
    def wrapper(**options: Any) -> Any:
        names = ("good_results", "false_alarms", "defect_results", "missed")
        return command(promised=Promised(**{name: options.pop(name) for name in names}), **options)

    lines = ExistingPath(dir_okay=False)
    for each in reversed(
        (
            option(VERDICT, "--good-results", type=lines, metavar="GOOD.jsonl",
                   help="Results of good parts, written earlier with --json. They set the threshold. A product "
                   "sets its own limits: see `reason-iad product set`."),
            option(VERDICT, "--false-alarms", type=float, metavar="SHARE",
                   help="At most this share of good parts may be called defective: 0.1 means 10 %. Give it "
                   "together with --good-results."),
            option(VERDICT, "--defect-results", type=lines, metavar="BAD.jsonl",
                   help="Results of defective parts, written earlier with --json. They set the limit below which "
                        "a part passes. Parts between the two limits are handed to a person."),
            option(VERDICT, "--missed", type=float, metavar="SHARE",
                   help="At most this share of defective parts may pass: 0.05 means 5 %. Give it together with "
                   "--defect-results."),
        )
    ):  # fmt: skip
        wrapper = each(wrapper)
    return wrapper  # type: ignore[return-value]
