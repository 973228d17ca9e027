"""Small drawing tools: noise, blobs, lines, and coordinates."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as Pictures
from PIL import ImageDraw

from reason_iad.expert.brushes.types import Image, Mask

Field = npt.NDArray[np.float32]
"""(S, S)."""
REFERENCE_SIZE = 168
"""Lengths in the families are in pixels of a picture of this size."""


@lru_cache(maxsize=8)
def grid(size: int) -> tuple[Field, Field]:
    """(y, x) of every pixel, in pixels: (S, 1) and (1, S), which spread over the picture where they meet."""
    y, x = (axis.astype(np.float32) for axis in np.ogrid[0:size, 0:size])
    return shared(y), shared(x)


def shared(array: Any) -> Any:
    """An array that is kept and given to many, who may not write into it."""
    array.setflags(write=False)
    return array


def scale(size: int) -> float:
    """Pixels per pixel of the reference size."""
    return size / REFERENCE_SIZE


def noise(rng: np.random.Generator, size: int, sigma: float, amplitude: float) -> Field:
    """Smooth noise with the given standard deviation; `sigma` is its grain in reference pixels."""
    field: Field = rng.standard_normal((size, size), dtype=np.float32)
    if sigma:
        field = smoothed(field, sigma * scale(size), reach=2.5, wrap=True)
    flat = field.ravel()
    spread = max(float(flat @ flat) / len(flat) - float(flat.mean()) ** 2, 0.0) ** 0.5
    field *= np.float32(amplitude / (spread + 1e-6))
    return field


def smoothed(
    field: Field, sigma: float, *, reach: float = 4.0, wrap: bool = False, axis: Literal[0, 1] | None = None
) -> Field:
    """A field blurred by a Gaussian.

    Args:
        field: (H, W).
        sigma: standard deviation in pixels.
        reach: where the Gaussian is cut off, in standard deviations.
        wrap: what lies beyond the border is the other side of the field; else its mirror image.
        axis: blur along this one only; None: along both.
    """
    kernel = _gaussian(sigma, reach)
    edge, still = len(kernel) // 2, np.ones(1)
    across, down = (still if axis == 0 else kernel), (still if axis == 1 else kernel)
    x, y = (0 if axis == 0 else edge), (0 if axis == 1 else edge)
    wide = cv2.copyMakeBorder(field, y, y, x, x, cv2.BORDER_WRAP if wrap else cv2.BORDER_REFLECT)
    soft: Any = cv2.sepFilter2D(wide, cv2.CV_32F, across, down)
    result: Field = soft[y : y + field.shape[0], x : x + field.shape[1]]
    return result


@lru_cache(maxsize=256)
def _gaussian(sigma: float, reach: float) -> npt.NDArray[np.float64]:
    """(2 r + 1,), sums to 1."""
    edge = int(reach * sigma + 0.5)
    heights = np.exp(-0.5 * (np.arange(-edge, edge + 1) / sigma) ** 2)
    kernel: npt.NDArray[np.float64] = shared(heights / heights.sum())
    return kernel


def drift(rng: np.random.Generator, size: int, cells: int, amplitude: float) -> Field:
    """Cheap noise that changes over a `cells`-th of the picture; its standard deviation is about `amplitude`."""
    coarse = rng.standard_normal((cells + 1, cells + 1), dtype=np.float32) * np.float32(1.5 * amplitude)
    field: Field = np.asarray(Pictures.fromarray(coarse).resize((size, size), Pictures.Resampling.BICUBIC))
    return field


def colour(rng: np.random.Generator, low: float, high: float) -> npt.NDArray[np.float32]:
    """A random colour, (3,)."""
    return rng.uniform(low, high, 3).astype(np.float32)


def rgb(values: Any) -> tuple[int, int, int]:
    """A colour as Pillow wants it."""
    red, green, blue = (int(value) for value in values)
    return red, green, blue


def flat(size: int, values: Any) -> Image:
    """A picture of one colour."""
    picture: Image = np.broadcast_to(np.asarray(values, np.float32), (size, size, 3)).copy()
    return picture


def tinted(base: Any, field: Field) -> Image:
    """A colour, and how much brighter each pixel is in every channel."""
    picture: Image = np.empty((*field.shape, 3), np.float32)
    for channel, value in enumerate(base):
        np.add(field, np.float32(value), out=picture[..., channel])
    return picture


def brighter(image: Image, field: Field) -> Image:
    """A picture with a field added to every channel, in place."""
    for channel in range(3):
        image[..., channel] += field
    return image


def differs(before: Image, after: Image, levels: float) -> Mask:
    """Pixels that change by more than so many grey levels in some channel."""
    far = np.abs(after - before) > levels
    changed: Mask = far[..., 0] | far[..., 1] | far[..., 2]  # ten times as fast as a reduction over three
    return changed


def bitmap(size: int) -> tuple[Pictures.Image, ImageDraw.ImageDraw]:
    """An empty one-channel picture to draw masks on."""
    picture = Pictures.new("L", (size, size), 0)
    return picture, ImageDraw.Draw(picture)


def as_mask(picture: Pictures.Image) -> Mask:
    """Drawn pixels."""
    return np.asarray(picture) > 127


def spot(rng: np.random.Generator, part: Mask) -> tuple[int, int] | None:
    """(y, x) of a random pixel of a mask."""
    inside = np.flatnonzero(part)
    if not len(inside):
        return None
    y, x = divmod(int(inside[rng.integers(len(inside))]), part.shape[1])
    return y, x


def disc(size: int, y: float, x: float, radius: float) -> Mask:
    """A filled circle."""
    rows, columns = grid(size)
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


def blob(rng: np.random.Generator, size: int, y: float, x: float, area: float) -> Mask:
    """An irregular round patch; `area` is its share of the image."""
    radius = max(np.sqrt(area / np.pi) * size, 1.0)
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    wobble = 1 + 0.25 * np.sin(2 * angles + rng.uniform(0, 6)) + 0.15 * np.sin(3 * angles + rng.uniform(0, 6))
    points = [(x + radius * w * np.cos(a), y + radius * w * np.sin(a)) for a, w in zip(angles, wobble, strict=True)]
    picture, draw = bitmap(size)
    draw.polygon(points, fill=255)
    return as_mask(picture)


def stroke(
    rng: np.random.Generator, size: int, y: float, x: float, length: float, width: float, jag: float
) -> Mask:
    """A line that starts at (y, x) and turns at random by `jag` radians per eighth."""
    angle = rng.uniform(0, 2 * np.pi)
    points = [(x, y)]
    for _ in range(8):
        angle += rng.normal(0, jag)
        x, y = x + np.cos(angle) * length / 8, y + np.sin(angle) * length / 8
        points.append((x, y))
    picture, draw = bitmap(size)
    draw.line(points, fill=255, width=max(1, round(width)))
    return as_mask(picture)


def soften(mask: Mask, sigma: float) -> Field:
    """A mask with a soft border, (S, S) in [0, 1]."""
    return smoothed(mask.astype(np.float32), sigma)


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number whose logarithm is uniform."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
