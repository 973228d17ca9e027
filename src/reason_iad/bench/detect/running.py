"""A detection run: images one by one to scores and maps on disk, then the metrics from there.

The order is that of the set, and every image is scored on its own, so a run that was cut off and resumed ends with
the same files, byte for byte, as one that was not.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reason_iad.bench.detect.folder import DetectFolder
from reason_iad.bench.detect.maps import Map, as_map, find_maps, read_map
from reason_iad.bench.detect.metrics import evaluate
from reason_iad.bench.detect.plan import judged, references
from reason_iad.bench.detect.problems import Checked, References
from reason_iad.bench.detect.records import DetectManifest, DetectReport, ScoreRecord
from reason_iad.bench.detect.samples import Sample
from reason_iad.bench.packages import versions
from reason_iad.bench.storage import Destination
from reason_iad.errors import DatasetError, ReasonIADError
from reason_iad.expert.cache import Recent
from reason_iad.images import at_white, load_image, printable, same_white, white_of
from reason_iad.inspection.many import run_many

if TYPE_CHECKING:
    from reason_iad.expert.detectors.base import Detection, Detector, Fitted
    from reason_iad.schema import ModelVersion

log = logging.getLogger(__name__)

Advance = Callable[[str, int], Callable[[], None]]
"""Begins a phase (its name, its number of images); what it returns is called after each image."""

EXTERNAL = "maps"
"""Name of the detector whose maps were made elsewhere."""
_EXTERNAL_STATISTIC = "score: largest value of the map; map: as it was given"


@dataclass(frozen=True, slots=True)
class Settings:
    """What decides the scores, beside the set and the model.

    Attributes:
        detector: name, or `EXTERNAL`.
        references: what an image is compared with.
        shots: normal training images per category (`references` 'train'); None: all.
        limit: images judged per category; None: all.
        seed: of the draws.
        encoder: what makes the feature maps that the detector compares.
        encoder_sha256: its hash, where no model is loaded that states it.
    """

    detector: str = "distance"
    references: References = "train"
    shots: int | None = 8
    limit: int | None = None
    seed: int = 0
    encoder: str = "tower"
    encoder_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run.

    Attributes:
        report: the metrics.
        failures: images without a score.
        resized: how many maps made elsewhere had another size than their image.
    """

    report: DetectReport
    failures: tuple[ScoreRecord, ...]
    resized: int = 0


def run_detector(
    checked: Checked,
    settings: Settings,
    out: Destination,
    detector: Detector,
    model: ModelVersion | None,
    *,
    advance: Advance = lambda name, total: lambda: None,
    save_maps: bool = False,
) -> Outcome:
    """Score every test image, write it down, and judge.

    Args:
        checked: the set, without errors.
        settings: what decides the scores.
        out: the run's folder, and what to do with results that are there.
        detector: scores images.
        model: the weights behind it; None if no model was loaded.
        advance: shows progress.
        save_maps: also write the maps at the size of the images.

    Raises:
        DatasetError: results are in the way, or were made under other conditions.
        OutputError: another process writes there, or something cannot be written.
    """
    samples = judged(checked.dataset.samples, settings.limit, settings.seed)
    manifest = _manifest(checked, settings, samples, detector.statistic, model)
    with DetectFolder(out.folder, manifest, samples, resume=out.resume, overwrite=out.overwrite) as folder:
        folder.begin()
        step = advance("scoring", len(samples))
        for _ in folder.scores:
            step()
        pending = [sample for sample in samples if sample.id not in folder.scores]
        with closing(run_many(pending, _Scorer(checked, settings, detector))) as images:
            for each in images:
                folder.append(*_entry(each.job, checked, each.outcome))
                step()
        return _judge(folder, samples, folder.load_map, advance, folder.keep_full if save_maps else None)


def score_maps(
    checked: Checked,
    settings: Settings,
    out: Destination,
    maps: Path,
    *,
    advance: Advance = lambda name, total: lambda: None,
) -> Outcome:
    """Judge maps that were made elsewhere; an image's score is the largest value of its map.

    Args:
        checked, settings, out, advance: as in `run_detector`.
        maps: the folder of the maps (`maps.find_maps`).

    Raises:
        DatasetError: a map is missing or cannot be used, or as in `run_detector`.
        OutputError: something cannot be written.
    """
    samples = judged(checked.dataset.samples, settings.limit, settings.seed)
    if maps.resolve().is_relative_to(out.folder.resolve()):
        raise DatasetError(
            f"The maps are in '{printable(out.folder)}', which this run writes to; choose another --out."
        )
    paths = find_maps(maps, samples)
    manifest = _manifest(checked, settings, samples, _EXTERNAL_STATISTIC, None)
    other_size: list[str] = []
    with DetectFolder(out.folder, manifest, samples, resume=out.resume, overwrite=out.overwrite) as folder:
        folder.scores.clear()  # nothing says that the maps are still the same; reading them again is cheap
        folder.begin()
        step = advance("reading", len(samples))
        for sample in samples:
            values = read_map(paths[sample.id])
            facts = checked.facts[sample.id]
            if values.shape != (facts.height, facts.width):
                other_size.append(sample.id)
            folder.append(_record(sample, checked, float(values.max())), None)
            step()
        outcome = _judge(folder, samples, lambda sample: read_map(paths[sample.id]), advance, None)
    return Outcome(outcome.report, outcome.failures, len(other_size))


