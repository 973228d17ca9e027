"""A picture lies the same way whether its pixels or only its header are read."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin
from tests.images.image_files import deep_png, png_chunk, tiff

from reason_iad.images import load_image, size_by_header

ORIENTATIONS = range(1, 9)
XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="{}"/></x:xmpmeta>'


def picture() -> np.ndarray:
    """A 24x16 picture without any symmetry."""
    rows, columns = np.mgrid[:16, :24]
    return np.stack([rows * 12, columns * 9, np.where((rows < 5) & (columns < 3), 200, 20)], -1).astype(np.uint8)


def turned(orientation: int) -> np.ndarray:
    """How a viewer shows a picture with this orientation."""
    as_shown = {
        1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1), 6: lambda a: np.rot90(a, -1), 7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
        8: lambda a: np.rot90(a, 1),
    }  # fmt: skip
    return as_shown[orientation](picture())


def saved(kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture()).save(file, kind, **options)  # type: ignore[arg-type]
    return file.getvalue()


def exif(orientation: int) -> bytes:
    made = Image.Exif()
    made[0x0112] = orientation
    return made.tobytes()


def xmp_chunk(orientation: int) -> bytes:
    return png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP.format(orientation).encode())


def with_tag(orientation: int, compression: str | None) -> bytes:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[274] = orientation
    return saved("TIFF", tiffinfo=tags, compression=compression)


def png_with(before: bytes, after: bytes = b"") -> bytes:
    plain = saved("PNG")
    head, end = 33, len(plain) - 12  # behind IHDR, before IEND
    return plain[:head] + before + plain[head:end] + after + plain[end:]


FILES = {
    "PNG with EXIF": lambda o: saved("PNG", exif=exif(o)),
    "PNG with XMP": lambda o: png_with(xmp_chunk(o)),
    "PNG with XMP behind the pixels": lambda o: png_with(b"", xmp_chunk(o)),
    "PNG of 16 bits with XMP": lambda o: deep_png(picture().astype(np.uint16) * 257, xmp_chunk(o)),
    "PNG of 16 bits with EXIF": lambda o: deep_png(picture() * np.uint16(257), png_chunk(b"eXIf", exif(o)[6:])),
    "TIFF": lambda o: with_tag(o, None),
    "TIFF, compressed": lambda o: with_tag(o, "tiff_lzw"),
    "TIFF of 16 bits": lambda o: tiff(picture().astype(np.uint16) * 257, t274=o),
    "WebP": lambda o: saved("WEBP", lossless=True, exif=exif(o)),
}


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("kind", FILES)
def test_header_and_pixels_agree(kind: str, orientation: int) -> None:
    data = FILES[kind](orientation)
    loaded = load_image(data)
    assert np.array_equal(np.asarray(loaded.pixels), turned(orientation))
    assert size_by_header(data, "It") == (loaded.width, loaded.height)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_jpeg_is_turned_as_its_header_says(orientation: int) -> None:
    data = saved("JPEG", exif=exif(orientation))
    loaded = load_image(data)
    assert (loaded.height, loaded.width) == turned(orientation).shape[:2]
    assert size_by_header(data, "It") == (loaded.width, loaded.height)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_deep_grey_tiff_is_turned(orientation: int) -> None:
    data = tiff(picture()[..., 1].astype(np.uint16) * 257, t274=orientation)
    assert np.array_equal(np.asarray(load_image(data).pixels)[..., 0], turned(orientation)[..., 1])


@pytest.mark.parametrize("orientation", [0, 9, 200])
def test_an_orientation_that_does_not_exist_is_none(orientation: int) -> None:
    data = saved("PNG", exif=exif(orientation))
    assert load_image(data).pixels.size == size_by_header(data, "It") == (24, 16)


def test_a_header_is_read_without_the_pixels() -> None:
    whole = saved("PNG")
    assert size_by_header(whole[: len(whole) // 2], "It") == (24, 16)
