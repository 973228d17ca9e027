"""Images in: any file, bytes, PIL image or array becomes 8-bit RGB, or one sentence says why it cannot.

Files are hostile until proven otherwise. A file is opened without blocking and must be a regular one (a pipe
or a device would hang), is read once (so that the hash is the hash of what was decoded), is decoded only by
the formats listed in `formats.py`, and is refused from its header, before any pixel is decoded, when its size is
absurd.

What happens to unusual pixels (docs/pictures.md): rotation is applied (`orientation.py`); transparency is composed
on white, as on paper; more than 8 bits are scaled by their white (`depth.py`); of several pages the first counts;
ICC profiles are ignored.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reason_iad.errors import ImageError, given_type, nearest_file
from reason_iad.images.content import named
from reason_iad.images.depth import Depth, at_white, scaled, strips
from reason_iad.images.formats import FORMATS, register
from reason_iad.images.metadata import DeepColour, deep_colour, stated_white, white_is_zero
from reason_iad.images.orientation import orientation_of, upright, upright_size, upright_values
from reason_iad.images.sources import ACCEPTED, LoadedImage, Picture

MAX_PIXELS = 100_000_000
MAX_FILE_BYTES = 512 * 2**20
MIN_SIDE = 8
MAX_ASPECT = 200  # Qwen's smart resize refuses more
"""What may be given as a picture, as messages say it."""

_DEEP_GREY = ("I", "I;16", "I;16L", "I;16B", "I;16N", "F")
_ON_WHITE = "Transparent parts were composed on white."


class _Decoded(NamedTuple):
    """A picture that was decoded.

    Attributes:
        pixels: RGB, upright.
        notes: what was done.
        depth: what became of more than 8 bits; None where there were 8.
        content: what the hash is made of where there is no file; None: the pixels.
    """

    pixels: Image.Image
    notes: tuple[str, ...]
    depth: Depth | None = None
    content: NDArray[Any] | None = None


def load_image(source: Picture, *, white: float | None = None) -> LoadedImage:
    """Load one image as 8-bit RGB.

    Args:
        source: a file, the bytes of a file, a PIL image, or an array of shape (H, W), (H, W, 1), (H, W, 3) or
            (H, W, 4) with dtype uint8, uint16, or float in [0, 1]. Colours are in the order red, green, blue. What
            is already loaded is returned as it is, unless `white` is another one than was found.
        white: the value that is white where there are more than 8 bits; None: what the file says, or what its
            values look like. `same_white` makes pictures agree that are compared. Float arrays end at 1.

    Raises:
        ImageError: it is missing, unreadable, not an image of `FORMATS`, damaged, outside the size limits, or
            of a type that is no picture.
    """
    if isinstance(source, LoadedImage):
        return at_white(source, white)
    if isinstance(source, Image.Image):
        name = printable(Path(str(getattr(source, "filename", "") or "image")).name)
        _check_size(source.size, f"The image '{name}'")
        return _without_file(_decoded(source, f"The image '{name}'", None, white), name)
    if isinstance(source, np.ndarray):
        return _without_file(_array_decoded(source, white), "array")
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        what = f"The image '{printable(path)}'"
        return _of_file(_read(path, what), what, printable(path.name), white)
    if isinstance(source, bytes | bytearray | memoryview):
        return _of_file(bytes(source), "The image given as bytes", "image", white)
    raise ImageError(f"The image was given as {given_type(source)}; give {ACCEPTED}.")


def deep_of(path: Path) -> Depth | None:
    """What is known of a file with more than 8 bits; None for 8, which its header tells: no pixel is decoded then.

    Raises:
        ImageError: as `load_image`.
    """
    what = f"The image '{printable(path)}'"
    data = _read(path, what)
    with _opened(io.BytesIO(data), what) as image:
        if image.mode not in _DEEP_GREY and deep_colour(image, data) is None:
            return None
    depth = _of_file(data, what, printable(path.name), None).depth
    return None if depth is None else replace(depth, values=None)


def size_by_header(content: bytes, what: str) -> tuple[int, int]:
    """Width and height of an image file when it lies upright, as `load_image` gives them; no pixel is decoded.

    Args:
        content: of the file.
        what: how messages call it.

    Raises:
        ImageError: it is no image that can be read. An unfit size is not refused.
    """
    with _opened(io.BytesIO(content), what, any_size=True) as image:
        return upright_size(image, content)


def check_header(path: Path) -> None:
    """Refuse a file that by its header is no image to inspect; cheap, because no pixel is decoded.

    Raises:
        ImageError: as `load_image`, but for what only decoding shows.
    """
    what = f"The image '{printable(path)}'"
    with _file(path, what) as file, _opened(file, what):
        pass


def printable(text: str | Path) -> str:
    """Text of a path that can be printed and written as UTF-8, whatever bytes the file system holds."""
    clean = os.fsencode(text).decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in clean)


def _of_file(data: bytes, what: str, name: str, white: float | None) -> LoadedImage:
    """The content of an image file, under the same limits wherever it comes from."""
    if not data:
        raise ImageError(f"{what} is empty (zero bytes); copy or export it again.")
    if len(data) > MAX_FILE_BYTES:
        raise ImageError(f"{what} is larger than {MAX_FILE_BYTES // 2**20} MiB; crop it or save it compressed.")
    with _opened(io.BytesIO(data), what) as image:
        found = _decoded(image, what, data, white)
    return _loaded(found, name, hashlib.sha256(data).hexdigest())


def _loaded(found: _Decoded, name: str, sha256: str) -> LoadedImage:
    pixels = found.pixels
    return LoadedImage(pixels, name, sha256, pixels.width, pixels.height, found.notes, found.depth)


@contextmanager
def _opened(file: BinaryIO, what: str, *, any_size: bool = False) -> Iterator[Image.Image]:
    """An image whose header is read and whose size is fit."""
    register()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns about what is refused, or harmless, here
        try:
            image = Image.open(file, formats=FORMATS)
        except Image.DecompressionBombError:
            raise ImageError(_too_large(what)) from None
        except Exception:
            # Decoders meet hostile bytes here and may raise anything; all of it means the same to the user.
            raise ImageError(f"{what} {_unreadable(file)}.") from None
        with image:
            if not any_size:
                _check_size(image.size, what)
            yield image


def _unreadable(file: BinaryIO) -> str:
    """What a file is that is no image of a known format, and what to do."""
    return named(file) or f"is not an image that can be read; save it as one of: {', '.join(FORMATS)}"


@contextmanager
def _file(path: Path, what: str) -> Iterator[BinaryIO]:
    """A regular file, opened without ever blocking on a pipe or a device."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(path, flags), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ImageError(f"{what} is a pipe or a device; save the image to an ordinary file first.")
            yield file
    except (OSError, ValueError) as error:
        if isinstance(error, (FileNotFoundError, NotADirectoryError)):  # it may have been meant as a folder
            what = what.replace("The image", "The file or folder", 1)
        raise ImageError(f"{what} {_reason(error)}.{_near(path, error)}") from None


