"""HEIC pictures, as telephones write them, are read upright where the extra is installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reason_iad.images import find_images, load_image

heif = pytest.importorskip("pillow_heif", reason='needs pip install "reason-iad[heic]"')

SIDEWAYS = 6
"""EXIF: the picture has to be turned clockwise by 90 degrees."""


def write(path: Path, orientation: int | None = None) -> Path:
    """A picture whose left half is red."""
    heif.register_heif_opener()
    pixels = np.zeros((120, 160, 3), np.uint8)
    pixels[:, :80] = (200, 30, 30)
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, quality=95, exif=exif.tobytes())
    return path


def test_it_is_read(tmp_path: Path) -> None:
    image = load_image(write(tmp_path / "part.heic"))
    assert (image.width, image.height) == (160, 120)
    assert np.abs(np.asarray(image.pixels)[60, 20].astype(int) - (200, 30, 30)).max() < 12
    assert np.asarray(image.pixels)[60, 140].max() < 12


def test_it_is_turned_upright_as_others_are(tmp_path: Path) -> None:
    image = load_image(write(tmp_path / "part.heic", SIDEWAYS))
    assert (image.width, image.height) == (120, 160)
    assert np.abs(np.asarray(image.pixels)[20, 60].astype(int) - (200, 30, 30)).max() < 12


def test_a_folder_takes_it(tmp_path: Path) -> None:
    write(tmp_path / "part.heic")
    assert [path.name for path in find_images([tmp_path])] == ["part.heic"]
