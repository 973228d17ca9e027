"""A contact sheet: reference, query and mask of many samples in one picture, to look at the world."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from reason_iad_nano.world.types import Sample


def contact_sheet(samples: Iterable[Sample], path: str | Path, columns: int = 4) -> Path:
    """Write a PNG with one (reference, query, mask) strip per sample; samples must have one size."""
    strips = []
    for sample in samples:
        mask = np.repeat(sample.mask[..., None], 3, 2).astype(np.uint8) * 255
        strips.append(np.concatenate([*sample.references[:1], sample.query, mask], 1))
    blank = np.zeros_like(strips[0])
    strips += [blank] * (-len(strips) % columns)
    rows = [np.concatenate(strips[i : i + columns], 1) for i in range(0, len(strips), columns)]
    Image.fromarray(np.concatenate(rows, 0)).save(path)
    return Path(path)
