"""Whether a good picture is the inspected one itself: a part compared with itself would always pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from PIL import Image

    from reason_iad.images import LoadedImage

Same = Literal["file", "pixels"]
"""The same content of the file, or another file with the same pixels."""
SAMPLE = 32
"""Pixels of the side of a square that is compared first: most pictures differ there already."""


def same_picture(one: LoadedImage, other: LoadedImage) -> Same | None:
    """In what two pictures are the same; None if they are not."""
    if one.sha256 == other.sha256:
        return "file"
    if (one.width, one.height) != (other.width, other.height):
        return None
    first, second = one.whole, other.whole
    alike = _sample(first) == _sample(second) and first.tobytes() == second.tobytes()
    return "pixels" if alike else None


def _sample(picture: Image.Image) -> bytes:
    """The pixels of a square in the middle."""
    x, y = picture.width // 2, picture.height // 2
    return picture.crop((x, y, min(x + SAMPLE, picture.width), min(y + SAMPLE, picture.height))).tobytes()
