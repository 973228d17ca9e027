"""What a file says of its own values: how many bits count, and whether 0 is white."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reason_iad.images.depth import few_above, strips

_PNG = b"\x89PNG\r\n\x1a\n"
_MAX_CHUNKS = 10_000
_BITS, _PHOTOMETRIC, _SAMPLES, _MAX_SAMPLE, _EXTRA, _FORMAT, _SMAX_SAMPLE = 258, 262, 277, 281, 338, 339, 341
_PNG_COLOUR = frozenset({2, 4, 6})
"""Colour types of PNG with more than a grey value: RGB, grey with opacity, RGB with opacity."""
_WHITE_IS_ZERO, _RGB = 0, 2
_PREMULTIPLIED = 1

Layers = Literal["colour", "opacity", "premultiplied", "unused"]


class DeepColour(NamedTuple):
    """That a file holds colours of 16 bits, which Pillow would cut to 8.

    Attributes:
        fourth: what a fourth layer is.
        turned: whether the decoder turns it upright by itself.
    """

    fourth: Layers
    turned: bool


def deep_colour(image: Image.Image, data: bytes) -> DeepColour | None:
    """Whether a file holds colours of 16 bits; None if not."""
    if image.format == "PNG" and data[24:25] == b"\x10" and data[25] in _PNG_COLOUR:
        return DeepColour("opacity", turned=False)
    if tag_numbers(image, _PHOTOMETRIC) != (_RGB,) or set(tag_numbers(image, _BITS)) != {16}:
        return None
    layers, extra = sum(tag_numbers(image, _SAMPLES)), tag_numbers(image, _EXTRA)
    if set(tag_numbers(image, _FORMAT)) - {1} or layers not in (3, 4):
        return None
    if layers == 3:
        return DeepColour("colour", turned=True)
    fourth: Layers = "unused" if extra == (0,) else "premultiplied" if extra == (_PREMULTIPLIED,) else "opacity"
    return DeepColour(fourth, turned=True)


def white_is_zero(image: Image.Image) -> bool:
    """Whether a TIFF counts from white to black. Pillow exchanges them only where there are 8 bits or fewer."""
    return tag_numbers(image, _PHOTOMETRIC) == (_WHITE_IS_ZERO,)


def stated_white(image: Image.Image, data: bytes | None, values: NDArray[Any]) -> float | None:
    """The value that is white, as the file says it; None if it does not.

    A PNG says how many bits count (sBIT), a TIFF its bits per sample or the largest value of the camera. The
    largest value of a picture is often written to the same tag; it says nothing of white.

    Args:
        image: opened by Pillow.
        data: the file, if there is one.
        values: of the pixels.
    """
    if image.format == "PPM":
        return 65535.0  # Pillow scales from what the file says
    if data is not None and data.startswith(_PNG):
        return _of_png(data, values)
    bits = set(tag_numbers(image, _BITS))
    if len(bits) == 1 and 8 < (each := bits.pop()) < 16:
        return float(2 ** int(each) - 1)
    for tag in (_MAX_SAMPLE, _SMAX_SAMPLE):
        white = max(tag_numbers(image, tag), default=0)
        if _is_camera_white(white) or (white == 1 and values.dtype.kind == "f"):
            return float(white)
    return None


def tag_numbers(image: Image.Image, tag: int) -> tuple[float, ...]:
    """The numbers in a tag of a TIFF; none where there is no such tag, or where it holds something else."""
    tags: Any = getattr(image, "tag_v2", {})
    try:
        value = tags.get(tag, ())
    except Exception:  # tags are decoded when they are asked for, and may be hostile
        return ()
    values = value if isinstance(value, tuple) else (value,)
    return tuple(each for each in values if isinstance(each, int | float))


def _of_png(data: bytes, values: NDArray[Any]) -> float | None:
    """By the bits that count; by the standard, values are then spread over all 16, but many writers leave them."""
    said = next((body for kind, body in _chunks(data) if kind == b"sBIT"), b"")
    if not said:
        return None
    bits = max(said[:3])
    if not 8 < bits <= 16:
        return None
    white = 2**bits - 1
    if bits < 16 and few_above(values, white):
        low = 2 ** (16 - bits) - 1  # the standard leaves no such values in the dark
        if any((strip[strip <= white].astype(np.uint16) & low).any() for strip in strips(values)):
            return float(white)
    return 65535.0


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kinds and bodies of the chunks of a PNG before its pixels."""
    at = len(_PNG)
    for _ in range(_MAX_CHUNKS):
        if at + 8 > len(data):
            return
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"IDAT":
            return
        yield kind, data[at + 8 : at + 8 + min(length, 64)]
        at += length + 12


def _is_camera_white(value: float) -> bool:
    """1023, 4095 and so on, up to 65535."""
    return any(value == 2**bits - 1 for bits in range(9, 17))
