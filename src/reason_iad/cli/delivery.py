"""Where results of many parts go beside the log: reports with an overview, and exports."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from reason_iad.cli.checks import make_folder
from reason_iad.errors import ReasonIADError

if TYPE_CHECKING:
    from reason_iad.exports import ExportFolder
    from reason_iad.images import LoadedImage
    from reason_iad.inspection.many import Outcome
    from reason_iad.report.overview import Overview
    from reason_iad.schema import Inspection

    GoodParts = Callable[[Inspection], tuple[Path, ...]]


def normal_path(path: Path) -> Path:
    """The absolute path without '..', so that nothing is written above the folder asked for."""
    return Path(os.path.abspath(path))  # noqa: PTH100 (resolve() would follow links)


@dataclass(frozen=True, slots=True)
class Delivery:
    """Writes what is asked for of each part.

    Attributes:
        root: folder that all parts are below.
        report: folder of reports; None for none.
        overview: collects the parts of the reports; None without reports.
        exports: writes exports; None for none.
    """

    root: Path
    report: Path | None
    overview: Overview | None
    exports: ExportFolder | None

    def __bool__(self) -> bool:
        return self.overview is not None or self.exports is not None

    def deliver(self, path: Path, outcome: Outcome, good: GoodParts, *, earlier: bool = False) -> Outcome:
        """Write the files of one part, and return its outcome.

        Where a file cannot be written, it returns a failure that says so: the other parts go on.

        Args:
            path: the part.
            outcome: what became of it.
            good: the good parts that a report shows beside a result.
            earlier: the outcome is of an earlier run; only files that are missing are written.
        """
        from reason_iad.images import load_image
        from reason_iad.inspection.many import Failure

        if not isinstance(outcome, Failure):
            picture = lru_cache(maxsize=1)(partial(load_image, path, white=outcome.image.white))
            try:
                report = self._reported(path, outcome, picture, good, earlier)
                if self.exports is not None:
                    self.exports.add(outcome, normal_path(path), picture, missing_only=earlier)
                if self.overview is not None:
                    self.overview.add(outcome, self._name(path), picture(), report)
                return outcome
            except ReasonIADError as error:
                outcome = Failure(image=outcome.image.name, error=str(error))
        if self.overview is not None:
            self.overview.add_failed(outcome.image, self._name(path), outcome.error)
        return outcome

    def finish(self) -> None:
        """Write what is about all parts.

        Raises:
            OutputError: it cannot be written.
        """
        if self.exports is not None:
            self.exports.close()
        if self.overview is not None:
            self.overview.write()

    def _reported(
        self, path: Path, result: Inspection, picture: Callable[[], LoadedImage], good: GoodParts, earlier: bool
    ) -> Path | None:
        """Write a report at the place under the folder that the part has under the common root."""
        from reason_iad.report import save_report
        from reason_iad.report.overview import PAGE

        if self.report is None:
            return None
        relative = normal_path(path).relative_to(self.root)
        target = self.report / relative.with_name(f"{relative.name}.html")
        if target == self.report / PAGE:  # a part that is called 'index'
            target = self.report / f"{relative.name}.report.html"
        if not (earlier and target.exists()):
            make_folder(target.parent, "--report")
            save_report(result, target, image=picture(), references=good(result), compact=True)
        return target

    def _name(self, path: Path) -> str:
        from reason_iad.images import printable

        return printable(normal_path(path).relative_to(self.root).as_posix())


@contextmanager
def deliveries(
    root: Path, report: Path | None, export: Path | None, formats: tuple[str, ...]
) -> Iterator[Delivery]:
    """What a run over many parts writes beside its log; temporary files are gone in the end.

    Args:
        root: folder that all parts are below.
        report: folder of reports; None for none.
        export: folder of exports; None for none.
        formats: some of `exports.FORMATS`.
    """
    with ExitStack() as opened:
        exports = overview = None
        if export is not None:
            from reason_iad.exports import ExportFolder

            exports = ExportFolder(export, root, formats)
        if report is not None:
            from reason_iad.report.overview import Overview

            overview = opened.enter_context(Overview(report))
        yield Delivery(root, report, overview, exports)
