"""Anomaly maps as files: found, read, checked, and brought to the size of the truth."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reason_iad.bench.detect.samples import Sample
from reason_iad.errors import DatasetError
from reason_iad.images import printable

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
        DatasetError: it cannot be read, is no map, or holds NaN or infinite values.
    """
    what = f"The map '{printable(path)}'"
    try:
        if path.suffix.lower() == ".npy":
            values = np.load(path, allow_pickle=False)
        else:
            with Image.open(path, formats=("TIFF", "PNG")) as image:
                if image.mode not in ("F", "L", "I", "I;16", "I;16B", "I;16L"):
                    raise DatasetError(f"{what} is a picture of mode {image.mode}; save the values, not colours.")
                values = np.asarray(image)
    except FileNotFoundError:
        raise DatasetError(f"{what} does not exist; make it again.") from None
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise DatasetError(f"{what} cannot be read ({error}); make it again.") from None
    return as_map(values, what)


def as_map(values: NDArray[Any], what: str) -> Map:
    """Values as an (H, W) float32 map; one leading or trailing axis of length 1 is dropped.

    Raises:
        DatasetError: they are no map, or not finite; the message begins with `what`.
    """
    if values.ndim == 3 and 1 in (values.shape[0], values.shape[2]):
        values = values[0] if values.shape[0] == 1 else values[:, :, 0]
    if values.ndim != 2 or not values.size or values.dtype.kind not in "fiu":
        raise DatasetError(f"{what} has shape {values.shape} and type {values.dtype}; it must be (H, W) numbers.")
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
