"""Judge scores and maps, category by category: one tally of images, one of pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from reason_iad.bench.detect.curve import AUPRO_LIMITS, Areas, areas, reasons
from reason_iad.bench.detect.maps import Map, resized
from reason_iad.bench.detect.masks import read_truth
from reason_iad.bench.detect.records import METRIC_NAMES, CategoryMetrics, DetectReport, ScoreRecord
from reason_iad.bench.detect.regions import weights
from reason_iad.bench.detect.samples import Sample
from reason_iad.bench.detect.tally import LIMIT, Tally

LoadMap = Callable[[Sample], Map]
"""The map of an image at any size; bilinear to the size of the image."""
KeepMap = Callable[[Sample, Map], None]
"""Told the map at the size of the image."""


def evaluate(
    samples: Sequence[Sample],
    records: Mapping[str, ScoreRecord],
    load_map: LoadMap,
    *,
    advance: Callable[[], None] = lambda: None,
    keep: KeepMap | None = None,
    limit: int = LIMIT,
) -> DetectReport:
    """Metrics of every category, and their mean.

    Args:
        samples: the images that were judged.
        records: their scores, by id.
        load_map: gives the map of an image that has a score.
        advance: called after each image.
        keep: told each map at full size.
        limit: distinct pixel scores held in memory.

    Raises:
        DatasetError: a map or a mask cannot be used; the message names the file.
    """
    categories = []
    for category in sorted({sample.category for sample in samples}):
        mine = [sample for sample in samples if sample.category == category]
        scored = [sample for sample in mine if records[sample.id].score is not None]
        with Tally(limit) as pixels:
            _add_pixels(pixels, mine, records, load_map, advance, keep)
            found, why = areas(pixels), reasons(pixels)
            regions = round(pixels.weight)
        if not any(sample.masks for sample in mine):
            found = Areas(None, None, None, None, dict.fromkeys(AUPRO_LIMITS))
            nothing = any(sample.label for sample in mine)
            why = dict.fromkeys(
                ("auroc", "ap", "aupro"), "there are no masks" if nothing else "nothing is abnormal"
            )
        categories.append(_metrics(category, mine, scored, records, found, why, regions))
    return _with_mean(categories)


def _add_pixels(
    tally: Tally,
    samples: Sequence[Sample],
    records: Mapping[str, ScoreRecord],
    load_map: LoadMap,
    advance: Callable[[], None],
    keep: KeepMap | None,
) -> None:
    """Every pixel of a category's scored images, at the size of the image."""
    has_masks = any(sample.masks for sample in samples)
    for sample in samples:
        record = records[sample.id]
        if record.score is not None and (has_masks or keep):
            size = (record.width, record.height)
            values = resized(load_map(sample), size)
            if keep:
                keep(sample, values)
            if has_masks:
                truth = read_truth(sample, size)
                tally.add(values, truth.mask, weights(values, truth.regions))
        advance()


def _metrics(
    category: str,
    samples: Sequence[Sample],
    scored: Sequence[Sample],
    records: Mapping[str, ScoreRecord],
    pixels: Areas,
    why: Mapping[str, str],
    regions: int,
) -> CategoryMetrics:
    found, image_why = _image_areas(scored, records)
    undefined = {f"image_{name}": reason for name, reason in image_why.items()}
    undefined |= {f"pixel_{name}": reason for name, reason in why.items() if name in ("auroc", "ap")}
    if "aupro" in why:
        undefined |= dict.fromkeys(("aupro_30", "aupro_05"), why["aupro"])
    good = [sample for sample in scored if not sample.label]
    kinds = sorted({sample.kind for sample in scored if sample.label})
    return CategoryMetrics(
        category=category,
        normal=len(good),
        abnormal=len(scored) - len(good),
        failed=len(samples) - len(scored),
        regions=regions,
        saturated=any(sample.saturation is not None for sample in samples),
        image_auroc=found.auroc,
        image_ap=found.ap,
        image_f1_max=found.f1_max,
        pixel_auroc=pixels.auroc,
        pixel_ap=pixels.ap,
        aupro_30=pixels.aupro[0.3],
        aupro_05=pixels.aupro[0.05],
        f1_threshold=found.f1_threshold,
        kinds={
            kind: _image_areas([*good, *(s for s in scored if s.kind == kind and s.label)], records)[0].auroc
            for kind in kinds
        },
        undefined={name: reason for name, reason in undefined.items() if name in METRIC_NAMES},
    )


def _image_areas(samples: Sequence[Sample], records: Mapping[str, ScoreRecord]) -> tuple[Areas, dict[str, str]]:
    """The curves over image scores; there are no regions."""
    with Tally() as tally:
        scores = np.array([records[sample.id].score for sample in samples], dtype=np.float64)
        tally.add(scores, np.array([sample.label for sample in samples], dtype=bool))
        return areas(tally), {name: reason for name, reason in reasons(tally).items() if name != "aupro"}


def _with_mean(categories: Sequence[CategoryMetrics]) -> DetectReport:
    mean: dict[str, float | None] = {}
    mean_of: dict[str, int] = {}
    for name in METRIC_NAMES:
        values = [value for one in categories if (value := getattr(one, name)) is not None]
        mean[name] = sum(values) / len(values) if values else None
        mean_of[name] = len(values)
    return DetectReport(categories=tuple(categories), mean=mean, mean_of=mean_of)
