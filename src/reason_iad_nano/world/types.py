"""What the world is made of: parts with a design, and kinds of defects that change how one of them turned out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reason_iad.expert.brushes.types import Apply, Canvas, Design, Mask

Pixels = npt.NDArray[np.uint8]
"""(H, W, 3)."""
Box = tuple[int, int, int, int]
Size = int | tuple[int, int]
"""Of a picture: pixels each way, or (height, width)."""

MakeDesign = Callable[[np.random.Generator, int], Design]
"""(rng, size) to a design."""
Render = Callable[[np.random.Generator, Design, int], Canvas]
"""(rng, design, size) to one part of that design; two calls differ as two good parts do."""


def sides(size: Size) -> tuple[int, int]:
    """(height, width)."""
    return (size, size) if isinstance(size, int) else size


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of defect, in words.

    Attributes:
        name: as people call it.
        description: how it looks.
        cause, why, action: where it comes from, why it matters, what to do.
        held_out: never trained on.
    """

    name: str
    description: str
    cause: str
    why: str
    action: str
    held_out: bool = False


@dataclass(frozen=True, slots=True)
class Family:
    """A family of parts.

    Attributes:
        name: short.
        object_name: as people call the part.
        category: its category in the knowledge that comes with the package.
        design, render: see `MakeDesign`, `Render`.
        defects: kind name to how it is drawn on this family.
        grey: share of pictures taken by a grey camera.
        held_out: never trained on.
        weight: how often it is drawn, relative to the others.
        marked: whether designs may have marks that belong there. They are drawn alike on every part, which takes
            defects whose place does not depend on what differs from part to part.
    """

    name: str
    object_name: str
    category: str
    design: MakeDesign
    render: Render
    defects: Mapping[str, Apply]
    grey: float = 0.2
    held_out: bool = False
    weight: float = 1.0
    marked: bool = True


@dataclass(frozen=True, slots=True)
class Defect:
    """A defect in a picture.

    Attributes:
        kind: name of its `Kind`.
        mask_area: share of the image, in (0, 1].
        severity: 'minor', 'major' or 'critical', by size and kind.
        box: (x1, y1, x2, y2) in pixels, x2 and y2 exclusive.
        place: one of the nine places, of the centroid.
    """

    kind: str
    mask_area: float
    severity: str
    box: Box
    place: str


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture of a part, good references of the same design, and the truth.

    Attributes:
        query: the inspected picture.
        references: pictures of good parts.
        mask: defective pixels of the query.
        family, object_name: what it is.
        defects: what is wrong; empty if it is good.
        aligned: whether references show the part at the same place, to about a pixel.
        featured: whether the design has marks that look like defects and are none; only a reference tells.
        seed: makes the same sample again.
    """

    query: Pixels
    references: tuple[Pixels, ...]
    mask: Mask
    family: str
    object_name: str
    defects: tuple[Defect, ...]
    aligned: bool
    featured: bool
    seed: int
