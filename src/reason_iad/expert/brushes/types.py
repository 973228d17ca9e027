"""What brushes work on: a picture of a part, and where the part is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.float32]
"""(S, S, 3), 0 to 255."""
Mask = npt.NDArray[np.bool_]
"""(S, S)."""


@dataclass(slots=True)
class Canvas:
    """One part as it turned out, before the camera.

    Attributes:
        image: the picture.
        part: where the part is; defects of the surface lie inside.
        layers: what else is known of the drawing (copper, components, ...); empty for a photo.
    """

    image: Image
    part: Mask
    layers: dict[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Pixels each way."""
        return int(self.image.shape[0])


Design = dict[str, Any]
"""What a brush may know of the product, such as the colour of its background ('background'); may be empty."""
Apply = Callable[[np.random.Generator, Canvas, Design], "Mask | None"]
"""Draws a defect into the canvas; returns its pixels, or None if this part has no room for it."""
