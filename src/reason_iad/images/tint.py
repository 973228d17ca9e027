"""Colours over a picture that show a map: nothing, then amber, then red."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

STOPS = (
    (0.0, (255, 196, 0, 0.0)),
    (0.15, (255, 196, 0, 0.25)),
    (0.5, (255, 128, 0, 0.6)),
    (1.0, (214, 16, 40, 0.8)),
)
"""Value of the map, and its red, green, blue in [0, 255] and opacity in [0, 1]."""
STRIP = 2**22
"""Pixels that are coloured at a time."""


def tinted(pixels: Image.Image, values: NDArray[np.float32], strength: float = 1.0) -> Image.Image:
    """A picture with a map laid over it.

    Args:
        pixels: RGB.
        values: (rows, columns) over the whole picture, each in [0, 1]; others are brought into it.
        strength: what opacities are multiplied by, in [0, 1].
    """
    heat = Image.fromarray(np.nan_to_num(values).clip(0, 1))
    # A table of 256 colours, and strips, keep large pictures within few copies of themselves.
    steps = np.arange(256) / 255
    at = [value for value, _ in STOPS]
    red, green, blue, opacity = (np.interp(steps, at, [colour[n] for _, colour in STOPS]) for n in range(4))
    colours = [np.rint(each).astype(int).tolist() for each in (red, green, blue)]
    opaque = np.rint(255 * strength * opacity).astype(int).tolist()
    drawn = pixels.copy()
    width, height = pixels.size
    rows = max(1, STRIP // width)
    for top in range(0, height, rows):
        high = min(rows, height - top)
        seen = (0, top * heat.height / height, heat.width, (top + high) * heat.height / height)
        strip = heat.resize((width, high), Image.Resampling.BILINEAR, box=seen)
        level = Image.fromarray(np.rint(np.asarray(strip) * 255).astype(np.uint8))
        colour = Image.merge("RGB", [level.point(each) for each in colours])
        drawn.paste(colour, (0, top), mask=level.point(opaque))
    return drawn
