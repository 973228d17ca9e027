"""A sample shown with more pixels than it has, as a closer look at a small photograph shows it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from reason_iad.expert.brushes.types import Mask
from reason_iad_nano.world.types import Defect, Pixels, Sample


def enlarged(sample: Sample, size: tuple[int, int]) -> Sample:
    """The same sample, its pictures resampled.

    Args:
        sample: any sample.
        size: (height, width) of the result.
    """
    high, wide = size
    down, across = high / sample.mask.shape[0], wide / sample.mask.shape[1]

    def picture(pixels: Pixels) -> Pixels:
        return np.asarray(Image.fromarray(pixels).resize((wide, high), Image.Resampling.BICUBIC))

    def defect(one: Defect) -> Defect:
        x1, y1, x2, y2 = one.box
        box = (int(x1 * across), int(y1 * down), max(round(x2 * across), 1), max(round(y2 * down), 1))
        return replace(one, box=box)

    mask: Mask = np.asarray(Image.fromarray(sample.mask).resize((wide, high), Image.Resampling.NEAREST))
    return replace(
        sample,
        query=picture(sample.query),
        references=tuple(picture(pixels) for pixels in sample.references),
        mask=mask,
        defects=tuple(defect(one) for one in sample.defects),
    )
