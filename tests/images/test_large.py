"""Large pictures: what looks at the whole uses a smaller copy, and all pixels stay within reach."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reason_iad.images import at_most, load_image, sources


def test_a_picture_of_usual_size_is_its_own_whole() -> None:
    loaded = load_image(np.zeros((64, 64, 3), np.uint8))
    assert loaded.whole is loaded.pixels
    assert loaded.lighter() is loaded


def test_a_large_picture_has_a_smaller_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "WHOLE", 1000)
    loaded = load_image(np.full((80, 50, 3), 77, np.uint8))
    assert loaded.pixels.size == (50, 80)
    assert loaded.whole.size == (25, 40)
    light = loaded.lighter()
    assert (light.pixels.size, light.width, light.height, light.sha256) == ((25, 40), 50, 80, loaded.sha256)
    assert light.lighter() is light


@pytest.mark.parametrize("size", [(100, 100), (1000, 8), (8, 1000), (333, 77)])
@pytest.mark.parametrize("pixels", [100, 999, 5000])
def test_a_smaller_copy_keeps_to_the_number_of_pixels(size: tuple[int, int], pixels: int) -> None:
    small = at_most(Image.new("RGB", size), pixels)
    assert small.width * small.height <= pixels * 1.5 + max(small.size)  # sides are rounded up


def test_a_file_is_decoded_without_a_second_copy(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a description"
    Image.new("RGB", (32, 24), (9, 8, 7)).save(tmp_path / "a.jpg", exif=exif, dpi=(300, 300))
    loaded = load_image(tmp_path / "a.jpg")
    assert loaded.pixels.info == {}, "nothing of the file but its pixels"
    copy = load_image(loaded.pixels)
    assert copy.pixels is not loaded.pixels