def _read(path: Path, what: str) -> bytes:
    """Read a regular file, once."""
    with _file(path, what) as file:
        return file.read(MAX_FILE_BYTES + 1)


def _reason(error: OSError | ValueError) -> str:
    """Why a file cannot be read, and what to do."""
    code = error.errno if isinstance(error, OSError) else None
    if code == errno.ENOENT:
        return "does not exist; check the path"
    if code == errno.EISDIR:
        return "is a folder; give one image file"
    if code in (errno.EACCES, errno.EPERM):
        return "may not be read; give yourself read permission"
    if code == errno.ELOOP:
        return "is a symbolic link that leads back to itself; point it at a file"
    if code == errno.ENOTDIR:
        return "does not exist, because a part of its path is a file; check the path"
    detail = error.strerror if isinstance(error, OSError) else str(error)
    return f"cannot be read ({detail}); check the path and the disk"


def _near(path: Path, error: OSError | ValueError) -> str:
    """Names in the folder that the name of a missing file is close to."""
    return nearest_file(path) if isinstance(error, FileNotFoundError) else ""


def _too_large(what: str) -> str:
    return f"{what} has more than {MAX_PIXELS // 10**6} million pixels; crop it or scale it down."


def _check_size(size: tuple[int, int], what: str) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise ImageError(_too_large(what))
    if min(size) < MIN_SIDE:
        raise ImageError(
            f"{what} is {width}x{height} pixels, too small to inspect; each side needs at least {MIN_SIDE}."
        )
    if max(size) > MAX_ASPECT * min(size):
        raise ImageError(
            f"{what} is {width}x{height} pixels, too narrow to inspect; "
            f"crop it so that one side is at most {MAX_ASPECT} times the other."
        )


def _decoded(image: Image.Image, what: str, data: bytes | None, white: float | None) -> _Decoded:
    """Decode the first page, upright, as a new RGB image.

    Args:
        image: opened.
        what: how messages call it.
        data: its file, if there is one.
        white: as `load_image` takes it.
    """
    notes: list[str] = []
    deep = None if data is None else deep_colour(image, data)
    try:
        if getattr(image, "is_animated", False):
            image.seek(0)
            notes.append(f"Only the first of {getattr(image, 'n_frames', 'several')} pages was used.")
        if deep is None:
            image.load()
    except Exception:
        raise ImageError(f"{what} is damaged or cut off; copy or export it again.") from None
    try:
        orientation = orientation_of(image, data)
    except Exception:  # malformed EXIF must not cost the user the picture
        orientation = 1
        notes.append("The rotation in the EXIF data is unreadable and was ignored.")
    if deep is None and image.mode not in _DEEP_GREY:
        return _shallow(upright(image, orientation), what, notes, own=data is not None)
    values: NDArray[Any]
    if deep is not None and data is not None:
        values = _deep_values(data, deep, orientation, upright_size(image, data), what)
    else:
        values = upright_values(np.asarray(image), orientation)
    negative = deep is None and white_is_zero(image)
    stated = stated_white(image, data, values)
    if values.ndim == 3 and values.shape[2] == 4:
        notes.append(_ON_WHITE)
    pixels, depth = scaled(values, what, given=white, stated=stated, negative=negative)
    return _Decoded(pixels, (*notes, *depth.notes), depth, values)


