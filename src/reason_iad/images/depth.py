"""Pictures with more than 8 bits: which value is white, and how they become 8-bit RGB.

White is what the user says, else what the file says, else the smallest usual white that holds the picture. The last
is a guess from the values, so pictures that are compared have to agree on it: `same_white` gives them one. Single
pixels that are far too bright (hot pixels) do not count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reason_iad.errors import ImageError

if TYPE_CHECKING:
    from reason_iad.images.sources import LoadedImage

WHITES = (1023, 4095, 16383, 65535)
"""White of cameras with 10, 12, 14 and 16 bits."""
FLOAT_WHITES = (1, 255, 65535)
"""White of pictures whose values are floating-point numbers."""
LARGEST = 65535
HOT = 1e-4
"""At most this share of the pixels, or one, may be brighter than a white that is found from the values."""
_STRIP = 2**22
"""Values that are looked at or scaled at a time."""

Origin = Literal["user", "file", "values"]
_BECAUSE: dict[Origin, str] = {"user": ", as it was set", "file": ", as the file says", "values": ""}


@dataclass(frozen=True, slots=True, eq=False)
class Depth:
    """What is known of a picture that had more than 8 bits.

    Attributes:
        white: the value that became 255.
        origin: who says so.
        highest: the brightest value.
        negative: whether the file counts from white to black.
        values: (H, W) or (H, W, 3 or 4), as in the file; None where `white` is certain and nobody needs them.
    """

    white: float
    origin: Origin
    highest: float
    negative: bool = False
    values: NDArray[Any] | None = field(default=None, repr=False)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done, one sentence each."""
        scaled = f"Values were scaled from 0..{self.white:g} to 8 bits{_BECAUSE[self.origin]}."
        if self.highest <= self.white:
            return (scaled,)
        return scaled, f"Values above {self.white:g} were cut off; the brightest is {self.highest:g}."


def scaled(
    values: NDArray[Any], what: str, *, given: float | None, stated: float | None, negative: bool = False
) -> tuple[Image.Image, Depth]:
    """A deep picture as 8-bit RGB, and what is known of it.

    Args:
        values: (H, W), or (H, W, 3) red, green and blue, or (H, W, 4) with the opacity.
        what: how messages call it.
        given: white, as the user says it; None: not said.
        stated: white, as the file says it; None: not said.
        negative: whether white is 0 in the file.

    Raises:
        ImageError: there are values that no picture has.
    """
    low, high = float(values.min()), float(values.max())
    if not np.isfinite(low) or not np.isfinite(high):
        raise ImageError(f"{what} contains NaN or infinite values; replace them before inspecting.")
    if low < 0 or high > LARGEST:
        raise ImageError(f"{what} has values from {low:g} to {high:g}; scale them to 0..1 (float) or 0..{LARGEST}.")
    if values.dtype.kind in "iu":
        values = values.astype(np.uint16, copy=False)
    colours = values[..., :3] if values.ndim == 3 else values
    highest = float(colours.max()) if values.ndim == 3 else high
    if given is not None or stated is not None:
        white = float(given or stated or 0)
        depth = Depth(white, "file" if given is None else "user", highest, negative)
    else:
        depth = Depth(_found(colours, highest), "values", highest, negative, values)
    return _rgb(values, depth), depth


def at_white(image: LoadedImage, white: float | None) -> LoadedImage:
    """The same picture with another white; unchanged if its white is known, or if it had 8 bits."""
    depth = image.depth
    if depth is None or white is None or depth.values is None or depth.white == white:
        return image
    new = replace(depth, white=white)
    others = tuple(note for note in image.notes if note not in depth.notes)
    return replace(image, pixels=_rgb(depth.values, new), depth=new, notes=(*others, *new.notes))


def white_of(depths: Sequence[Depth | None]) -> float | None:
    """The white of pictures that are compared, for those that do not say it; None if all have 8 bits.

    It is the largest that is found in one of them. A camera's white that the file of another one says counts, too.
    """
    deep = [depth for depth in depths if depth is not None]
    found = [depth.white for depth in deep if depth.origin == "values"]
    said = [depth.white for depth in deep if depth.origin != "values"]
    narrow = [white for white in said if 1 < white < LARGEST]
    return max((*found, *narrow), default=max(said, default=None))


def same_white(images: Sequence[LoadedImage]) -> tuple[LoadedImage, ...]:
    """Pictures that are compared, with one white for all that do not say theirs."""
    white = white_of([image.depth for image in images])
    return tuple(at_white(image, white) for image in images)


def _found(values: NDArray[Any], highest: float) -> float:
    """The smallest usual white that holds all values but a few hot pixels."""
    whites = FLOAT_WHITES if values.dtype.kind == "f" else WHITES
    return next(white for white in whites if highest <= white or white == LARGEST or few_above(values, white))


def few_above(values: NDArray[Any], white: float) -> bool:
    """Whether only hot pixels are brighter than a white."""
    height, width, layers = (*values.shape, 1)[:3]
    above = sum(int(np.count_nonzero(strip > white)) for strip in strips(values))
    return bool(above <= layers * max(1, int(HOT * height * width)))


def strips(values: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Values (H, W[, C]) some rows at a time: of a large picture there is no room for a second copy."""
    rows = max(1, _STRIP // max(1, values[0].size))
    for top in range(0, len(values), rows):
        yield values[top : top + rows]


def _rgb(values: NDArray[Any], depth: Depth) -> Image.Image:
    """Scaled to 8 bits, in strips, composed on white."""
    image = Image.new("RGB", (values.shape[1], values.shape[0]), "white")
    colours = _EightBits(values.dtype, depth.white)
    with_opacity = values.ndim == 3 and values.shape[2] == 4
    opacity = _EightBits(values.dtype, _opaque(values, depth.white)) if with_opacity else None
    top = 0
    for strip in strips(values):
        pixels = colours.of(strip[..., :3] if values.ndim == 3 else strip)
        if depth.negative:
            np.subtract(255, pixels, out=pixels)
        mask = None if opacity is None else Image.fromarray(opacity.of(strip[..., 3]))
        image.paste(Image.fromarray(pixels).convert("RGB"), (0, top), mask)
        top += len(strip)
    return image


def _opaque(values: NDArray[Any], white: float) -> float:
    """The opacity (H, W, 4) that hides the paper: as large as white, unless some are larger."""
    return white if float(values[..., 3].max()) <= white else LARGEST


class _EightBits:
    """0 to 255 where values are 0 to `white`; brighter ones are 255.

    Args:
        dtype: of the values.
        white: the value that becomes 255.
    """

    def __init__(self, dtype: np.dtype[Any], white: float) -> None:
        self._white = white
        self._table: NDArray[np.uint8] | None = None
        if dtype == np.uint16:
            every = np.arange(LARGEST + 1, dtype=np.float32) * np.float32(255 / white)
            self._table = np.rint(every).clip(0, 255).astype(np.uint8)

    def of(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """The same values as 8 bits."""
        found: NDArray[np.uint8]
        if self._table is not None:
            found = self._table[values]
        else:
            found = np.rint(values.astype(np.float32) * (255 / self._white)).clip(0, 255).astype(np.uint8)
        return found
