"""Large pictures with more than 8 bits are read some rows at a time, with the same result."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from reason_iad.images import depth, load_image
from reason_iad.images.loading import _from_premultiplied


def deep_file(layers: int, suffix: str) -> bytes:
    values = np.random.default_rng(layers).integers(0, 4096, (40, 30, layers)).astype(np.uint16)
    done, data = cv2.imencode(suffix, values if layers > 1 else values[..., 0])
    assert done
    return data.tobytes()


FILES = {f"{layers}{suffix}": deep_file(layers, suffix) for layers in (1, 3, 4) for suffix in (".png", ".tif")}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("white", [None, 2047.0])
def test_rows_are_read_a_few_at_a_time(name: str, white: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = load_image(FILES[name], white=white)
    monkeypatch.setattr(depth, "_STRIP", 100)
    in_strips = load_image(FILES[name], white=white)
    assert in_strips.pixels.tobytes() == at_once.pixels.tobytes()
    assert in_strips.notes == at_once.notes
    assert len(set(at_once.pixels.tobytes())) > 10


def test_a_picture_whose_white_is_settled_lets_its_values_go() -> None:
    image = load_image(FILES["3.png"])
    assert image.depth is not None and image.depth.values is not None
    settled = image.settled()
    assert settled.depth is not None and settled.depth.values is None
    assert (settled.white, settled.notes, settled.sha256) == (image.white, image.notes, image.sha256)
    assert settled.pixels is image.pixels
    assert settled.settled() is settled


def test_colours_are_as_before_they_were_multiplied(monkeypatch: pytest.MonkeyPatch) -> None:
    colours = np.random.default_rng(0).integers(0, 30_000, (9, 5, 3)).astype(np.uint16)
    opacity = np.random.default_rng(1).integers(30_000, 65_536, (9, 5, 1)).astype(np.uint16)
    opacity[0, 0] = 65_535
    multiplied = (colours * (opacity / 65_535)).round().astype(np.uint16)
    monkeypatch.setattr(depth, "_STRIP", 40)
    found = _from_premultiplied(np.concatenate([multiplied, opacity], axis=2))
    assert np.abs(found[..., :3].astype(int) - colours).max() <= 2
    assert np.array_equal(found[..., 3:], opacity)
