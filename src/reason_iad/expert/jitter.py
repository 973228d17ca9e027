"""Slightly changed copies of a single reference: how a second photograph of the same part would differ [ours]."""

from __future__ import annotations

from PIL import Image, ImageChops, ImageEnhance, ImageFilter

SHIFT = 0.01
"""Share of the image side by which copies are shifted."""


def jittered_copies(image: Image.Image) -> list[Image.Image]:
    """Three copies: shifted and brighter, shifted back and darker, slightly out of focus."""
    dx, dy = max(1, round(image.width * SHIFT)), max(1, round(image.height * SHIFT))
    return [
        ImageEnhance.Brightness(ImageChops.offset(image, dx, dy)).enhance(1.08),
        ImageEnhance.Brightness(ImageChops.offset(image, -dx, -dy)).enhance(0.93),
        image.filter(ImageFilter.GaussianBlur(max(image.size) / 400)),
    ]
