"""Masks in: which pixels of a file are marked. This is decided here, once for everything that reads masks.

Every pixel that is not black is marked, whatever its colour. Some kinds of files need a rule of their own:

- The entries of a palette count by the colour that they show, not by their number.
- A file that was compressed with loss, such as a JPEG, has grey noise beside every edge. A mask that was scaled
  smoothly, or that was a JPEG once, has many greys, too. Of both, only what is at least half as bright as white is
  marked. A number for each kind of defect gives few greys.
- Some programs draw masks in the transparency. If the colours mark everything or nothing, and the transparency is
  not the same everywhere, then what is not transparent is marked.

A mask that marks the whole picture, or all but a place inside it, is probably not what was meant. It is read as it
is, and a remark says so.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import stat
import warnings
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from reason_iad.errors import ImageError
from reason_iad.images.formats import FORMATS
from reason_iad.images.loading import MAX_FILE_BYTES, MAX_PIXELS, printable

Remark = Literal["lossy", "grey", "alpha", "whole", "inverted"]

REMARKS: dict[Remark, str] = {
    "lossy": "was compressed with loss, as JPEG does; only what is at least half as bright as white counts as "
    "marked. Save the original as PNG",
    "grey": "has many greys between black and white, as if it had been a JPEG or had been scaled; only what is at "
    "least half as bright as white counts as marked. Save it in black and white",
    "alpha": "says nothing in its colours; what is not transparent counts as marked. Save it in black and white",
    "whole": "marks the whole picture. Check that it is black where there is no defect",
    "inverted": "marks all but a place inside the picture, so it may be inverted. The defect must be white, the "
    "rest black",
}
"""Remark, and the sentence that says it, to be read after the name of the mask."""

_PHOTOMETRIC = 262
"""The tag of a TIFF that says whether 0 is white."""
_HALF_WHITE = 128
_FEW_GREYS = 8
"""So many values besides black may stand for kinds of defects."""
_BORDER = 0.95
"""Share of the pixels along the four edges that an inverted mask marks."""
_AS_THEY_ARE = ("1", "L", "LA", "RGB", "RGBA")
_DEEP = ("I", "I;16", "I;16L", "I;16B", "I;16N", "F")
"""Colour modes whose values are read without a conversion; the deep ones have no transparency."""


class Mask(NamedTuple):
    """A mask as it was read.

    Attributes:
        values: (H, W) the largest channel of each pixel that is marked, and 0 elsewhere.
        remarks: what a person should know of how it was read.
    """

    values: NDArray[Any]
    remarks: tuple[Remark, ...] = ()

    @property
    def marked(self) -> NDArray[np.bool_]:
        """(H, W) whether a pixel is marked."""
        marked: NDArray[np.bool_] = self.values > 0
        return marked


class MaskFile(NamedTuple):
    """A mask with the hash of its file."""

    mask: Mask
    sha256: str


def load_mask(path: Path, what: str = "mask", size: tuple[int, int] | None = None) -> MaskFile:
    """Read a mask from a file.

    Args:
        path: the file.
        what: what messages call it: 'mask', 'area'.
        size: width and height it must have; None: any.

    Raises:
        ImageError: it cannot be read, is too large, is no image, or has another size.
    """
    shown = f"The {what} '{printable(path)}'"
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE_BYTES:
            raise ImageError(f"{shown} is no ordinary file, or is larger than {MAX_FILE_BYTES // 2**20} MiB.")
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        raise ImageError(f"{shown} cannot be read ({getattr(error, 'strerror', None) or error}).") from None
    return MaskFile(decode_mask(content, shown, size), hashlib.sha256(content).hexdigest())


def decode_mask(content: bytes, what: str, size: tuple[int, int] | None) -> Mask:
    """Read a mask from the content of its file.

    Args:
        content: of the file.
        what: how messages call it: "The mask 'a.png'".
        size: width and height it must have; None: any. A mask of another size is not decoded.

    Raises:
        ImageError: it is no image that can be read, or of another size.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the size is looked at here
        try:
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                found = image.size
                fits = found in (size, size[::-1]) if size else found[0] * found[1] <= MAX_PIXELS
                mask = _read(image, _is_lossy(image, content)) if fits else None
        except Exception:  # as for images: decoders meet hostile bytes and may raise anything
            raise ImageError(f"{what} cannot be read; export it again as PNG.") from None
    if mask is not None:
        found = mask.values.shape[1], mask.values.shape[0]  # upright
    if mask is None or (size and found != size):
        raise ImageError(_unfit(what, found, size))
    return mask


