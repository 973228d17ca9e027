"""Masks in: an image of any of the formats, in which what is not black is marked."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reason_iad.errors import ImageError
from reason_iad.images.formats import FORMATS
from reason_iad.images.loading import MAX_PIXELS


def decode_mask(content: bytes, what: str, size: tuple[int, int] | None) -> NDArray[Any]:
    """Pixel values of a mask, (H, W): of palettes the index, of colours the largest channel, without transparency.

    Args:
        content: of the file.
        what: how messages call it: "The mask 'a.png'".
        size: width and height it must have; None: any. A mask of another size is not decoded.

    Raises:
        ImageError: it is no image that can be read, or of another size.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the size is looked at here
        try:
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                found = image.size
                fits = found == size or (size is None and found[0] * found[1] <= MAX_PIXELS)
                pixels = np.asarray(image) if fits else None
        except Exception:  # as for images: decoders meet hostile bytes and may raise anything
            raise ImageError(f"{what} cannot be read; export it again as PNG.") from None
    if pixels is None and size is None:
        raise ImageError(f"{what} has more than {MAX_PIXELS // 10**6} million pixels; scale it down.")
    if pixels is None and size is not None:
        raise ImageError(f"{what} is {found[0]}x{found[1]} pixels, its image {size[0]}x{size[1]}; scale the mask.")
    assert pixels is not None
    if pixels.ndim == 3:
        colours = pixels.shape[2] - (pixels.shape[2] in (2, 4))
        pixels = pixels[:, :, :colours].max(axis=2)
    return pixels
