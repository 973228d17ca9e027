"""What people may give as a picture, and as several: decided here for `inspect`, `ask` and `save_report` alike.

`LoadedImage` is what becomes of it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reason_iad.errors import ImageError, given_type
from reason_iad.images.depth import Depth

ACCEPTED = "a path, a PIL image, a NumPy array, or the bytes of an image file"

WHOLE = 16_000_000
"""Pixels of a picture as a whole, at most: more than any model takes in."""


def at_most(picture: Image.Image, pixels: int) -> Image.Image:
    """A picture with at most so many pixels: itself, or a copy that is smaller by a whole factor."""
    factor = math.ceil(math.sqrt(picture.width * picture.height / pixels))
    across, down = min(factor, picture.width), min(factor, picture.height)
    return picture if factor <= 1 else picture.reduce((across, down))


@dataclass(frozen=True, slots=True, eq=False)
class LoadedImage:
    """An image ready for inspection.

    Attributes:
        pixels: 8-bit RGB, upright; in the size of the file, unless it was made `lighter`.
        name: file name without folders, or 'image' / 'array'; always printable.
        sha256: of the file's bytes, also where they were given as bytes; of the RGB pixels and their shape if
            there was no file.
        width: in pixels, after rotation.
        height: in pixels, after rotation.
        notes: what was done that the user may want to know, one sentence each.
        depth: what became of more than 8 bits; None where there were 8.
        whole: `pixels`, or of more than `WHOLE` a smaller copy, for what looks at the picture as a whole. Who looks
            at a part of it takes it from `pixels`.
    """

    pixels: Image.Image
    name: str
    sha256: str
    width: int
    height: int
    notes: tuple[str, ...] = ()
    depth: Depth | None = None
    whole: Image.Image = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "whole", at_most(self.pixels, WHOLE))

    def lighter(self) -> LoadedImage:
        """The same with `whole` as its pixels: for a good part, which is only looked at as a whole."""
        return self if self.whole is self.pixels else replace(self, pixels=self.whole)

    def settled(self) -> LoadedImage:
        """The same without what another white would need: for a picture whose white is not asked for any more."""
        if self.depth is None or self.depth.values is None:
            return self
        return replace(self, depth=replace(self.depth, values=None))

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
