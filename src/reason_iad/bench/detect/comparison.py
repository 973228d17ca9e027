"""Two detectors on the same images: which tells defects from good images better, and whether that is chance.

Images are drawn again, good and abnormal ones of each category apart, with the same draw for both runs (paired
percentile bootstrap; Efron and Tibshirani 1993). Differences are the second run minus the first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from reason_iad.bench.detect.records import (
    MANIFEST,
    METRIC_NAMES,
    METRICS,
    SCORES,
    DetectManifest,
    DetectReport,
    ScoreRecord,
)
from reason_iad.bench.runs import read_records
from reason_iad.bench.statistics import LEVEL, RESAMPLES, Difference, Interval, Vector, holm
from reason_iad.errors import DatasetError
from reason_iad.images import printable

ALPHA = 0.05
FEW = 5
"""With fewer good or fewer abnormal images a category is not judged: drawing them again hardly changes anything."""
RESAMPLED = ("image_auroc", "image_ap", "image_f1_max")
"""Metrics that follow from the scores of the images. Those of pixels would need every map and mask again."""
_BLOCK = 100  # resamples at once
_NOT_COMPARED = frozenset({"status", "run_version", "dataset_sha256", "left_out", "images"})


@dataclass(frozen=True, slots=True)
class DetectRun:
    """A run as read back: its name, conditions, scores in the order of the file, and metrics if it is complete."""

    name: str
    manifest: DetectManifest
    scores: tuple[ScoreRecord, ...]
    report: DetectReport | None


@dataclass(frozen=True, slots=True)
class DetectRow:
    """One metric of one category, or its mean over the categories.

    Attributes:
        name: the category; `MEAN` for the mean.
        metric: a key of `METRIC_NAMES`.
        normal, abnormal: how many images were compared.
        first, second: of the two runs, in [0, 1].
        difference: second minus first, with its interval.
        p: two-sided, from the resamples, corrected for the number of categories.
        few: whether there are too few images to judge.
    """

    name: str
    metric: str
    normal: int
    abnormal: int
    first: float
    second: float
    difference: Difference
    p: float
    few: bool

    @property
    def noise(self) -> bool:
        """Whether chance explains the difference, or nothing can be said."""
        low, high = self.difference.interval
        return self.few or low <= 0 <= high or self.p >= ALPHA


@dataclass(frozen=True, slots=True)
class DetectComparison:
    """Two detection runs side by side.

    Attributes:
        labels: of both.
        categories: image AUROC of each category.
        means: each resampled metric, as its mean over the categories.
        pixels: metrics that are not resampled: name, of the first, of the second.
        differs: conditions under which the runs differ: name, of the first, of the second.
        notes: what else a reader must know, in sentences.
    """

    labels: tuple[str, str]
    categories: tuple[DetectRow, ...]
    means: tuple[DetectRow, ...]
    pixels: tuple[tuple[str, float, float], ...]
    differs: tuple[tuple[str, str, str], ...]
    notes: tuple[str, ...]


MEAN = "Mean"


def read_detect_run(folder: Path) -> DetectRun:
    """Read the folder of a run of `bench detect`.

    Raises:
        DatasetError: it holds none, or one of its files is damaged.
    """
    try:
        manifest = DetectManifest.model_validate_json((folder / MANIFEST).read_bytes())
        found = (folder / METRICS).read_bytes() if (folder / METRICS).exists() else None
        report = None if found is None else DetectReport.model_validate_json(found)
    except (OSError, ValidationError) as error:
        raise DatasetError(
            f"The run in '{printable(folder)}' cannot be read: '{MANIFEST}' or '{METRICS}' is missing or damaged. "
            "Check the folder, or run it again with --overwrite."
        ) from error
    scores = {record.id: record for record in read_records(folder / SCORES, ScoreRecord)}
    return DetectRun(folder.name, manifest, tuple(scores.values()), report)


def compare_detectors(
    first: DetectRun,
    second: DetectRun,
    labels: tuple[str, str] | None = None,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> DetectComparison:
    """Compare two runs on the images that both have scored.

    Args:
        first, second: of the same detection set.
        labels: names to print; the runs' own by default.
        seed: of the resampled images.
        resamples: how many times images are drawn again.

    Raises:
        DatasetError: the runs are not of the same images, or no category has both good and abnormal ones.
    """
    labels = labels or (first.name, second.name)
    paired = _paired(first, second, labels)
    groups: defaultdict[str, list[tuple[ScoreRecord, ScoreRecord]]] = defaultdict(list)
    for pair in paired:
        groups[pair[0].category].append(pair)
    usable = {name: pairs for name, pairs in sorted(groups.items()) if len({pair[0].label for pair in pairs}) == 2}
    if not usable:
        raise DatasetError(
            f"'{labels[0]}' and '{labels[1]}' have no category with scores of both good and abnormal images. "
            "Measure some of each."
        )
    found = _Resampled(usable, seed, resamples)
    rows = [found.row(name, [name], "image_auroc") for name in usable]
    corrected = holm([row.p for row in rows])
    lone = set(groups) - set(usable)
    return DetectComparison(
        labels=labels,
        categories=tuple(replace(row, p=p) for row, p in zip(rows, corrected, strict=True)),
        means=tuple(found.row(MEAN, list(usable), metric) for metric in RESAMPLED),
        pixels=tuple(_pixels(first, second, len(paired))),
        differs=tuple(_differences(first.manifest, second.manifest)),
        notes=tuple(_notes((first, second), labels, len(paired), sorted(lone))),
    )


def weighted_metrics(scores: NDArray[Any], abnormal: NDArray[np.bool_], weights: Vector) -> dict[str, Vector]:
    """Image metrics where each image counts several times, as `curve.areas` defines them; ties are pooled.

    Args:
        scores: (n,) larger is less normal.
        abnormal: (n,) bool.
        weights: (count, n) how often each image counts. Both kinds count at least once in every row.

    Returns:
        metric to (count,) values.
    """
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))  # of each group of equal scores
    weights = weights[:, order]
    tp = np.cumsum(weights * abnormal[order], axis=1)[:, last]  # (count, distinct)
    fp = np.cumsum(weights * ~abnormal[order], axis=1)[:, last]
    zero = np.zeros((len(weights), 1))
    new_tp, new_fp = np.diff(tp, axis=1, prepend=zero), np.diff(fp, axis=1, prepend=zero)
    positives, negatives = tp[:, -1], fp[:, -1]
    return {
        "image_auroc": np.sum(new_fp * (tp - new_tp / 2), axis=1) / (positives * negatives),
        "image_ap": np.sum(new_tp * tp / np.maximum(tp + fp, 1), axis=1) / positives,
        "image_f1_max": np.max(2 * tp / (tp + fp + positives[:, None]), axis=1),
    }


class _Resampled:
    """Metrics of both runs in every category, as they are (first) and in each resample (the others).

    Args:
        groups: of each category, the scores of both runs.
        seed, resamples: of the draws.
    """

    def __init__(self, groups: dict[str, list[tuple[ScoreRecord, ScoreRecord]]], seed: int, resamples: int) -> None:
        generator = np.random.default_rng(seed)
        self._sides: dict[str, tuple[int, int]] = {}
        self._values: dict[tuple[str, str], Vector] = {}  # (2, 1 + resamples)
        for name, pairs in groups.items():
            abnormal = np.array([bool(pair[0].label) for pair in pairs])
            both = [np.array([pair[side].score for pair in pairs], np.float32) for side in (0, 1)]
            self._sides[name] = (int((~abnormal).sum()), int(abnormal.sum()))
            parts: list[list[dict[str, Vector]]] = []
            for weights in _draws(generator, abnormal, resamples):
                parts.append([weighted_metrics(scores, abnormal, weights) for scores in both])
            for metric in RESAMPLED:
                self._values[name, metric] = np.array(
                    [np.concatenate([part[side][metric] for part in parts]) for side in (0, 1)]
                )

    def row(self, name: str, categories: Sequence[str], metric: str) -> DetectRow:
        """One metric over some categories, all weighing the same; p is not corrected."""
        first, second = np.mean([self._values[each, metric] for each in categories], axis=0)
        gains = second[1:] - first[1:]
        low, high = np.quantile(gains, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        tail = min(np.sum(gains <= 0), np.sum(gains >= 0))
        sides = [self._sides[each] for each in categories]
        return DetectRow(
            name=name,
            metric=metric,
            normal=sum(side[0] for side in sides),
            abnormal=sum(side[1] for side in sides),
            first=float(first[0]),
            second=float(second[0]),
            difference=Difference(float(second[0] - first[0]), Interval(float(low), float(high))),
            p=float(min(1.0, 2 * (tail + 1) / (len(gains) + 1))),
            few=any(min(side) < FEW for side in sides),
        )


def _draws(generator: np.random.Generator, abnormal: NDArray[np.bool_], resamples: int) -> Iterable[Vector]:
    """How often each image counts, (count, n): once each to begin with, then as drawn, each kind on its own."""
    yield np.ones((1, len(abnormal)))
    for start in range(0, resamples, _BLOCK):
        weights = np.zeros((min(_BLOCK, resamples - start), len(abnormal)))
        for side in (False, True):
            places = np.flatnonzero(abnormal == side)
            weights[:, places] = generator.multinomial(
                len(places), np.full(len(places), 1 / len(places)), size=len(weights)
            )
        yield weights


def _paired(first: DetectRun, second: DetectRun, labels: tuple[str, str]) -> list[tuple[ScoreRecord, ScoreRecord]]:
    """Scores of the same images, in the order of the first run."""
    theirs = {record.id: record for record in second.scores}
    paired = []
    for ours in first.scores:
        if (other := theirs.get(ours.id)) is None:
            continue
        if any(getattr(ours, name) != getattr(other, name) for name in ("category", "label", "width", "height")):
            raise DatasetError(
                f"The image '{printable(ours.id)}' is not the same in '{labels[0]}' and '{labels[1]}': its label "
                "or its size differs. Measure both on the same images."
            )
        if ours.score is not None and other.score is not None:
            paired.append((ours, other))
    if not paired:
        raise DatasetError(
            f"'{labels[0]}' and '{labels[1]}' have no image in common. Measure both on the same detection set."
        )
    return paired


def _pixels(first: DetectRun, second: DetectRun, paired: int) -> Iterable[tuple[str, float, float]]:
    """Means of the metrics that are not resampled, where both runs are on the same images."""
    if first.report is None or second.report is None or not len(first.scores) == len(second.scores) == paired:
        return
    for name in METRIC_NAMES:
        ours, theirs = first.report.mean.get(name), second.report.mean.get(name)
        if name not in RESAMPLED and ours is not None and theirs is not None:
            yield name, ours, theirs


def _differences(first: DetectManifest, second: DetectManifest) -> Iterable[tuple[str, str, str]]:
    ours, theirs = _flat(first.model_dump(mode="json")), _flat(second.model_dump(mode="json"))
    for name in dict.fromkeys((*ours, *theirs)):
        mine, other = ours.get(name), theirs.get(name)
        if name not in _NOT_COMPARED and mine != other:
            yield name, _shown(name, mine), _shown(name, other)


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, each in value.items():
        flat |= _flat(each, f"{prefix}{name} ") if isinstance(each, dict) else {f"{prefix}{name}": each}
    return flat


def _shown(name: str, value: Any) -> str:
    if value is None and name == "shots":
        return "all"
    return "–" if value in (None, "") else str(value)[:12] if name.endswith("sha256") else str(value)


def _notes(
    runs: tuple[DetectRun, DetectRun], labels: tuple[str, str], paired: int, lone: list[str]
) -> Iterable[str]:
    for label, run in zip(labels, runs, strict=True):
        if len(run.scores) != paired or run.manifest.images != paired:
            yield (
                f"'{label}' is to judge {run.manifest.images} images. Only the {paired} images that both runs have "
                "scored are compared."
            )
    if runs[0].manifest.dataset_sha256 != runs[1].manifest.dataset_sha256:
        yield (
            "The runs did not use exactly the same files. Other shots, masks or images left out are possible "
            "reasons. Make sure that the images are the same."
        )
    if lone:
        names = ", ".join(printable(name) for name in lone)
        yield f"Left out, because good or abnormal images are missing: {names}."
