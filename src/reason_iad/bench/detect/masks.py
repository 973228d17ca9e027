"""The truth about an image: which pixels are defective, and which of them form a region."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reason_iad.bench.detect.inventory import content_of
from reason_iad.bench.detect.regions import Region, components
from reason_iad.bench.detect.samples import Sample, Saturation
from reason_iad.errors import DatasetError, ImageError
from reason_iad.images import Mask, Remark, decode_mask, printable


class Truth(NamedTuple):
    """The defect of one image.

    Attributes:
        mask: (H, W), True where it is defective.
        regions: its defect regions; empty for a normal image.
        remarks: what a person should know of how its mask files were read, each with the file.
    """

    mask: NDArray[np.bool_]
    regions: list[Region]
    remarks: tuple[tuple[Remark, Path], ...] = ()


def read_truth(sample: Sample, size: tuple[int, int]) -> Truth:
    """The masks of an image.

    Args:
        sample: the image.
        size: its width and height.

    Raises:
        DatasetError: a mask is missing, unreadable, of another size, or holds a value it should not.
    """
    union = np.zeros((size[1], size[0]), dtype=bool)
    stated: list[Region] = []
    remarks: list[tuple[Remark, Path]] = []
    for path in sample.masks:  # one at a time: LOCO has many per image
        part = read_mask(path, size)
        union |= part.marked
        remarks += [(remark, path) for remark in part.remarks]
        if sample.saturation is not None:
            stated += _stated(part.values, path, sample.saturation)
    return Truth(union, components(union) if sample.saturation is None else stated, tuple(remarks))


def marks_something(path: Path) -> bool | None:
    """Whether a mask marks anything; None if it cannot be read."""
    try:
        return bool(decode_mask(content_of(path), "", None).marked.any())
    except (DatasetError, ImageError):
        return None


def read_mask(path: Path, size: tuple[int, int]) -> Mask:
    """A mask from its file.

    Args:
        path: the file.
        size: width and height it must have; a mask of another size is not decoded.

    Raises:
        DatasetError: it is missing, no image that can be read, or of another size.
    """
    what = f"The mask '{printable(path)}'"
    try:
        content = content_of(path)
    except DatasetError as error:
        raise DatasetError(f"{what} {error}; export it again as PNG.") from None
    try:
        return decode_mask(content, what, size)
    except ImageError as error:
        raise DatasetError(str(error)) from None


def _stated(part: NDArray[Any], path: Path, how: Mapping[int, Saturation]) -> list[Region]:
    """A mask file as one region that saturates as the value of its pixels says; none if it is empty."""
    inside = np.flatnonzero(part)
    values = sorted({int(value) for value in np.unique(part.ravel()[inside])})
    if not values:
        return []
    if len(values) > 1 or values[0] not in how:
        known = ", ".join(str(value) for value in sorted(how))
        raise DatasetError(
            f"The mask '{printable(path)}' holds the values {', '.join(map(str, values[:5]))}; it needs one "
            f"of those in defects_config.json ({known}), and no other."
        )
    return [Region(inside, how[values[0]].area(len(inside)))]
