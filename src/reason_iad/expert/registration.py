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

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

if TYPE_CHECKING:
    from reason_iad.images import LoadedImage

SIDE = 256
"""Pixels of the longer side of the copies that the motion is estimated on."""
LEVELS = (4, 2, 1)
"""By how much they are shrunk, in turn."""
STEPS, PRECISION = 60, 1e-4
"""Iterations per level at most, and the gain in correlation below which they stop."""
LEAST_GAIN, LEAST_SHARE, LEAST_CORRELATION = 0.01, 0.2, 0.3
"""By how much the correlation must rise, by which share of what is missing to 1, and what it must reach."""
LEAST_SHIFT = 0.001
"""Share of the longer side below which a picture does not move: resampling would only blur it."""
MOST_SHIFT, MOST_TURN = 0.08, 5.0
"""Share of the width or height, and degrees, beyond which it is another view and not the same one moved."""
LEAST_SHOWN = 0.8
"""Share of the picture that the moved reference must show."""
REACHES_IN = 0.02
"""Share of a cell's side by which what the moved reference does not show may reach into the cell."""
SAME_SHAPE = 0.02
"""By how much aspect ratios may differ."""
SMALLEST = 64
"""Pixels of the shorter side of the small copies; a narrower picture is left as it is."""
LARGEST = 2048
"""Pixels of the longer side of a moved reference: no model looks at more, and moving costs time and memory."""

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

    def unseen(self, width: int, height: int) -> tuple[float, float]:
        """Shares of the width and of the height, at either border, that the moved reference may not show."""
        turn = math.sin(math.radians(abs(self.degrees))) / 2
        return abs(self.dx) + turn * height / width, abs(self.dy) + turn * width / height

    def shows(self, rows: int, columns: int, width: int, height: int) -> npt.NDArray[np.bool_]:
        """(rows, columns) which cells of a grid over the image the moved reference shows whole.

        Args:
            rows, columns: of the grid.
            width, height: of the image.
        """
        turn = math.radians(-self.degrees)
        x = np.linspace(-width / 2, width / 2, columns + 1)[None, :]
        y = np.linspace(-height / 2, height / 2, rows + 1)[:, None]
        across = math.cos(turn) * x - math.sin(turn) * y - self.dx * width  # from the centre of the reference
        down = math.sin(turn) * x + math.cos(turn) * y - self.dy * height
        slack = REACHES_IN * max(width / columns, height / rows)
        inside = (np.abs(across) <= width / 2 + slack) & (np.abs(down) <= height / 2 + slack)  # of each corner
        return inside[:-1, :-1] & inside[:-1, 1:] & inside[1:, :-1] & inside[1:, 1:]


def lay_alike(references: Iterable[LoadedImage], image: Image.Image) -> dict[str, tuple[Image.Image, Motion]]:
    """The references that have to be moved to lie as an image does, by hash, and how each was moved."""
    found = {
        sha256: register(picture, image) for sha256, picture in {r.sha256: r.whole for r in references}.items()
    }
    return {sha256: laid for sha256, laid in found.items() if laid is not None}


def register(reference: Image.Image, image: Image.Image) -> tuple[Image.Image, Motion] | None:
    """Lay a reference as the inspected image lies.

    Args:
        reference: a good part, RGB.
        image: the inspected one, RGB.

    Returns:
        The moved reference in its own size, of at most `LARGEST` pixels, and how it was moved; None where moving
        does not clearly help. Beyond its own border the moved reference repeats it: pixels of the inspected image
        in a reference would hide what is wrong with it.
    """
    if abs(math.log(reference.width * image.height / (reference.height * image.width))) > SAME_SHAPE:
        return None
    scale = min(1.0, SIDE / max(image.size))
    size = (round(image.width * scale), round(image.height * scale))
    if min(size) < SMALLEST:
        return None
    found = _motion(_grey(image, size), _grey(reference, size))
    if found is None:
        return None
    matrix, motion = found
    shrunk = min(1.0, LARGEST / max(reference.size))
    whole = reference
    if shrunk < 1:
        larger = (round(reference.width * shrunk), round(reference.height * shrunk))
        whole = reference.resize(larger, Image.Resampling.BOX, reducing_gap=2.0)
    matrix[:, 2] *= whole.width / size[0]
    return Image.fromarray(_warp(np.asarray(whole), matrix)), motion


def _grey(picture: Image.Image, size: tuple[int, int]) -> Grey:
    small = picture.resize(size, Image.Resampling.BOX, reducing_gap=2.0) if picture.size != size else picture
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
    dx, dy = (centre - (matrix[:, :2] @ centre + matrix[:, 2])) / (width, height)
    degrees = -math.degrees(math.atan2(float(matrix[1, 0]), float(matrix[0, 0])))
    if max(abs(dx), abs(dy)) > MOST_SHIFT or abs(degrees) > MOST_TURN:
        return None
    corner = float(np.hypot(*centre)) * math.radians(abs(degrees))
    if math.hypot(dx * width, dy * height) + corner < LEAST_SHIFT * max(height, width):
        return None
    shown = _warp(np.ones_like(good), matrix, beyond=0.0) > 0.99
    before, after = correlation(seen, good, shown), correlation(seen, _warp(good, matrix), shown)
    gain = max(LEAST_GAIN, LEAST_SHARE * (1 - before))
    if shown.mean() < LEAST_SHOWN or after < max(LEAST_CORRELATION, before + gain):
        return None
    return matrix, Motion(float(dx), float(dy), degrees, before, after)


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


def correlation(one: Grey, other: Grey, where: npt.NDArray[np.bool_]) -> float:
    """Of the grey values where both pictures show something, in [-1, 1]; 0 where one of them is flat there."""
    a, b = one[where], other[where]
    if not len(a) or min(a.std(), b.std()) < 1e-3:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def _warp(picture: Pixels, matrix: Matrix, beyond: float | None = None) -> Pixels:
    """A picture moved, (H, W) or (H, W, 3); beyond its border it repeats, or has the value `beyond`."""
    import cv2

    size, flags = (picture.shape[1], picture.shape[0]), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    if beyond is None:
        return cv2.warpAffine(picture, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return cv2.warpAffine(picture, matrix, size, flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=beyond)
