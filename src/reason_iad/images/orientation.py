"""How a picture is turned to lie upright: decided here once, for its pixels and for its size by the header."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from PIL import Image

from reason_iad.images.metadata import tag_numbers

_TAG = 274
_WIDTH, _HEIGHT = 256, 257
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Orientation as EXIF, TIFF and XMP write it, to what makes the picture upright."""
_LYING = frozenset({5, 6, 7, 8})
"""Orientations that exchange width and height."""
_SAID_IN_PNG = (b"exif", b"xml:com.adobe.xmp")
"""Names (lower case) under which a PNG can say how it lies."""


def orientation_of(image: Image.Image, data: bytes | None = None) -> int:
    """How a picture lies, by its EXIF data, its tags or its XMP data: 1 for upright, up to 8.

    Args:
        image: opened; its pixels need not be decoded.
        data: its file, if there is one. A PNG that does not speak of it is then not decoded to look for it.

    Raises:
        Exception: what is written there is malformed; any type, because decoders meet hostile bytes here.
    """
    if data is not None and image.format == "PNG":
        lower = data.lower()
        if not any(name in lower for name in _SAID_IN_PNG):
            return 1
    found = next(iter(tag_numbers(image, _TAG)), None) or image.getexif().get(_TAG, 1)
    return int(found) if found in _TURNS else 1


def upright_size(image: Image.Image, data: bytes | None = None) -> tuple[int, int]:
    """Width and height of a picture when it lies upright, as loading gives it.

    Args:
        image: opened; its pixels need not be decoded.
        data: its file, as for `orientation_of`.
    """
    try:
        lying = orientation_of(image, data) in _LYING
    except Exception:  # malformed: loading ignores it, too
        lying = False
    # Pillow gives the size of a TIFF upright, but only where its tags say how it lies.
    sides = (*tag_numbers(image, _WIDTH), *tag_numbers(image, _HEIGHT))
    width, height = map(int, sides) if len(sides) == 2 else image.size
    return (height, width) if lying else (width, height)


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """A picture turned to lie upright; the same one if it does."""
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def upright_values(values: NDArray[Any], orientation: int) -> NDArray[Any]:
    """The same for pixel values (H, W[, C])."""
    if orientation in _LYING:
        values = values.swapaxes(0, 1)
    flip_rows, flip_columns = {
        2: (False, True), 3: (True, True), 4: (True, False),
        6: (False, True), 7: (True, True), 8: (True, False),
    }.get(orientation, (False, False))  # fmt: skip
    values = values[::-1] if flip_rows else values
    return values[:, ::-1] if flip_columns else values
