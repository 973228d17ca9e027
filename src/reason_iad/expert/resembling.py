"""What the places of a part look like: the nearest labelled defect of each, and the nearest good place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reason_iad.expert.normality.example_places import Cells, boxed, place_of_defect, shares, summary
from reason_iad.schema import Box, ExampleEvidence, GoodPlaceEvidence

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from reason_iad.expert.normality.examples import Resemblance
    from reason_iad.expert.normality.expert import Assessment
    from reason_iad.expert.normality.looks import Look
    from reason_iad.expert.part_kind import PartKind
    from reason_iad.expert.regions import Marked
    from reason_iad.images import LoadedImage

SIDE = 2048
"""Longest side, in pixels, at which places are filled in; larger pictures are filled in on a smaller copy."""


@dataclass(frozen=True, slots=True)
class Alike:
    """What the places of a part look like.

    Attributes:
        defects: the nearest labelled defect of each place; empty without labelled defects.
        good: the good place that the first looks like most; None where there is no place.
    """

    defects: tuple[Resemblance, ...] = ()
    good: GoodPlaceEvidence | None = None


def alike(
    kind: PartKind,
    look: Look,
    seen: Assessment,
    marked: Sequence[Marked],
    image: LoadedImage,
    among: Sequence[frozenset[str] | None] | None = None,
) -> Alike:
    """What the places of a part look like.

    Args:
        kind: the kind of part.
        look: what was seen of the picture.
        seen: what was said of it.
        marked: the places, the clearest first.
        image: the picture.
        among: for each place the labelled defects that changed the part in the same way (`KnownDefects.nearest`).
    """
    if not marked:
        return Alike()
    cells = [place_of_defect(seen.excess, _coarsely(each.box, image.width, image.height)) for each in marked]
    good = _good_place(kind, look, cells[0])
    if kind.known is None:
        return Alike((), good)
    vectors = [summary(kind.known.spaces, look, each) for each in cells]
    same = among if among is not None else [None] * len(marked)
    found = [kind.known.nearest(vector, among=each) for vector, each in zip(vectors, same, strict=True)]
    return Alike(tuple(each for each in found if each is not None), good)


def example_evidence(found: Resemblance) -> ExampleEvidence:
    """The nearest labelled defect, for the result."""
    example = found.example
    x1, y1, x2, y2 = example.box
    return ExampleEvidence(
        type=example.type,
        name=example.name,
        sha256=example.sha256,
        added=example.added,
        box=Box(x1=x1, y1=y1, x2=x2, y2=y2),
        similarity=round(max(-1.0, min(1.0, found.similarity)), 4),
        unlike=found.unlike,
        types=found.types,
    )


def _coarsely(box: tuple[int, int, int, int], width: int, height: int) -> npt.NDArray[np.bool_]:
    """True inside a box, over a picture that is no larger than is needed to tell which patches it touches."""
    scale = min(1.0, SIDE / max(width, height))
    x1, y1 = int(box[0] * scale), int(box[1] * scale)
    x2, y2 = max(x1 + 1, math.ceil(box[2] * scale)), max(y1 + 1, math.ceil(box[3] * scale))
    return boxed((x1, y1, x2, y2), max(1, round(width * scale)), max(1, round(height * scale)))


def _good_place(kind: PartKind, look: Look, cells: Cells) -> GoodPlaceEvidence | None:
    patches = look.patches[-1]
    shape = (patches.rows, patches.columns)
    weights = cells if cells.shape == shape else shares(cells > 0, shape)
    sha256, x, y = kind.expert.levels[-1].nearest(patches, int(weights.argmax()))
    path = kind.good.get(sha256)
    return None if path is None else GoodPlaceEvidence(name=path.name, sha256=sha256, x=x, y=y)
