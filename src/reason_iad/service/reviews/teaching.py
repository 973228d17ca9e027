"""What a product learns of reviewed parts: a good part becomes a good image, another one a labelled defect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reason_iad.products import GivenDefect, Product
from reason_iad.schema import Box

GOOD, DEFECT, SKIP, UNDO = "good", "defect", "skip", "undo"
"""What a person may say of a part."""
UNNAMED = "defect"
"""Type of a defect of which nobody said the type."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A part of which a person said what it is.

    Attributes:
        picture: its file.
        says: 'good' or 'defect'.
        defect_type: of a defect; None: nobody said it.
        box: where the defect is.
        sampled: whether the part belongs to the random sample. Only such good parts count for the limits: those
            that a person was asked about because they were doubtful are no fair sample.
    """

    picture: Path
    says: str
    defect_type: str | None = None
    box: Box | None = None
    sampled: bool = False

    def in_words(self) -> str:
        """As what the product knows it."""
        return "a good part" if self.says == GOOD else f"the defect '{self.defect_type or UNNAMED}'"


def teach(product: Product, lessons: Sequence[Lesson]) -> Product:
    """Let a product learn parts. One that it knows as something else is corrected.

    Raises:
        ImageError: a picture cannot be read any more.
        ProductError: no good picture would be left.
        OutputError: the product cannot be written, or another process is changing it.
    """
    for sampled in (True, False):
        good = [each.picture for each in lessons if each.says == GOOD and each.sampled == sampled]
        if good:
            product = product.with_good(*good, move=True, counts=sampled)
    defects = [
        GivenDefect(each.picture, each.defect_type or UNNAMED, box=each.box)
        for each in lessons
        if each.says == DEFECT
    ]
    return product.with_defects(defects, move=True) if defects else product
