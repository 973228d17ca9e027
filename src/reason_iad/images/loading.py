"""Images in: any file, bytes, PIL image or array becomes 8-bit RGB, or one sentence says why it cannot.

Files are hostile until proven otherwise. A file is opened without blocking and must be a regular one (a pipe
or a device would hang), is read once (so that the hash is the hash of what was decoded), is decoded only by
the formats listed here, and is refused from its header, before any pixel is decoded, when its size is absurd.

What happens to unusual pixels: EXIF rotation is applied; transparency is composed on white, as on paper;
deeper greys are scaled by their range, never clipped; of an animation the first frame counts; ICC profiles
are ignored.
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
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from reason_iad.errors import ImageError, given_type, nearest_file
from reason_iad.images.sources import ACCEPTED, LoadedImage, Picture

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF", "PPM")
"""Pillow's names of the formats that may be decoded; a hostile file reaches no other decoder."""

MAX_PIXELS = 100_000_000
MAX_FILE_BYTES = 512 * 2**20
MIN_SIDE = 8
MAX_ASPECT = 200  # Qwen's smart resize refuses more
"""What may be given as a picture, as messages say it."""

_DEEP_GREY = ("I", "I;16", "I;16L", "I;16B", "I;16N")


def load_image(source: Picture) -> LoadedImage:
    """Load one image as 8-bit RGB.

    Args:
        source: a file, the bytes of a file, a PIL image, or an array of shape (H, W), (H, W, 1), (H, W, 3) or
            (H, W, 4) with dtype uint8, uint16, or float in [0, 1]. Colours are in the order red, green, blue. What
            is already loaded is returned as it is.

    Raises:
        ImageError: it is missing, unreadable, not an image of `FORMATS`, damaged, outside the size limits, or
            of a type that is no picture.
    """
    if isinstance(source, LoadedImage):
        return source
    if isinstance(source, Image.Image):
        name = printable(Path(str(getattr(source, "filename", "") or "image")).name)
        _check_size(source.size, f"The image '{name}'")
        return _without_file(*_to_rgb(source, f"The image '{name}'"), name)
    if isinstance(source, np.ndarray):
        return _without_file(*_array_to_rgb(source), "array")
    if isinstance(source, (str, os.PathLike)):
        return _load_file(Path(source))
    if isinstance(source, bytes | bytearray | memoryview):
        return _decode(bytes(source), "The image given as bytes", "image")
    raise ImageError(f"The image was given as {given_type(source)}; give {ACCEPTED}.")


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


def _load_file(path: Path) -> LoadedImage:
    what = f"The image '{printable(path)}'"
    return _decode(_read(path, what), what, printable(path.name))


def _decode(data: bytes, what: str, name: str) -> LoadedImage:
    """The content of an image file, under the same limits wherever it comes from."""
    if not data:
        raise ImageError(f"{what} is empty (zero bytes); copy or export it again.")
    if len(data) > MAX_FILE_BYTES:
        raise ImageError(f"{what} is larger than {MAX_FILE_BYTES // 2**20} MiB; crop it or save it compressed.")
    with _opened(io.BytesIO(data), what) as image:
        pixels, notes = _to_rgb(image, what)
    return LoadedImage(pixels, name, hashlib.sha256(data).hexdigest(), pixels.width, pixels.height, notes)


@contextmanager
def _opened(file: BinaryIO, what: str) -> Iterator[Image.Image]:
    """An image whose header is read and whose size is fit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns about what is refused, or harmless, here
        try:
            image = Image.open(file, formats=FORMATS)
        except Image.DecompressionBombError:
            raise ImageError(_too_large(what)) from None
        except Exception:
            # Decoders meet hostile bytes here and may raise anything; all of it means the same to the user.
            raise ImageError(
                f"{what} is not an image that can be read; save it as one of: {', '.join(FORMATS)}."
            ) from None
        with image:
            _check_size(image.size, what)
            yield image


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


def _to_rgb(image: Image.Image, what: str) -> tuple[Image.Image, tuple[str, ...]]:
    """Decode the first frame, upright, as a new RGB image; returns it with its notes."""
    notes: list[str] = []
    try:
        if getattr(image, "is_animated", False):
            image.seek(0)
            notes.append("Only the first of several frames was used.")
        image.load()
    except Exception:
        raise ImageError(f"{what} is damaged or cut off; copy or export it again.") from None
    try:
        image = ImageOps.exif_transpose(image)
    except Exception:  # malformed EXIF must not cost the user the picture
        notes.append("The rotation in the EXIF data is unreadable and was ignored.")
    if image.mode in _DEEP_GREY or image.mode == "F":
        grey, note = _grey_to_8_bit(np.asarray(image), what)
        return Image.fromarray(grey).convert("RGB"), (*notes, *note)
    try:
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            notes.append("Transparent parts were composed on white.")
        return image.convert("RGB"), tuple(notes)
    except ValueError:
        raise ImageError(
            f"{what} has the colour mode {image.mode}, which cannot be read; save it as RGB."
        ) from None


def _grey_to_8_bit(grey: NDArray[Any], what: str) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Scale deep or float greys (H, W[, C]) to 8 bits; returns them with the notes.

    White is the largest value of the type in use: 1 for floats up to 1; 65535, or 4095 when nothing is
    brighter, because 12-bit cameras store their values unshifted. It is never the brightest pixel: two images
    of one product must stay comparable.
    """
    low, high = float(grey.min()), float(grey.max())
    if not np.isfinite(low) or not np.isfinite(high):
        raise ImageError(f"{what} contains NaN or infinite values; replace them before inspecting.")
    if low < 0 or high > 65535:
        raise ImageError(f"{what} has values from {low:g} to {high:g}; scale them to 0..1 (float) or 0..65535.")
    if grey.dtype.kind == "f" and high <= 1:
        white = 1
    elif grey.dtype.kind == "f" and high <= 255:
        white = 255
    else:
        white = 4095 if high <= 4095 else 65535
    scaled = grey.astype(np.float32)
    scaled *= 255 / white
    return np.rint(scaled, out=scaled).astype(np.uint8), (f"Values were scaled from 0..{white} to 8 bits.",)


def _array_to_rgb(array: NDArray[Any]) -> tuple[Image.Image, tuple[str, ...]]:
    what = "The image array"
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise ImageError(f"{what} has shape {array.shape}; give (H, W), (H, W, 1), (H, W, 3) or (H, W, 4).")
    _check_size((array.shape[1], array.shape[0]), what)
    if array.dtype.newbyteorder("=") not in (np.uint8, np.uint16, np.float16, np.float32, np.float64):
        raise ImageError(f"{what} has dtype {array.dtype}; give uint8, uint16, or float in [0, 1].")
    notes: tuple[str, ...] = ()
    if array.dtype.kind == "f" and np.max(array) > 1:
        raise ImageError(f"{what} has float values above 1; divide it by its largest possible value.")
    if array.dtype != np.uint8:
        array, notes = _grey_to_8_bit(array, what)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    rgb, more = _to_rgb(Image.fromarray(np.ascontiguousarray(array)), what)
    return rgb, notes + more


def _without_file(pixels: Image.Image, notes: tuple[str, ...], name: str) -> LoadedImage:
    digest = hashlib.sha256(f"RGB {pixels.width}x{pixels.height} ".encode())
    digest.update(pixels.tobytes())
    return LoadedImage(pixels, name, digest.hexdigest(), pixels.width, pixels.height, notes)
