"""What a product learns of reviewed parts: a good part becomes a good image, another one a labelled defect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from reason_iad.products import GivenDefect, Product
from reason_iad.schema import Box
from reason_iad.service.database.tables import Inspection
from reason_iad.service.keeping.pictures import PictureStore

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
        template: the file of the part's own template; None: it has none.
    """

    picture: Path
    says: str
    defect_type: str | None = None
    box: Box | None = None
    sampled: bool = False
    template: Path | None = None

    @property
    def teaches(self) -> bool:
        """Whether a product can learn it: of a part that is the same picture as its template, it cannot."""
        return self.template != self.picture

    def in_words(self) -> str:
        """As what the product knows it."""
        return "a good part" if self.says == GOOD else f"the defect '{self.defect_type or UNNAMED}'"


def lesson_of(
    part: Inspection, pictures: PictureStore, says: str, defect_type: str | None, box: Box | None
) -> Lesson:
    """What is learnt of an inspected part of which a person said what it is."""
    template = None if part.template is None else pictures.path(part.template)
    return Lesson(pictures.path(part.picture), says, defect_type, box, part.sampled, template)


def teach(product: Product, lessons: Sequence[Lesson]) -> Product:
    """Let a product learn parts. One that it knows as something else is corrected.

    A part with a template of its own is learnt together with it.

    Raises:
        ImageError: a picture cannot be read any more.
        ProductError: no good picture would be left.
        OutputError: the product cannot be written, or another process is changing it.
    """
    learnt = [each for each in lessons if each.teaches]
    for sampled in (True, False):
        for good in _alike([each for each in learnt if each.says == GOOD and each.sampled == sampled]):
            paths = [each.picture for each in good]
            product = product.with_good(*paths, move=True, counts=sampled, template=_templates(good))
    for defects in _alike([each for each in learnt if each.says == DEFECT]):
        given = [GivenDefect(each.picture, each.defect_type or UNNAMED, box=each.box) for each in defects]
        product = product.with_defects(given, move=True, template=_templates(defects))
    return product


def _alike(lessons: Sequence[Lesson]) -> Iterator[list[Lesson]]:
    """Those with a template of their own, and those without."""
    for own in (True, False):
        if found := [each for each in lessons if (each.template is not None) == own]:
            yield found


def _templates(lessons: Sequence[Lesson]) -> dict[Path, Path] | None:
    """The templates of parts that all have one of their own; None if none has."""
    return {each.picture: each.template for each in lessons if each.template is not None} or None