def _unfit(what: str, found: tuple[int, int], size: tuple[int, int] | None) -> str:
    """Why a mask of this size is not decoded, and what to do."""
    if size is None:
        return f"{what} has more than {MAX_PIXELS // 10**6} million pixels; scale it down."
    compared = f"{what} is {found[0]}x{found[1]} pixels, its image {size[0]}x{size[1]}"
    if found == size[::-1]:
        return (
            f"{compared}: it lies on its side. If the image file states an orientation (EXIF), the image is turned "
            "upright by it. Turn the mask in the same way; do not scale it."
        )
    return f"{compared}; scale the mask."


def _is_lossy(image: Image.Image, content: bytes) -> bool:
    """Whether the values of pixels beside an edge are not what was drawn."""
    if image.format == "WEBP":
        return b"VP8L" not in content
    return image.format == "JPEG" or image.info.get("compression") == "jpeg"  # the latter: a TIFF


def _read(image: Image.Image, lossy: bool) -> Mask:
    """Decode an image of a fit size, turn it upright as images are, and decide what it marks."""
    white_is_zero = image.format == "TIFF" and getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == 0
    image.load()
    with contextlib.suppress(Exception):  # malformed EXIF costs no mask
        image = ImageOps.exif_transpose(image)
    if image.has_transparency_data and image.mode not in _DEEP:
        image = image.convert("RGBA")
    elif image.mode not in (*_AS_THEY_ARE, *_DEEP):
        image = image.convert("RGB")
    pixels = np.asarray(image)
    if white_is_zero and pixels.dtype == np.uint16:  # Pillow turns those with 8 bits itself
        pixels = np.iinfo(np.uint16).max - pixels
    alpha, coloured = None, False
    if pixels.ndim == 3:
        colours = pixels.shape[2] - (pixels.shape[2] in (2, 4))
        alpha = pixels[:, :, -1] if colours < pixels.shape[2] else None
        coloured = bool((pixels[:, :, :colours] != pixels[:, :, :1]).any())
        pixels = pixels[:, :, :colours].max(axis=2)
    remarks: list[Remark] = []
    if lossy or (not coloured and _is_shaded(pixels)):
        remarks.append("lossy" if lossy else "grey")
        pixels = np.where(pixels >= _HALF_WHITE, pixels, 0)
    marked = pixels > 0
    if alpha is not None and alpha.min() < alpha.max() and (marked.all() or not marked.any()):
        remarks.append("alpha")
        pixels, marked = alpha, alpha > 0
    return Mask(pixels, (*remarks, *_doubts(marked)))


def _is_shaded(grey: NDArray[Any]) -> bool:
    """Whether a grey mask has so many values, dark and bright, that they are shades and no numbers of kinds."""
    if grey.dtype != np.uint8:
        return False
    found = np.flatnonzero(np.bincount(grey.ravel(), minlength=256)[1:]) + 1
    return len(found) > _FEW_GREYS and bool(found[0] < _HALF_WHITE <= found[-1])


def _doubts(marked: NDArray[np.bool_]) -> tuple[Remark, ...]:
    """Whether a mask marks so much that it is probably not what was meant."""
    if marked.all():
        return ("whole",)
    edges = np.concatenate([marked[0], marked[-1], marked[:, 0], marked[:, -1]])
    return ("inverted",) if marked.mean() > 0.5 and edges.mean() >= _BORDER else ()