class _Scorer:
    """Scores images, each compared with what the settings say. Threads may share it.

    Args:
        checked: the set.
        settings: what an image is compared with.
        detector: is fitted to the normal images of a category, or to the template of an image, before it scores.
    """

    def __init__(self, checked: Checked, settings: Settings, detector: Detector) -> None:
        self._samples = checked.dataset.samples
        self._settings, self._detector = settings, detector
        self._fits: Recent[tuple[Fitted | Exception, float | None]] = Recent(1)

    def __call__(self, sample: Sample) -> Detection:
        """What the detector says of an image.

        Raises:
            Exception: whatever keeps it from a score; what is wrong with the references of a category is found out
                once, and raised for each of its images.
        """
        if self._settings.references == "template":
            if sample.template is None:
                raise DatasetError(f"'{printable(sample.id)}' has no template; leave --references template out.")
            template, image = same_white([load_image(sample.template), load_image(sample.image)])
            return self._detector.fit([template]).score(image)
        fitted, white = self._fits.get(sample.category, lambda: self._fit(sample.category))
        if isinstance(fitted, Exception):
            raise fitted
        return fitted.score(at_white(load_image(sample.image), white))

    def _fit(self, category: str) -> tuple[Fitted | Exception, float | None]:
        """The detector fitted to the normal images of a category, or why that failed; and what is white there."""
        normals = references(self._samples, category, self._settings.shots, self._settings.seed)
        try:
            images = same_white([load_image(normal.image) for normal in normals])
            return self._detector.fit(images), white_of([image.depth for image in images])
        except Exception as error:
            log.debug("references of '%s'", printable(category), exc_info=True)
            return error, None


def _entry(sample: Sample, checked: Checked, found: Detection | Exception) -> tuple[ScoreRecord, Map | None]:
    """The line of an image, and its map."""
    if not isinstance(found, Exception):
        try:
            values = as_map(found.map, f"The map of '{printable(sample.id)}'")
            if not math.isfinite(found.score):
                raise DatasetError(f"The score of '{printable(sample.id)}' is {found.score}; it must be finite.")
            return _record(sample, checked, found.score, found.details), values
        except Exception as error:  # a detector may be anybody's
            found = error
    words = str(found) if isinstance(found, ReasonIADError) else f"{type(found).__name__}: {found}"
    return _record(sample, checked, None, error=words), None


def _record(
    sample: Sample,
    checked: Checked,
    score: float | None,
    details: Mapping[str, float] | None = None,
    error: str | None = None,
) -> ScoreRecord:
    facts = checked.facts[sample.id]
    return ScoreRecord(
        id=sample.id,
        category=sample.category,
        kind=sample.kind,
        label=sample.label,
        width=facts.width,
        height=facts.height,
        score=score,
        details=dict(details or {}),
        error=error,
    )


def _judge(
    folder: DetectFolder,
    samples: Sequence[Sample],
    load_map: Callable[[Sample], Map],
    advance: Advance,
    keep: Callable[[Sample, Map], None] | None,
) -> Outcome:
    report = evaluate(samples, folder.scores, load_map, advance=advance("judging", len(samples)), keep=keep)
    folder.finish(report)
    return Outcome(report, tuple(record for record in folder.scores.values() if record.score is None))


def _manifest(
    checked: Checked, settings: Settings, samples: Sequence[Sample], statistic: str, model: ModelVersion | None
) -> DetectManifest:
    dataset = checked.dataset
    return DetectManifest(
        status="running",
        detector=settings.detector,
        encoder=settings.encoder,
        encoder_sha256=settings.encoder_sha256,
        statistic=statistic,
        dataset=dataset.root.resolve().name,
        layout=dataset.layout,
        dataset_sha256=checked.sha256(),
        categories=dataset.categories,
        left_out=checked.left_out,
        references=settings.references,
        shots=settings.shots if settings.references == "train" else None,
        seed=settings.seed,
        limit=settings.limit,
        images=len(samples),
        model=model,
        packages=versions(),
    )
