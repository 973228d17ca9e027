"""The truth of an image: read from any kind of mask, and refused before it costs anything."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.bench.detect import trees

from reason_iad.bench.detect import inventory
from reason_iad.bench.detect.masks import read_mask, read_truth
from reason_iad.bench.detect.samples import Sample, Saturation
from reason_iad.errors import DatasetError


def sample(*masks: Path, saturation: dict[int, Saturation] | None = None) -> Sample:
    return Sample("a.png", "nut", "test", Path("a.png"), 1, "bad", masks, saturation=saturation)


def test_masks_of_any_mode_count_what_is_not_zero(tmp_path: Path) -> None:
    spot = np.zeros((4, 5), np.uint8)
    spot[1, 2] = 3
    palette = Image.fromarray(spot).convert("P")
    colours = Image.fromarray(np.stack([spot * 0, spot, spot * 0, np.full_like(spot, 255)], axis=2))
    for name, image in (("grey", Image.fromarray(spot)), ("bits", Image.fromarray(spot > 0)), ("palette", palette),
                        ("colours", colours), ("deep", Image.fromarray(spot.astype(np.uint16)))):  # fmt: skip
        image.save(tmp_path / f"{name}.png")
        mask = read_mask(tmp_path / f"{name}.png", (5, 4))
        assert np.argwhere(mask.marked).tolist() == [[1, 2]] and mask.values.max() == 3 - 2 * (name == "bits"), name


@pytest.mark.parametrize("side", [9000, 30_000])
def test_a_mask_of_another_size_is_not_decoded(side: int, tmp_path: Path) -> None:
    path = trees.header(tmp_path / "mask.png", side)
    complaint = "is 9000x9000 pixels, its image 24x20" if side == 9000 else "cannot be read"
    with pytest.raises(DatasetError, match=rf"mask\.png' {complaint}"):
        read_truth(sample(path), trees.SIZE)


def test_a_mask_file_that_is_too_large_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = trees.mask(tmp_path / "mask.png")
    monkeypatch.setattr(inventory, "MAX_FILE_BYTES", 2**20)
    with path.open("ab") as file:
        file.truncate(2**20 + 1)
    with pytest.raises(DatasetError, match=r"mask\.png' is larger than 1 MiB"):
        read_truth(sample(path), trees.SIZE)


def test_a_missing_mask_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"mask\.png' does not exist"):
        read_truth(sample(tmp_path / "mask.png"), trees.SIZE)


def test_many_masks_take_no_more_memory_than_few(tmp_path: Path) -> None:
    side = 700
    masks = [trees.mask(tmp_path / f"{i}.png", size=(side, side), box=(0, i, 4, i + 4)) for i in range(20)]

    def peak(count: int) -> int:
        tracemalloc.start()
        truth = read_truth(sample(*masks[:count], saturation={255: Saturation(4, False)}), (side, side))
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert len(truth.regions) == count
        return top

    peak(1)  # imports and caches
    assert peak(20) < peak(2) + 2 * side * side
