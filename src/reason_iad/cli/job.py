"""What `inspect` is to do: everything is checked, nothing is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reason_iad.cli.at_server import Server
    from reason_iad.cli.part_kind import ChosenProduct
    from reason_iad.inspection.operating_point import KnownParts
    from reason_iad.schema import Inspection


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be inspected, and where results go; everything is checked, nothing is loaded.

    Attributes:
        paths: the images, each once.
        references: good images.
        known: results of known parts that set the threshold.
        jobs: how many images are inspected at the same time.
        single: one image, given as a file: its result is shown to people.
        lines: results are JSON lines (else one document).
        json: where JSON goes; `STDOUT`, or None for nowhere: then people read the results.
        report: the HTML file of a single image, the folder of several; or None.
        root: folder that the paths of reports and exports are relative to.
        export: the folder of exports; None for none.
        formats: what is exported.
        server: that inspects; None: this machine does.
    """

    paths: tuple[Path, ...]
    references: tuple[Path, ...]
    category: str | None
    question: str | None
    single: bool
    lines: bool
    json: Path | None
    report: Path | None
    root: Path
    resume: bool
    overwrite: bool
    quiet: bool
    jobs: int = 1
    known: tuple[KnownParts, ...] = ()
    chosen: ChosenProduct | None = None
    export: Path | None = None
    formats: tuple[str, ...] = ()
    server: Server | None = None

    def admit(self, result: Inspection) -> None:
        """Make sure that parts that set the threshold were inspected as this part was.

        Raises:
            OutputError: they were not.
        """
        from reason_iad.inspection.conditions import Conditions

        for known in self.known:
            known.require(Conditions.of(result))
