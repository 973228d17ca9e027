"""Which images are judged and compared with: drawn from the seed, and growing instead of changing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from tests.bench.detect import trees

from reason_iad.bench.detect.plan import judged, only, references
from reason_iad.bench.detect.readers import read_dataset
from reason_iad.bench.detect.samples import Dataset, Sample, Split
from reason_iad.errors import DatasetError


def many() -> list[Sample]:
    def some(count: int, category: str, split: Split, kind: str) -> list[Sample]:
        names = [f"{category}/{split}/{kind}/{i}.png" for i in range(count)]
        return [Sample(n, category, split, Path(n), 0 if kind == "good" else 1, kind) for n in names]

    return [*some(20, "nut", "train", "good"), *some(3, "tile", "train", "good"), *some(9, "nut", "test", "good"),
            *some(9, "nut", "test", "dent"), *some(1, "nut", "test", "burn"),
            *some(4, "tile", "test", "good")]  # fmt: skip


def test_everything_in_test_is_judged_without_a_limit() -> None:
    assert [sample.split for sample in judged(many(), None, 0)] == ["test"] * 23


def test_a_limit_is_per_category_half_normal_and_even_over_kinds() -> None:
    few = judged(many(), 7, 0)
    assert Counter((s.category, s.kind) for s in few) == {
        ("nut", "burn"): 1, ("nut", "dent"): 2, ("nut", "good"): 4, ("tile", "good"): 4,
    }  # fmt: skip
    assert [s for s in many() if s in few] == few  # in the order of the set


def test_a_larger_limit_or_more_shots_only_add_images() -> None:
    samples = many()
    assert {s.id for s in judged(samples, 4, 1)} < {s.id for s in judged(samples, 8, 1)}
    four, eight = references(samples, "nut", 4, 1), references(samples, "nut", 8, 1)
    assert eight[:4] == four and len(eight) == 8
    assert references(samples, "nut", 4, 2) != four
    assert len(references(samples, "tile", 8, 0)) == 3


def test_only_what_is_there_can_be_chosen(tmp_path: Path) -> None:
    root = trees.mvtec(tmp_path)
    (root / "tile/test/dent").mkdir()
    dataset = read_dataset(root)
    assert only(dataset, ()) is dataset
    nut = only(dataset, ("nut",))
    assert nut.categories == ("nut",) and nut.empty == ()
    assert only(dataset, ("tile",)).empty == dataset.empty
    with pytest.raises(DatasetError, match="choose from: nut, tile"):
        only(dataset, ("pill",))


def test_validation_images_are_neither_judged_nor_compared_with(tmp_path: Path) -> None:
    dataset: Dataset = read_dataset(trees.loco(tmp_path))
    used = [*judged(dataset.samples, None, 0), *references(dataset.samples, "pins", 99, 0)]
    assert {sample.split for sample in dataset.samples} - {sample.split for sample in used} == {"validation"}
