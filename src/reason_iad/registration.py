"""References laid as the part lies: shifted and turned until both pictures agree [ours].

Parts move under a camera. A model, and the map even more, compare the two pictures place by place, so a reference
that lies a few pixels off looks different everywhere. The motion (a shift and a turn of the whole picture) is
estimated by maximising the enhanced correlation coefficient (Evangelidis and Psarakis, TPAMI 2008; OpenCV), coarse
to fine on small grey copies, and is only applied where the pictures agree clearly better with it than without:
textures without landmarks, and references of quite another look, stay as they are.

A shift of the whole picture is no defect, but a part that lies askew in a fixture may be: where position matters,
switch this off (`align=False`, `--no-align`).
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from reason_iad.images import LoadedImage

SIDE = 256
"""Pixels of the longer side of the copies that the motion is estimated on."""
ALIKE = 1.6
"""Ratio of two aspect ratios up to which two photographs count as two cuts of the same view."""
LEVELS = (4, 2, 1)
"""By how much they are shrunk, in turn."""
STEPS, PRECISION = 60, 1e-4
"""Iterations per level at most, and the gain in correlation below which they stop."""
LEAST_GAIN, LEAST_SHARE, LEAST_CORRELATION = 0.01, 0.2, 0.3
"""By how much the correlation must rise, by which share of what is missing to 1, and what it must reach."""
LEAST_SHIFT = 0.001
"""Share of the longer side below which a picture does not move: resampling would only blur it."""
MOST_SHIFT, MOST_TURN = 0.08, 5.0
"""Share of the longer side, and degrees, beyond which it is another view and not the same one moved."""
SMALLEST = 16
"""Pixels of the shorter side of the smallest copy; a narrower picture is left as it is."""

Matrix = npt.NDArray[np.float32]
"""(2, 3) affine: where in the reference each point (x, y) of the image is found."""
Grey = npt.NDArray[np.float32]
Pixels = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Motion:
    """How a reference was moved to lie as the part does.

    Attributes:
        dx, dy: shift of its centre, as a share of the image's width and height; positive to the right and down.
        degrees: turn, clockwise positive.
        before, after: correlation of the grey values of both pictures, in [-1, 1].
    """

    dx: float
    dy: float
    degrees: float
    before: float
    after: float


def reshaped(reference: LoadedImage, image: LoadedImage) -> LoadedImage:
    """A reference in the shape of the inspected image, so that a model divides both into the same grid.

    Photographs of one part are often cut to it, each a little differently; their tokens can only be compared place
    by place where both have as many rows and columns. Pictures of quite another shape stay as they are.
    """
    ratio = reference.width * image.height / (reference.height * image.width)
    if ratio == 1.0 or not 1 / ALIKE < ratio < ALIKE:
        return reference
    factor = min(1.0, math.sqrt(reference.width * reference.height / (image.width * image.height)))
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return _with_pixels(reference, reference.pixels.resize(size, Image.Resampling.BICUBIC))


def register(reference: LoadedImage, image: LoadedImage) -> tuple[LoadedImage, Motion | None]:
    """Lay a reference as the inspected image lies.

    Args:
        reference: a good part.
        image: the inspected one.

    Returns:
        The reference in the image's shape, and its motion; None, and not moved, where moving it does not clearly
        help. Where the moved reference shows nothing, at its border, it shows what the image shows: nothing can be
        compared there.
    """
    fitted = reshaped(reference, image)
    if abs(math.log(fitted.width * image.height / (fitted.height * image.width))) > 0.02:
        return fitted, None
    scale = min(1.0, SIDE / max(image.width, image.height))
    size = (round(image.width * scale), round(image.height * scale))
    if min(size) < SMALLEST * max(LEVELS):
        return fitted, None
    seen, good = _grey(image.pixels, size), _grey(fitted.pixels, size)
    found = _motion(seen, good)
    if found is None:
        return fitted, None
    matrix, motion = found
    return _with_pixels(fitted, _moved(fitted.pixels, image.pixels, matrix, 1 / scale)), motion


def _grey(picture: Image.Image, size: tuple[int, int]) -> Grey:
    small = picture.resize(size, Image.Resampling.BOX) if picture.size != size else picture
    return np.asarray(small.convert("L"), np.float32)


def _motion(seen: Grey, good: Grey) -> tuple[Matrix, Motion] | None:
    """The motion that makes two grey pictures of one size agree; None if none clearly does."""
    if min(seen.std(), good.std()) < 1:
        return None
    matrix = _estimate(seen, good)
    if matrix is None:
        return None
    height, width = seen.shape
    centre = np.array([width / 2, height / 2], np.float32)
    dx, dy = centre - (matrix[:, :2] @ centre + matrix[:, 2])
    degrees = -math.degrees(math.atan2(float(matrix[1, 0]), float(matrix[0, 0])))
    longer = max(height, width)
    corner = float(np.hypot(*centre)) * math.radians(abs(degrees))
    shift = math.hypot(dx, dy)
    if shift > MOST_SHIFT * longer or abs(degrees) > MOST_TURN or shift + corner < LEAST_SHIFT * longer:
        return None
    moved, shown = _warp(good, matrix, seen.shape)
    before, after = _correlation(seen, good, shown), _correlation(seen, moved, shown)
    if after < max(LEAST_CORRELATION, before + max(LEAST_GAIN, LEAST_SHARE * (1 - before))):
        return None
    return matrix, Motion(float(dx) / width, float(dy) / height, degrees, before, after)


def _estimate(seen: Grey, good: Grey) -> Matrix | None:
    import cv2

    matrix: Matrix = np.eye(2, 3, dtype=np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, STEPS, PRECISION)
    for level in LEVELS:
        size = (seen.shape[1] // level, seen.shape[0] // level)
        one, other = (cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in (seen, good))
        matrix[:, 2] /= level
        try:
            _, found = cv2.findTransformECC(one, other, matrix, cv2.MOTION_EUCLIDEAN, criteria)
        except cv2.error:  # it does not converge: nothing in common
            return None
        matrix = np.asarray(found, np.float32)
        matrix[:, 2] *= level
    return matrix if bool(np.isfinite(matrix).all()) else None


def _correlation(one: Grey, other: Grey, where: npt.NDArray[np.bool_]) -> float:
    """Of the grey values where both pictures show something, in [-1, 1]; 0 where one of them is flat there."""
    a, b = one[where], other[where]
    if not len(a) or min(a.std(), b.std()) < 1e-3:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def _warp(picture: Pixels, matrix: Matrix, shape: tuple[int, ...]) -> tuple[Pixels, npt.NDArray[np.bool_]]:
    """A picture moved, (H, W) or (H, W, 3), and where it shows something, (H, W)."""
    import cv2

    size, flags = (shape[1], shape[0]), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    shown = cv2.warpAffine(np.ones(picture.shape[:2], np.float32), matrix, size, flags=flags) > 0.99
    return cv2.warpAffine(picture, matrix, size, flags=flags), shown


def _moved(reference: Image.Image, image: Image.Image, matrix: Matrix, enlarged: float) -> Image.Image:
    """A reference moved, at full size; `enlarged`: how much larger that is than what the motion was found on."""
    full = matrix.copy()
    full[:, 2] *= enlarged * reference.width / image.width
    behind = np.asarray(image if image.size == reference.size else image.resize(reference.size))
    moved, shown = _warp(np.asarray(reference), full, behind.shape)
    return Image.fromarray(np.where(shown[..., None], moved, behind))


def _with_pixels(reference: LoadedImage, pixels: Image.Image) -> LoadedImage:
    """The same image with other pixels, and a hash of their own."""
    digest = hashlib.sha256(f"{reference.sha256} {pixels.width}x{pixels.height} ".encode())
    digest.update(pixels.tobytes())
    return replace(reference, pixels=pixels, sha256=digest.hexdigest(), width=pixels.width, height=pixels.height)
