"""The truth about an image: which pixels are defective, and which of them form a region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reason_iad.bench.detect.regions import Region, components
from reason_iad.bench.detect.samples import Sample, Saturation
from reason_iad.errors import DatasetError
from reason_iad.images import FORMATS, printable


class Truth(NamedTuple):
    """The defect of one image.

    Attributes:
        mask: (H, W), True where it is defective.
        regions: its defect regions; empty for a normal image.
    """

    mask: NDArray[np.bool_]
    regions: list[Region]


def read_truth(sample: Sample, size: tuple[int, int]) -> Truth:
    """The masks of an image.

    Args:
        sample: the image.
        size: its width and height.

    Raises:
        DatasetError: a mask is missing, unreadable, of another size, or holds a value it should not.
    """
    union = np.zeros((size[1], size[0]), dtype=bool)
    parts = [read_mask(path) for path in sample.masks]
    for path, part in zip(sample.masks, parts, strict=True):
        if part.shape != union.shape:
            raise DatasetError(
                f"The mask '{printable(path)}' is {part.shape[1]}x{part.shape[0]} pixels, "
                f"its image {size[0]}x{size[1]}; scale the mask."
            )
        union |= part > 0
    if sample.saturation is None:
        return Truth(union, components(union))
    return Truth(union, _stated(parts, sample.masks, sample.saturation))


def read_mask(path: Path) -> NDArray[Any]:
    """Pixel values of a mask, (H, W): of palettes the index, of colours the largest channel, without transparency.

    Raises:
        DatasetError: it is missing or no image that can be read.
    """
    from PIL import Image

    try:
        with Image.open(path, formats=FORMATS) as image:
            pixels = np.asarray(image)
    except FileNotFoundError:
        raise DatasetError(f"The mask '{printable(path)}' does not exist; add it.") from None
    except Exception:  # as for images: decoders meet hostile bytes and may raise anything
        raise DatasetError(f"The mask '{printable(path)}' cannot be read; export it again as PNG.") from None
    if pixels.ndim == 3:
        colours = pixels.shape[2] - (pixels.shape[2] in (2, 4))
        pixels = pixels[:, :, :colours].max(axis=2)
    return pixels


def _stated(parts: Sequence[NDArray[Any]], paths: Sequence[Path], how: Mapping[int, Saturation]) -> list[Region]:
    """Each mask file as one region that saturates as the value of its pixels says."""
    regions = []
    for part, path in zip(parts, paths, strict=True):
        inside = np.flatnonzero(part)
        values = sorted({int(value) for value in np.unique(part.ravel()[inside])})
        if not values:
            continue
        if len(values) > 1 or values[0] not in how:
            known = ", ".join(str(value) for value in sorted(how))
            raise DatasetError(
                f"The mask '{printable(path)}' holds the values {', '.join(map(str, values[:5]))}; it needs one "
                f"of those in defects_config.json ({known}), and no other."
            )
        regions.append(Region(inside, how[values[0]].area(len(inside))))
    return regions
