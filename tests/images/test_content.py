"""A file that cannot be read is named by what it is."""

from __future__ import annotations

import io

import numpy as np
import pytest
from tests.images.image_files import tiff

from reason_iad.errors import ImageError
from reason_iad.images import load_image
from reason_iad.images.formats import HAS_AVIF, HAS_HEIC

PLAIN = np.zeros((16, 16), np.uint16)


def boxes(brand: bytes, *others: bytes) -> bytes:
    return b"\0\0\0\x20ftyp" + brand + b"\0\0\0\0" + b"".join(others) + bytes(64)


def numpy_file() -> bytes:
    file = io.BytesIO()
    np.save(file, PLAIN)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "Git LFS pointer"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "run 'git lfs pull'"),
        (tiff(PLAIN.astype(np.float64)), "64-bit float values; save it as 32-bit float or 16-bit"),
        (
            tiff(np.zeros((16, 16, 3), np.float32)),
            "colour TIFF with 32-bit float values; save it as 8-bit or 16-bit",
        ),
        (tiff(np.zeros((16, 16, 5), np.uint8), t262=1), "5-channel TIFF"),
        (tiff(PLAIN, t262=32803), "raw camera file"),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(64), "JPEG 2000"),
        (b"\xff\x4f\xff\x51" + bytes(64), "JPEG 2000"),
        (boxes(b"crx "), "raw camera file"),
        (b"FUJIFILMCCD-RAW 0201" + bytes(64), "raw camera file"),
        (boxes(b"isom"), "a film"),
        (b"%PDF-1.4", "PDF"),
        (b"<svg></svg>", "SVG"),
        (b"\n<!DOCTYPE HTML><html>", "web page"),
        (bytes(128) + b"DICM" + bytes(64), "DICOM"),
        (numpy_file(), "NumPy"),
    ],
)
def test_what_cannot_be_read_is_named(content: bytes, said: str) -> None:
    with pytest.raises(ImageError) as caught:
        load_image(content)
    assert said in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.skipif(HAS_HEIC, reason="HEIC can be read here")
@pytest.mark.parametrize("content", [boxes(b"heic"), boxes(b"mif1", b"heic")])
def test_heic_says_what_reads_it(content: bytes) -> None:
    with pytest.raises(
        ImageError, match=r'is a HEIC image; install what reads it \(pip install "reason-iad\[heic\]"'
    ):
        load_image(content)


@pytest.mark.skipif(not HAS_AVIF, reason="this Pillow reads no AVIF")
def test_avif_is_read() -> None:
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (32, 24), (200, 40, 40)).save(file, "AVIF", quality=95)
    loaded = load_image(file.getvalue())
    assert np.abs(np.asarray(loaded.pixels, int)[12, 16] - (200, 40, 40)).max() < 8


@pytest.mark.parametrize("cut", [9, 20, 60])
def test_a_tiff_that_is_cut_off_is_refused_without_a_name(cut: int) -> None:
    with pytest.raises(ImageError, match="not an image that can be read"):
        load_image(tiff(PLAIN.astype(np.float64))[:cut])
