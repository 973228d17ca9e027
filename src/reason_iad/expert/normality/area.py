"""Which part of a picture counts: an area to inspect, or to ignore."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

if TYPE_CHECKING:
    from PIL import Image

GREY = (128, 128, 128)
HALF = 0.5
"""Share of a patch that has to lie in the area for the patch to count."""


@dataclass(frozen=True, eq=False)
class Area:
    """What counts of a picture of any size.

    Attributes:
        counts: (h, w), True where it counts; laid over every picture, whatever its size.
    """

    counts: npt.NDArray[np.bool_]

    def painted(self, picture: Image.Image) -> Image.Image:
        """A picture in which everything else is grey: what lies there cannot be seen from the patches beside it."""
        if self.counts.all():
            return picture
        from PIL import Image as Pillow

        hidden = Pillow.fromarray((~self.counts).astype(np.uint8) * 255)
        painted = picture.copy()
        painted.paste(GREY, mask=hidden.resize(picture.size, Pillow.Resampling.NEAREST))
        return painted

    def cells(self, rows: int, columns: int) -> torch.Tensor:
        """(rows, columns) which patches count; all, where none would."""
        import cv2

        share: Any = cv2.resize(self.counts.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
        found = torch.from_numpy(np.asarray(share) >= HALF)
        return found if bool(found.any()) else torch.ones_like(found)

    def without(self, others: npt.NDArray[np.bool_]) -> Area:
        """The same without places (h, w) of the same picture."""
        import cv2

        high, wide = others.shape
        own: Any = cv2.resize(self.counts.astype(np.uint8), (wide, high), interpolation=cv2.INTER_NEAREST)
        return Area((np.asarray(own) > 0) & ~others)


EVERYWHERE = Area(np.ones((1, 1), np.bool_))
"""The whole picture counts."""
