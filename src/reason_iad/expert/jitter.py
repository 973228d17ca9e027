"""Slightly changed copies of a single reference: how a second photograph of the same part would differ [ours]."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

SHIFT = 0.01
"""Share of the image side by which copies are shifted."""


def jittered_copies(image: Image.Image) -> Iterator[Image.Image]:
    """Three copies, each made when it is asked for: shifted and brighter, shifted back and darker, out of focus."""
    dx, dy = max(1, round(image.width * SHIFT)), max(1, round(image.height * SHIFT))
    yield ImageEnhance.Brightness(_shifted(image, dx, dy)).enhance(1.08)
    yield ImageEnhance.Brightness(_shifted(image, -dx, -dy)).enhance(0.93)
    yield image.filter(ImageFilter.GaussianBlur(max(image.size) / 400))


def _shifted(image: Image.Image, dx: int, dy: int) -> Image.Image:
    """The image moved by whole pixels; what comes in at the border repeats the border."""
    pixels = np.asarray(image)
    rows = np.clip(np.arange(image.height) - dy, 0, image.height - 1)
    columns = np.clip(np.arange(image.width) - dx, 0, image.width - 1)
    return Image.fromarray(pixels[rows[:, None], columns])
