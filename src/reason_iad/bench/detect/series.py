"""Several runs of one detector: with few and with many normal images, and with several draws of them.

    RUN_DIR/4-shot/seed-0/    a run (`folder.DetectFolder`), one per number of images and draw
    RUN_DIR/shots.csv         its metrics, one row per category and run

How good a detector is with few images depends on which they are. So the table gives the mean over draws, and the
deviation between them.
"""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reason_iad.bench.detect.records import METRIC_NAMES, DetectReport
from reason_iad.bench.detect.running import Settings
from reason_iad.errors import ConfigError
from reason_iad.files import write_atomic

TABLE = "shots.csv"
ALL = "all"


@dataclass(frozen=True, slots=True)
class Draw:
    """One run of a series.

    Attributes:
        settings: its settings, with its own shots and seed.
        folder: its folder, below that of the series.
    """

    settings: Settings
    folder: str

    @property
    def shots(self) -> str:
        """How many normal images, in words."""
        return ALL if self.settings.shots is None else str(self.settings.shots)


def planned(settings: Settings, shots: Sequence[int | None], seeds: int) -> tuple[Draw, ...]:
    """The runs: each number of images with as many draws. All images can be drawn in one way only.

    Args:
        settings: shared by all; its seed is that of the first draw.
        shots: numbers of normal images, at least one; None: all there are.
        seeds: draws of each.

    Returns:
        The runs, in order. A single one has the folder itself.

    Raises:
        ConfigError: several were asked for where no normal images are drawn.
    """
    if len(shots) == 1 and (seeds == 1 or shots[0] is None):
        return (Draw(settings, ""),)
    if settings.references != "train":
        raise ConfigError(
            "Several --shots or --seeds need training images that are drawn. Leave them out, or use "
            "--references train without --maps."
        )
    return tuple(_all(settings, shots, seeds))


def _all(settings: Settings, shots: Sequence[int | None], seeds: int) -> Iterator[Draw]:
    for number in shots:
        for seed in range(settings.seed, settings.seed + (1 if number is None else seeds)):
            name = ALL if number is None else number
            yield Draw(replace(settings, shots=number, seed=seed), f"{name}-shot/seed-{seed}")


def write_table(folder: Path, results: Sequence[tuple[Draw, DetectReport]]) -> None:
    """Write `shots.csv`.

    Raises:
        OutputError: it cannot be written.
    """
    write_atomic(folder / TABLE, as_csv(results))


def as_csv(results: Sequence[tuple[Draw, DetectReport]]) -> str:
    """One row per category and run, as fractions in full precision; what is undefined is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["category", "shots", "seed", "normal", "abnormal", "failed", *METRIC_NAMES])
    for draw, report in results:
        for one in report.categories:
            values = (getattr(one, name) for name in METRIC_NAMES)
            counts = (one.category, draw.shots, draw.settings.seed, one.normal, one.abnormal, one.failed)
            writer.writerow([*counts, *("" if value is None else repr(value) for value in values)])
    return text.getvalue()


def as_markdown(results: Sequence[tuple[Draw, DetectReport]]) -> str:
    """One row per category and number of images, in percent: mean and deviation over the draws."""
    heads = ["category", "shots", "draws", *METRIC_NAMES.values()]
    lines = [f"| {' | '.join(heads)} |", f"| --- |{' ---: |' * (len(heads) - 1)}"]
    for category in dict.fromkeys(one.category for _, report in results for one in report.categories):
        for shots in dict.fromkeys(draw.shots for draw, _ in results):
            found = [
                one
                for draw, report in results
                for one in report.categories
                if (draw.shots, one.category) == (shots, category)
            ]
            metrics = [_spread([getattr(one, name) for one in found]) for name in METRIC_NAMES]
            cells = [category.replace("|", "\\|"), shots, str(len(found)), *metrics]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _spread(values: Sequence[float | None]) -> str:
    defined = [100 * value for value in values if value is not None]
    if not defined:
        return "–"
    mean = f"{statistics.mean(defined):.1f}"
    return mean if len(defined) == 1 else f"{mean} ± {statistics.stdev(defined):.1f}"
