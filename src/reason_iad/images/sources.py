"""What people may give as a picture, and as several: decided here for `inspect`, `ask` and `save_report` alike.

`LoadedImage` is what becomes of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reason_iad.errors import ImageError, given_type
from reason_iad.images.depth import Depth

ACCEPTED = "a path, a PIL image, a NumPy array, or the bytes of an image file"


@dataclass(frozen=True, slots=True, eq=False)
class LoadedImage:
    """An image ready for inspection.

    Attributes:
        pixels: 8-bit RGB, upright.
        name: file name without folders, or 'image' / 'array'; always printable.
        sha256: of the file's bytes, also where they were given as bytes; of the RGB pixels and their shape if
            there was no file.
        width: of `pixels`, after rotation.
        height: of `pixels`, after rotation.
        notes: what was done that the user may want to know, one sentence each.
        depth: what became of more than 8 bits; None where there were 8.
    """

    pixels: Image.Image
    name: str
    sha256: str
    width: int
    height: int
    notes: tuple[str, ...] = ()
    depth: Depth | None = None

    @property
    def white(self) -> float | None:
        """The value that became white; None where there were 8 bits."""
        return None if self.depth is None else self.depth.white

    @property
    def key(self) -> str:
        """What caches know its pixels by: the same file with another white has other pixels."""
        return self.sha256 if self.depth is None else f"{self.sha256}/{self.depth.white:g}"


Picture = str | os.PathLike[str] | bytes | bytearray | memoryview | Image.Image | NDArray[Any] | LoadedImage
"""A path, the bytes of an image file, a PIL image, a NumPy array (see `load_image`), or an image already loaded."""
_PICTURE = (str, os.PathLike, bytes, bytearray, memoryview, Image.Image, np.ndarray, LoadedImage)


def as_pictures(value: Picture | Iterable[Picture] | None, what: str = "references") -> tuple[Picture, ...]:
    """Several pictures, as they were given; none is loaded.

    Args:
        value: a list of pictures, or any other iterable of them in order. One picture alone counts as a list of
            one. An array of shape (N, H, W, C) counts as N pictures. None counts as an empty list.
        what: how a message calls them.

    Raises:
        ImageError: it is something else, or holds something that is no picture.
    """
    if value is None:
        return ()
    if isinstance(value, np.ndarray) and value.ndim == 4:
        return tuple(value)
    if isinstance(value, _PICTURE):
        return (value,)
    if not isinstance(value, Iterable) or isinstance(value, Mapping | Set) or hasattr(value, "read"):
        raise ImageError(f"The {what} were given as {given_type(value)}; give one picture or a list: {ACCEPTED}.")
    pictures = tuple(value)
    for number, each in enumerate(pictures, 1):
        if not isinstance(each, _PICTURE):
            raise ImageError(f"Number {number} of the {what} is {given_type(each)}; give {ACCEPTED}.")
    return pictures