def _shallow(image: Image.Image, what: str, notes: list[str], *, own: bool) -> _Decoded:
    """A picture of 8 bits or fewer as RGB.

    Args:
        image: decoded, upright.
        what: how messages call it.
        notes: what was done before.
        own: nobody else has it, so it needs no copy.
    """
    if own and image.mode == "RGB" and not image.has_transparency_data:
        image.info.clear()  # nothing of the file but its pixels
        return _Decoded(image, tuple(notes))
    try:
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            notes.append(_ON_WHITE)
        return _Decoded(image.convert("RGB"), tuple(notes))
    except ValueError:
        raise ImageError(
            f"{what} has the colour mode {image.mode}, which cannot be read; save it as RGB."
        ) from None


def _deep_values(
    data: bytes, deep: DeepColour, orientation: int, size: tuple[int, int], what: str
) -> NDArray[np.uint16]:
    """(H, W, 3 or 4) colours of 16 bits, upright. OpenCV decodes them, because Pillow cuts them to 8 bits.

    Pillow read the header before, so that what is decoded is a PNG or TIFF of a size that is fit.
    """
    import cv2

    try:
        values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        values = None
    if values is None or values.dtype != np.uint16 or values.ndim != 3 or values.shape[2] not in (3, 4):
        raise ImageError(f"{what} is damaged or cut off; copy or export it again.")
    found: NDArray[Any] = values if deep.turned else upright_values(values, orientation)
    if found.shape[:2] != size[::-1]:
        raise ImageError(f"{what} is damaged or cut off; copy or export it again.")
    for strip in strips(found):  # blue, green and red become red, green and blue
        strip[..., :3] = cv2.cvtColor(strip[..., :3], cv2.COLOR_BGR2RGB)
    if deep.fourth == "unused":
        return found[..., :3]
    return _from_premultiplied(found) if deep.fourth == "premultiplied" else found


def _from_premultiplied(values: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Colours that were multiplied with their opacity, as they were before."""
    opaque = max(1.0, float(values[..., 3].max()))
    for strip in strips(values):
        before = strip[..., :3] * (opaque / np.maximum(strip[..., 3:].astype(np.float32), 1))
        strip[..., :3] = np.minimum(before, 65535).astype(np.uint16)
    return values


def _array_decoded(array: NDArray[Any], white: float | None) -> _Decoded:
    what = "The image array"
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise ImageError(f"{what} has shape {array.shape}; give (H, W), (H, W, 1), (H, W, 3) or (H, W, 4).")
    _check_size((array.shape[1], array.shape[0]), what)
    if array.dtype.newbyteorder("=") not in (np.uint8, np.uint16, np.float16, np.float32, np.float64):
        raise ImageError(f"{what} has dtype {array.dtype}; give uint8, uint16, or float in [0, 1].")
    is_float = array.dtype.kind == "f"
    if is_float and np.max(array) > 1:
        raise ImageError(f"{what} has float values above 1; divide it by its largest possible value.")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.dtype == np.uint8:
        return _decoded(Image.fromarray(np.ascontiguousarray(array)), what, None, None)
    array = array.copy()  # it is kept, and must not change with the user's
    pixels, depth = scaled(array, what, given=None if is_float else white, stated=1.0 if is_float else None)
    notes = (_ON_WHITE,) if array.ndim == 3 and array.shape[2] == 4 else ()
    return _Decoded(pixels, (*notes, *depth.notes), depth, None if is_float else array)


def _without_file(found: _Decoded, name: str) -> LoadedImage:
    """Its hash is over what was given: the values where there are more than 8 bits, else the RGB pixels."""
    pixels, content = found.pixels, found.content
    if content is None:
        digest = hashlib.sha256(f"RGB {pixels.width}x{pixels.height} ".encode())
        digest.update(pixels.tobytes())
    else:
        digest = hashlib.sha256(f"{content.dtype.kind}{content.dtype.itemsize} {content.shape} ".encode())
        digest.update(content.astype(content.dtype.newbyteorder("<")).tobytes())
    return _loaded(found, name, digest.hexdigest())
