"""The camera: light, exposure, blur, noise, small movements, JPEG. Every picture is taken on its own."""

from __future__ import annotations

import io
from typing import Any, NamedTuple

import numpy as np
from PIL import Image as Pictures
from scipy import ndimage

from reason_iad.nano.world.drawing import grid, rgb
from reason_iad.nano.world.types import Image, Pixels


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
    shot = np.clip(image, 0, 255)
    if pose != STILL:
        fill = rgb(np.median(shot[:: max(size // 16, 1), 0], axis=0))
        picture = Pictures.fromarray(shot.astype(np.uint8))
        shift: Any = (pose.dx, pose.dy)  # Pillow takes fractions, its annotation does not
        moved = picture.rotate(pose.angle, Pictures.Resampling.BILINEAR, translate=shift, fillcolor=fill)
        shot = np.asarray(moved, np.float32)
    if grey:
        shot = np.repeat(shot.mean(2, keepdims=True), 3, 2)
    y, x = (axis / size - 0.5 for axis in grid(size))
    light = 1 + rng.normal(0, 0.06) * x + rng.normal(0, 0.06) * y - rng.uniform(0, 0.15) * (x * x + y * y)
    shot = shot * (light * rng.uniform(0.92, 1.08))[..., None] + rng.normal(0, 4)
    if rng.random() < 0.5:
        shot = ndimage.uniform_filter1d(ndimage.uniform_filter1d(shot, 2, axis=0), 2, axis=1)
    grain = rng.standard_normal((size, size), dtype=np.float32) * rng.uniform(0.5, 4)
    pixels: Pixels = np.clip(shot + grain[..., None], 0, 255).astype(np.uint8)
    if rng.random() < 0.25:
        buffer = io.BytesIO()
        Pictures.fromarray(pixels).save(buffer, "JPEG", quality=int(rng.integers(60, 95)))
        pixels = np.asarray(Pictures.open(buffer))
    return pixels
