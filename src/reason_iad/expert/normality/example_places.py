"""Which patches a defect covers, and its features as one vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from reason_iad.expert.connected import connected

if TYPE_CHECKING:
    from reason_iad.expert.normality.looks import Look
    from reason_iad.expert.normality.space import Space

Cells = npt.NDArray[np.float32]
"""(rows, columns) weights of patches."""
Mask = npt.NDArray[np.bool_]

HALF = 0.5
"""A region holds what is at least so high, as a share of its peak."""
TOUCHED = 0.02
"""Share of a patch that a marked place has to cover to touch it."""
COVERED = 0.25
"""Share of a patch that a marked place has to cover for the patch to be one of the defect."""


def place_of_defect(excess: torch.Tensor, marked: Mask | None) -> Cells:
    """(rows, columns) what differs inside a marked place, or the region that differs most where none is marked.

    Args:
        excess: (rows, columns) the joined map.
        marked: (h, w) True inside the place.
    """
    import cv2

    above: Cells = excess.clamp_min(0).numpy().astype(np.float32)
    if marked is None:
        labels, _ = connected(above >= HALF * above.max())
        here: Mask = labels == labels[np.unravel_index(int(above.argmax()), above.shape)]
    else:
        touched = shares(marked, above.shape) > TOUCHED
        here = np.asarray(cv2.dilate(touched.astype(np.uint8), np.ones((3, 3), np.uint8))) > 0
    found = np.where(here, above, 0).astype(np.float32)
    if found.max() <= 0:  # nothing differs there
        return here.astype(np.float32) if here.any() else np.ones_like(above)
    return np.where(found >= HALF * found.max(), found, 0).astype(np.float32)


def patches_of_defect(excess: torch.Tensor, marked: Mask | None, shape: tuple[int, int]) -> Cells:
    """(rows, columns) of that shape: which patches are of a defect, and how much; never all 0."""
    if marked is None:
        return _sized(place_of_defect(excess, None), shape)
    covered = shares(marked, shape)
    least = min(COVERED, HALF * float(covered.max()))
    return np.where(covered >= least, covered, 0).astype(np.float32)


def summary(spaces: Sequence[Space], look: Look, place: Cells) -> torch.Tensor:
    """(sum of channels,) the mean whitened direction of a place at each resolution, together of unit length.

    Args:
        spaces: the coordinates at each resolution.
        look: what was seen of the picture.
        place: (rows, columns) what counts how much; not all 0.
    """
    parts = []
    for space, patches in zip(spaces, look.patches, strict=True):
        weights = torch.from_numpy(_sized(place, (patches.rows, patches.columns))).flatten()
        mean = weights @ space.directions(patches.features.float())["whitened"]
        parts.append(torch.nn.functional.normalize(mean, dim=0))
    return torch.nn.functional.normalize(torch.cat(parts), dim=0)


def box_of_place(place: Cells, width: int, height: int) -> tuple[int, int, int, int]:
    """x1, y1, x2, y2 of a place in a picture of that size, in pixels."""
    rows, columns = np.nonzero(place)
    down, across = height / place.shape[0], width / place.shape[1]
    return (
        int(columns.min() * across), int(rows.min() * down),
        min(width, round((columns.max() + 1) * across)), min(height, round((rows.max() + 1) * down)),
    )  # fmt: skip


def box_of_mask(marked: Mask) -> tuple[int, int, int, int]:
    """x1, y1, x2, y2 around a marked place, in pixels."""
    rows, columns = np.nonzero(marked)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def boxed(box: tuple[int, int, int, int], width: int, height: int) -> Mask:
    """(height, width) True inside a box."""
    marked: Mask = np.zeros((height, width), bool)
    marked[box[1] : box[3], box[0] : box[2]] = True
    return marked


def shares(marked: Mask, shape: tuple[int, ...]) -> Cells:
    """(rows, columns) which share of each patch is marked."""
    return _sized(marked.astype(np.float32), (shape[0], shape[1]))


def _sized(values: Cells, shape: tuple[int, int]) -> Cells:
    import cv2

    found: Any = cv2.resize(values, shape[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(found, np.float32)
