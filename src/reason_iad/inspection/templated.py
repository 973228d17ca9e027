"""An inspector of parts that have a template: it finds the template of each part by the name of its file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reason_iad.inspection.fixed import Fixed

if TYPE_CHECKING:
    from reason_iad.images import LoadedImage
    from reason_iad.inspection.by_product import PartInspector
    from reason_iad.schema import Inspection


class TemplatedInspector(Fixed):
    """Inspects parts, each with its template. Threads may share it.

    Args:
        parts: the inspector of the product.
        template_of: the file of a part's template, by the name of the part's file; None: that of all parts.
    """

    __slots__ = ("_template_of", "parts")

    def __init__(self, parts: PartInspector, template_of: Callable[[str], Path | None]) -> None:
        self.parts, self._template_of = parts, template_of

    def inspect(
        self,
        image: Path | LoadedImage,
        *,
        references: Sequence[Path | LoadedImage] = (),
        category: str | None = None,
        question: str | None = None,
    ) -> Inspection:
        """Inspect one image, as `PartInspector.inspect` does.

        Raises:
            ReasonIADError: as there.
        """
        template = self._template_of(image.name)
        return self.parts.inspect(
            image, references=references, category=category, question=question, template=template
        )
