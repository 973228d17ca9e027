"""The camera: light, exposure, blur, noise, small movements, JPEG. Every picture is taken on its own."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image as Pictures

from reason_iad.nano.world.drawing import Field, grid
from reason_iad.nano.world.types import Image, Pixels

Planes = npt.NDArray[np.float32]
"""(C, S, S), one channel for grey."""


class Pose(NamedTuple):
    """How a part lies under the camera: shift in pixels, rotation in degrees."""

    dx: float
    dy: float
    angle: float


STILL = Pose(0.0, 0.0, 0.0)


def draw_pose(rng: np.random.Generator, size: int, aligned: bool) -> Pose:
    """Less than a pixel if aligned; else up to 4 % of the side and 3 degrees."""
    if aligned:
        dx, dy = rng.uniform(-0.9, 0.9, 2)
        return Pose(float(dx), float(dy), 0.0)
    dx, dy = rng.uniform(-0.04, 0.04, 2) * size
    return Pose(float(dx), float(dy), float(rng.uniform(-3, 3)))


def photograph(rng: np.random.Generator, image: Image, pose: Pose, grey: bool) -> Pixels:
    """Take a picture of a part."""
    size = image.shape[0]
    if grey:
        image = ((image[..., 0] + image[..., 1] + image[..., 2]) / 3)[..., None].astype(np.float32, copy=False)
    planes = _moved(image, pose)
    x, y, square = _lens(size)
    light = rng.normal(0, 0.06) * x
    light += 1
    light += rng.normal(0, 0.06) * y
    light -= rng.uniform(0, 0.15) * square
    light *= rng.uniform(0.92, 1.08)
    planes *= light
    planes += rng.normal(0, 4)
    if rng.random() < 0.5:
        for axis in (1, 2):
            planes = _blurred(planes, axis)
    grain = rng.standard_normal((size, size), dtype=np.float32)
    grain *= rng.uniform(0.5, 4)
    planes += grain
    np.clip(planes, 0, 255, out=planes)
    pixels: Pixels = np.empty((size, size, 3), np.uint8)
    for channel in range(3):
        pixels[..., channel] = planes[channel if len(planes) == 3 else 0]
    if rng.random() < 0.25:
        buffer = io.BytesIO()
        Pictures.fromarray(pixels).save(buffer, "JPEG", quality=int(rng.integers(60, 95)))
        pixels = np.asarray(Pictures.open(buffer))
    return pixels


def _moved(shot: Image, pose: Pose) -> Planes:
    """Within 0 and 255, channel by channel, (C, S, S), which is how the rest is fast; the part moved as it lies."""
    size = shot.shape[0]
    planes: Planes = np.empty((shot.shape[2], size, size), np.float32)
    for channel, plane in enumerate(planes):
        np.clip(shot[..., channel], 0, 255, out=plane)
        if pose != STILL:
            shift: Any = (pose.dx, pose.dy)  # Pillow takes fractions, its annotation does not
            fill = float(np.median(plane[:: max(size // 16, 1), 0]))
            picture = Pictures.fromarray(plane)
            plane[:] = picture.rotate(pose.angle, Pictures.Resampling.BILINEAR, translate=shift, fillcolor=fill)
    return planes


@lru_cache(maxsize=8)
def _lens(size: int) -> tuple[Field, Field, Field]:
    """(x, y, x^2 + y^2) of every pixel, the picture being one long each way with its middle at 0."""
    y, x = (axis / np.float32(size) - np.float32(0.5) for axis in grid(size))
    return x, y, x * x + y * y


def _blurred(planes: Planes, axis: int) -> Planes:
    """The mean of every pixel and the one before it."""
    mean: Planes = planes.copy()
    here, other = mean.swapaxes(axis, -1), planes.swapaxes(axis, -1)
    here[..., 1:] += other[..., :-1]
    here[..., 1:] *= 0.5
    return mean
