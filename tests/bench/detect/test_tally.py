"""The accumulator: pooled, descending, bounded in memory, and clean behind itself."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from reason_iad.bench.detect.curve import areas
from reason_iad.bench.detect.tally import Tally
from reason_iad.errors import OutputError


def test_scores_come_pooled_and_strictly_descending(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    with Tally(limit=50, folder=tmp_path) as tally:
        scores = [np.round(random.normal(size=(20, 20)), 2).astype(np.float32) for _ in range(10)]
        masks = [random.random((20, 20)) < 0.1 for _ in range(10)]
        for one, mask in zip(scores, masks, strict=True):
            tally.add(one, mask, mask * 0.5)
        parts = list(tally.descending())
    assert len(parts) > 3
    together = [np.concatenate(column) for column in zip(*parts, strict=True)]
    flat, truth = np.concatenate(scores).ravel(), np.concatenate(masks).ravel()
    values, inverse = np.unique(flat, return_inverse=True)
    assert together[0].tolist() == values[::-1].tolist()
    assert together[1].tolist() == np.bincount(inverse, ~truth)[::-1].tolist()
    assert together[2].tolist() == np.bincount(inverse, truth)[::-1].tolist()
    assert together[3].tolist() == (np.bincount(inverse, truth) / 2)[::-1].tolist()
    assert (tally.normal, tally.abnormal, tally.weight) == ((~truth).sum(), truth.sum(), truth.sum() / 2)


def test_memory_stays_bounded_while_scores_spill(tmp_path: Path) -> None:
    limit, side = 20_000, 100  # 50 images are 500,000 distinct scores: 25 times what may be held
    random = np.random.default_rng(1)
    mask = np.zeros((side, side), bool)
    mask[10:20, 10:20] = True

    def peak(count: int) -> int:
        tracemalloc.start()
        with Tally(limit, tmp_path) as tally:
            for _ in range(count):
                tally.add(random.random((side, side), dtype=np.float32), mask, mask / 100)
            assert any(tmp_path.iterdir()) == (count > 1)
            areas(tally)
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    peak(1)  # imports and caches
    few, many = peak(5), peak(50)
    assert many < 1.3 * few
    assert many < 120 * limit  # bytes


def test_what_was_spilled_is_deleted_even_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), Tally(limit=2, folder=tmp_path) as tally:
        tally.add(np.arange(100.0), np.zeros(100, bool))
        assert list(tmp_path.rglob("*.npy"))
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_while_it_fits(tmp_path: Path) -> None:
    with Tally(limit=1000, folder=tmp_path) as tally:
        for _ in range(100):
            tally.add(np.arange(100.0) % 7, np.zeros(100, bool))  # seven distinct scores
        assert not list(tmp_path.iterdir())


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    with Tally(limit=2, folder=tmp_path / "missing") as tally, pytest.raises(OutputError, match="TMPDIR"):
        tally.add(np.arange(100.0), np.zeros(100, bool))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
def test_scores_must_be_finite_as_float32(value: float) -> None:
    with Tally() as tally, pytest.raises(ValueError, match="finite"):
        tally.add(np.array([0.0, value]), np.array([False, True]))
