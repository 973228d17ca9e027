"""Pictures that the tests of encoders draw."""

from __future__ import annotations

import numpy as np
from PIL import Image

from reason_iad.expert.encoders import FeatureMap


def plate(width: int, height: int, seed: int = 0) -> Image.Image:
    """A grey plate with a soft texture, in colour."""
    coarse = np.random.default_rng(seed).integers(90, 150, (height // 8 + 2, width // 8 + 2, 3))
    return Image.fromarray(coarse.astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC)


def spotted(good: Image.Image, x: int, y: int, side: int) -> Image.Image:
    """The same with a dark square of `side` pixels whose upper left corner is at (x, y)."""
    picture = good.copy()
    picture.paste((20, 15, 30), (x, y, x + side, y + side))
    return picture


def strongest(good: FeatureMap, bad: FeatureMap) -> tuple[float, float]:
    """Where two maps differ most: x and y of the middle of the cell, as shares of width and height."""
    apart = (good.features - bad.features).norm(dim=1)
    row, column = divmod(int(apart.argmax()), good.columns)
    return (column + 0.5) / good.columns, (row + 0.5) / good.rows
