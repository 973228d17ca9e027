"""Drawn parts for tests of experts: a plate with three holes, as a camera sees it."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from reason_iad.images import LoadedImage, load_image

SIZE = (128, 96)


def plate(seed: int, *, light: float = 1.0) -> np.ndarray:
    """(96, 128, 3) a good part; each seed is another photograph of another copy."""
    rng = np.random.default_rng(seed)
    x, y = rng.integers(-2, 3, 2)
    light *= rng.uniform(0.9, 1.1)
    picture = np.full((SIZE[1], SIZE[0], 3), 60.0)
    cv2.rectangle(picture, (12 + x, 10 + y), (116 + x, 86 + y), (150, 150, 160), -1)
    for column in (32, 64, 96):
        cv2.circle(picture, (column + int(x), 30 + int(y)), 7, (40, 40, 40), -1)
    cv2.line(picture, (20 + int(x), 66 + int(y)), (70 + int(x), 66 + int(y)), (190, 190, 190), 3)
    picture += rng.normal(0, 6, picture.shape)
    return np.clip(picture * light, 0, 255).astype(np.uint8)


def good(count: int, first: int = 0) -> list[LoadedImage]:
    """Good parts."""
    return [load_image(plate(first + seed)) for seed in range(count)]


def scratched(seed: int, *, at: tuple[int, int] = (88, 62), length: int = 22) -> np.ndarray:
    """A part with a bright scratch that begins at (x, y)."""
    picture = plate(seed)
    cv2.line(picture, at, (at[0] + length, at[1] + 12), (250, 245, 240), 3)
    return picture


def save(picture: np.ndarray, path: object) -> None:
    """Write a picture to a file."""
    Image.fromarray(picture).save(str(path))
