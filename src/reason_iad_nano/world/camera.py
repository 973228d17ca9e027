"""The camera: light, exposure, blur, noise, small movements, JPEG. Every picture is taken on its own."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as Pictures

from reason_iad.expert.brushes.drawing import Field, grid, shared
from reason_iad.expert.brushes.types import Image
from reason_iad_nano.world.types import Pixels

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
        mean = image[..., 0] + image[..., 1]
        mean += image[..., 2]
        mean /= 3
        image = mean[..., None]
    planes = _moved(image, pose)
    x, y, square = _lens(size)
    light = (rng.normal(0, 0.06) * x + 1) + rng.normal(0, 0.06) * y
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
    shades = planes.astype(np.uint8)
    pixels: Pixels = cv2.merge([shades[channel if len(shades) == 3 else 0] for channel in range(3)])
    if rng.random() < 0.25:
        buffer = io.BytesIO()
        Pictures.fromarray(pixels).save(buffer, "JPEG", quality=int(rng.integers(60, 95)))
        pixels = np.asarray(Pictures.open(buffer))
    return pixels


def _moved(shot: Image, pose: Pose) -> Planes:
    """Within 0 and 255, channel by channel, (C, S, S), which is how the rest is fast; the part moved as it lies."""
    size = shot.shape[0]
    planes: Planes = np.empty((shot.shape[2], size, size), np.float32)
    planes[:] = shot.transpose(2, 0, 1)
    np.clip(planes, 0, 255, out=planes)
    if pose != STILL:
        for plane in planes:
            fill = float(np.median(plane[:: max(size // 16, 1), 0]))
            plane[:] = _laid(plane, pose, fill)
    return planes


def _laid(plane: Field, pose: Pose, fill: float) -> Field:
    """A plane turned and shifted, interpolated linearly; `fill` where nothing of it lies."""
    if pose.angle or max(abs(pose.dx), abs(pose.dy)) >= 1:
        shift: Any = (pose.dx, pose.dy)  # Pillow takes fractions, its annotation does not
        picture = Pictures.fromarray(plane)
        return np.asarray(picture.rotate(pose.angle, Pictures.Resampling.BILINEAR, translate=shift, fillcolor=fill))
    across, down = (np.array([max(by, 0.0), 1 - abs(by), max(-by, 0.0)]) for by in (pose.dx, pose.dy))
    moved: Any = cv2.sepFilter2D(plane, cv2.CV_32F, across, down, borderType=cv2.BORDER_REPLICATE)
    for lines, by in ((moved.T, pose.dx), (moved, pose.dy)):
        if not -0.5 < by <= 0.5:  # the middle of the outermost pixels comes from beyond the border
            lines[0 if by > 0 else -1] = fill
    result: Field = moved
    return result


@lru_cache(maxsize=8)
def _lens(size: int) -> tuple[Field, Field, Field]:
    """x, y and x^2 + y^2 of every pixel, (1, S), (S, 1) and (S, S); the picture is one long each way, with its
    middle at 0."""
    y, x = (axis / np.float32(size) - np.float32(0.5) for axis in grid(size))
    return shared(x), shared(y), shared(x * x + y * y)


def _blurred(planes: Planes, axis: int) -> Planes:
    """The mean of every pixel and the one before it."""
    mean: Planes = planes.copy()
    here, other = mean.swapaxes(axis, -1), planes.swapaxes(axis, -1)
    here[..., 1:] += other[..., :-1]
    here[..., 1:] *= 0.5
    return mean
