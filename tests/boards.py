"""Drawn boards for tests of templates: each has another pattern, its template, and maybe a defect."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

SIDE = 160


def template(pattern: int) -> np.ndarray:
    """(160, 160, 3) the drawing of a board; each number is another pattern of lines and pads."""
    rng = np.random.default_rng(pattern)
    picture = np.full((SIDE, SIDE), 40, np.uint8)
    for row in range(12, SIDE - 8, 16):
        x, bend = int(rng.integers(14, 40)), int(rng.integers(60, 100))
        cv2.line(picture, (x, row), (bend, row), 215, 5)
        cv2.line(picture, (bend, row), (int(rng.integers(110, 145)), row), 215, 5)
        cv2.circle(picture, (x, row), 5, 215, -1)
    for column in rng.integers(20, SIDE - 20, 3):
        cv2.line(picture, (int(column), 12), (int(column), int(rng.integers(60, 150))), 215, 5)
    return np.repeat(picture[..., None], 3, 2)


def board(pattern: int, seed: int = 0, *, shift: tuple[int, int] = (0, 0)) -> np.ndarray:
    """A photograph of a good board of that pattern: a little soft and noisy, and moved by (x, y)."""
    rng = np.random.default_rng((pattern, seed))
    move = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
    drawn = cv2.warpAffine(template(pattern), move, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    seen = cv2.GaussianBlur(drawn.astype(np.float32), (0, 0), 0.8) + rng.normal(0, 3, drawn.shape)
    return np.clip(seen, 0, 255).astype(np.uint8)


def spurred(pattern: int, seed: int = 0, *, at: tuple[int, int] = (92, 84), side: int = 8) -> np.ndarray:
    """The same with a square of copper around (x, y) where there should be none, or the other way round."""
    picture = board(pattern, seed)
    x, y = at
    place = picture[y - side // 2 : y + side // 2, x - side // 2 : x + side // 2]
    place[:] = 255 - place
    return picture


def save(picture: np.ndarray, path: Path) -> Path:
    """Write a picture to a file, whose folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)
    return path
