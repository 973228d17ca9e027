"""Defect regions, and what their pixels weigh in the region curve.

A region is an 8-connected component of a mask (as in MVTec's own evaluation), and its overlap with everything at or
above a threshold is the share of its pixels there. MVTec LOCO states regions otherwise: each mask file is one,
however many parts it has, they may lie over one another, and one is found completely once a *saturation area* of it
is (sPRO; Bergmann et al., IJCV 2022).

Both are the same weighted count. Of a region with saturation area s, the s highest scored pixels weigh 1 / s each
and the others nothing: at every threshold the weights above it add up to min(overlapping pixels, s) / s, because
pixels of one score are only ever counted together.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_EIGHT = np.ones((3, 3), dtype=bool)


class Region(NamedTuple):
    """One defect region of one image.

    Attributes:
        pixels: flat indices into the mask, (n,) with n >= 1.
        saturation: how many of them make it found, in 1..n; n itself for plain overlap.
    """

    pixels: NDArray[np.intp]
    saturation: int


def components(mask: NDArray[np.bool_]) -> list[Region]:
    """The 8-connected components of an (H, W) mask as regions that saturate at their area."""
    labels, _ = ndimage.label(mask, structure=_EIGHT)
    flat = labels.ravel()
    inside = np.flatnonzero(flat)
    order = inside[np.argsort(flat[inside], kind="stable")]
    areas = np.bincount(flat)[1:]
    return [Region(pixels, len(pixels)) for pixels in np.split(order, np.cumsum(areas)[:-1]) if len(pixels)]


def weights(scores: NDArray[Any], regions: Iterable[Region]) -> NDArray[np.float64]:
    """What each pixel of an (H, W) score map weighs, (H, W): each region's weights add up to 1."""
    flat = scores.ravel()
    weight = np.zeros(flat.size)
    for pixels, saturation in regions:
        if saturation < len(pixels):
            top = np.argpartition(flat[pixels], len(pixels) - saturation)[len(pixels) - saturation :]
            pixels = pixels[top]
        weight[pixels] += 1 / saturation  # regions may lie over one another; each holds a pixel once
    return weight.reshape(scores.shape)
