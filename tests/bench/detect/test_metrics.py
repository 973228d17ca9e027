"""Metrics of a set: from files to numbers, and what is said where there is no number."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.bench.detect import trees

from reason_iad.bench.detect.exact import exact_areas
from reason_iad.bench.detect.maps import Map
from reason_iad.bench.detect.masks import read_truth
from reason_iad.bench.detect.metrics import evaluate
from reason_iad.bench.detect.readers import read_dataset
from reason_iad.bench.detect.records import DetectReport, ScoreRecord
from reason_iad.bench.detect.samples import Sample
from reason_iad.bench.detect.tables import as_csv, as_markdown


def record(sample: Sample, score: float | None) -> ScoreRecord:
    width, height = trees.SIZE
    return ScoreRecord(
        id=sample.id, category=sample.category, kind=sample.kind, label=sample.label,
        width=width, height=height, score=score,
    )  # fmt: skip


def judge(root: Path, make: Callable[[Sample], Map], fails: str = "-") -> DetectReport:
    samples = [sample for sample in read_dataset(root).samples if sample.split == "test"]
    records = {s.id: record(s, None if fails in s.id else float(make(s).max())) for s in samples}
    return evaluate(samples, records, make)


def noise(sample: Sample) -> Map:
    """A map of the size of the image that knows a little of the truth."""
    draw = np.random.default_rng(len(sample.id) + int(sample.image.stem, 36))
    return (draw.random(trees.SIZE[::-1]) + 0.3 * read_truth(sample, trees.SIZE).mask).astype(np.float32)


@pytest.mark.parametrize("tree", [trees.mvtec, trees.loco], ids=["regions", "saturated regions"])
def test_categories_are_judged_as_the_slow_version_does(tree: Callable[[Path], Path], tmp_path: Path) -> None:
    report = judge(tree(tmp_path), noise)
    for one in report.categories:
        samples = [s for s in read_dataset(tmp_path).samples if s.split == "test" and s.category == one.category]
        truths = [read_truth(sample, trees.SIZE) for sample in samples]
        maps = [noise(sample) for sample in samples]
        pixels = exact_areas(maps, [truth.mask for truth in truths], [truth.regions for truth in truths])
        images = exact_areas(
            [np.array([values.max()]) for values in maps],
            [np.array([bool(sample.label)]) for sample in samples],
            [[] for _ in samples],
        )
        found = (one.image_auroc, one.image_ap, one.image_f1_max, one.pixel_auroc, one.pixel_ap)
        assert found == pytest.approx((images.auroc, images.ap, images.f1_max, pixels.auroc, pixels.ap), abs=1e-6)
        assert (one.aupro_30, one.aupro_05) == pytest.approx((pixels.aupro[0.3], pixels.aupro[0.05]), abs=1e-6)
        assert one.regions == sum(len(truth.regions) for truth in truths)
    assert report.mean["pixel_auroc"] == pytest.approx(np.mean([one.pixel_auroc for one in report.categories]))


def test_saturated_regions_are_found_by_a_part_of_them(tmp_path: Path) -> None:
    trees.loco(tmp_path)

    def corner(sample: Sample) -> Map:
        values = np.zeros(trees.SIZE[::-1], np.float32)
        values[6:9, 6:9] = sample.label  # 9 of the 36 pixels; 9 saturate
        return values

    (one,) = judge(tmp_path, corner).categories
    assert one.saturated and one.kinds == {"logical_anomalies": 1.0, "structural_anomalies": 1.0}
    # four files of value 250 are found whole; two of 251 (64 pixels, 32 saturate) by the one pixel they share
    assert one.aupro_05 == pytest.approx((4 + 2 / 32) / 6, abs=0.01)


def test_failed_images_are_counted_and_in_no_metric(tmp_path: Path) -> None:
    report = judge(trees.mvtec(tmp_path), noise, fails="nut/test/scratch/000")
    nut = report.categories[0]
    assert (nut.failed, nut.normal, nut.abnormal, nut.regions) == (1, 2, 1, 1)
    assert "nut: 1 images failed and are in no metric." in as_markdown(report)


def test_a_set_without_masks_has_image_metrics_only(tmp_path: Path) -> None:
    trees.mvtec(tmp_path, ("nut",))
    shutil.rmtree(tmp_path / "nut/ground_truth")
    report = judge(tmp_path, lambda s: np.full((3, 4), s.label, np.float32))
    (one,) = report.categories
    assert one.image_auroc == 1 and one.pixel_auroc is None and one.aupro_30 is None
    assert set(one.undefined.values()) == {"there are no masks"}
    text = as_markdown(report)
    assert "nut: no pixel AUROC, pixel AP, AUPRO 0.3, AUPRO 0.05, because there are no masks." in text
    assert "| 100.0 | – |" in text and "nan" not in text


def test_means_are_over_what_is_defined_and_say_so(tmp_path: Path) -> None:
    trees.mvtec(tmp_path)
    for path in (tmp_path / "tile/test/good").iterdir():
        path.unlink()
    report = judge(tmp_path, noise)
    nut, tile = report.categories
    assert tile.image_auroc is None and tile.undefined == {"image_auroc": "nothing is normal"}
    assert report.mean["image_auroc"] == nut.image_auroc and report.mean_of["image_auroc"] == 1
    assert "The mean image AUROC is over 1 of 2 categories." in as_markdown(report)
    rows = [line.split(",") for line in as_csv(report).splitlines()]
    assert [row[0] for row in rows] == ["category", "nut", "tile", "(mean)"]  # a category may be called 'mean'
    assert rows[2][rows[0].index("image_auroc")] == ""
    assert float(rows[1][rows[0].index("image_auroc")]) == nut.image_auroc


def test_maps_of_another_size_are_judged_at_the_size_of_the_image(tmp_path: Path) -> None:
    root = trees.mvtec(tmp_path, ("nut",))
    (one,) = judge(root, lambda s: np.array([[s.label, 0], [0, 0]], np.float32)).categories
    assert one.pixel_auroc is not None and one.pixel_auroc > 0.8
