"""Anomaly maps as files: found, read, checked, and brought to the size of the truth.

Maps made elsewhere are files like any other: what a header claims is judged before memory is given to it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reason_iad.bench.detect.samples import Sample
from reason_iad.errors import DatasetError
from reason_iad.images import MAX_PIXELS, printable

SUFFIXES = (".npy", ".tif", ".tiff", ".png")

Map = NDArray[np.float32]


def find_maps(folder: Path, samples: Iterable[Sample]) -> dict[str, Path]:
    """The map of each image: at the image's place under the folder, its suffix replaced or followed by a map's.

    So the map of 'nut/test/good/000.png' is 'nut/test/good/000.tiff' or 'nut/test/good/000.png.npy'.

    Raises:
        DatasetError: an image has no map or several, or two images have the same.
    """
    found: dict[str, Path] = {}
    missing: list[str] = []
    taken: dict[Path, str] = {}
    for sample in samples:
        place = folder / sample.id
        names = [place.with_name(name + suffix) for name in (place.name, place.stem) for suffix in SUFFIXES]
        there = [path for path in dict.fromkeys(names) if path.is_file()]
        if not there:
            missing.append(sample.id)
            continue
        if len(there) > 1:
            files = " and ".join(f"'{printable(path)}'" for path in there)
            raise DatasetError(f"'{printable(sample.id)}' has more than one map: {files}; keep one.")
        if there[0] in taken:
            raise DatasetError(
                f"'{printable(there[0])}' would be the map of '{printable(taken[there[0]])}' and of "
                f"'{printable(sample.id)}'; name them after the whole file name, as in 'part.png.npy'."
            )
        taken[there[0]] = sample.id
        found[sample.id] = there[0]
    if missing:
        names_of = ", ".join(printable(name) for name in missing[:3]) + (", …" if len(missing) > 3 else "")
        raise DatasetError(
            f"{len(missing)} of {len(missing) + len(found)} images have no map in '{printable(folder)}' "
            f"({names_of}); a map lies where its image lies in the set, and ends in {', '.join(SUFFIXES)}."
        )
    return found


def read_map(path: Path) -> Map:
    """Read a map: float or integer .npy, float .tiff, 8 or 16 bit grey .png. Larger is less normal.

    Returns:
        (H, W) float32; the values are taken as they are.

    Raises:
        DatasetError: it cannot be read, is no map, is absurdly large, or holds NaN or infinite values.
    """
    what = f"The map '{printable(path)}'"
    read = _array if path.suffix.lower() == ".npy" else _picture
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's about large pictures, numpy's about old headers
            values = read(path, what)
    except DatasetError:
        raise
    except FileNotFoundError:
        raise DatasetError(f"{what} does not exist; make it again.") from None
    except Exception as error:  # as for images: decoders meet hostile bytes and may raise anything
        reason = getattr(error, "strerror", None) or "it is damaged or no map"
        raise DatasetError(f"{what} cannot be read ({reason}); make it again.") from None
    return as_map(values, what)


def _array(path: Path, what: str) -> NDArray[Any]:
    """The array in a .npy file; none is made for a header that promises what the file does not hold."""
    headers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        if version not in headers:  # 3.0 is for tables with named columns
            raise DatasetError(f"{what} is no plain array; it must be (H, W) numbers.")
        shape, _, dtype = headers[version](file)
        _check_map(shape, dtype, what)
        if math.prod(shape) * dtype.itemsize > path.stat().st_size - file.tell():
            raise DatasetError(f"{what} is cut off; make it again.")
        file.seek(0)
        values: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return values


def _picture(path: Path, what: str) -> NDArray[Any]:
    """The values of a TIFF or PNG file."""
    try:
        with Image.open(path, formats=("TIFF", "PNG")) as image:
            _check_pixels(math.prod(image.size), what)
            if image.mode not in ("F", "L", "I", "I;16", "I;16B", "I;16L"):
                raise DatasetError(f"{what} is a picture of mode {image.mode}; save the values, not colours.")
            return np.asarray(image)
    except Image.DecompressionBombError:
        raise _too_large(what) from None


def _check_map(shape: tuple[int, ...], dtype: np.dtype[Any], what: str) -> None:
    flat = len(shape) == 2 or (len(shape) == 3 and 1 in (shape[0], shape[2]))
    if not flat or min(shape) < 1 or dtype.kind not in "fiu":
        raise DatasetError(f"{what} has shape {shape} and type {dtype}; it must be (H, W) numbers.")
    _check_pixels(math.prod(shape), what)


def _check_pixels(count: int, what: str) -> None:
    if count > MAX_PIXELS:
        raise _too_large(what)


def _too_large(what: str) -> DatasetError:
    return DatasetError(f"{what} has more than {MAX_PIXELS // 10**6} million values; scale it down.")


def as_map(values: NDArray[Any], what: str) -> Map:
    """Values as an (H, W) float32 map; one leading or trailing axis of length 1 is dropped.

    Raises:
        DatasetError: they are no map, or not finite; the message begins with `what`.
    """
    _check_map(values.shape, values.dtype, what)
    if values.ndim == 3:
        values = values[0] if values.shape[0] == 1 else values[:, :, 0]
    with np.errstate(over="ignore"):
        result: Map = values.astype(np.float32)
    if not np.isfinite(result).all():
        raise DatasetError(f"{what} holds NaN or infinite values; a map must be finite.")
    return result


def resized(values: Map, size: tuple[int, int]) -> Map:
    """A map at another size (width, height): bilinear between pixel centres, averaging where it shrinks."""
    if values.shape == (size[1], size[0]):
        return values
    return np.asarray(Image.fromarray(values).resize(size, Image.Resampling.BILINEAR))
