"""Drawn parts through the product's own examination, told what a scene tells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reason_iad.config import InspectorConfig
from reason_iad.inspection.examination import Examination
from reason_iad.inspection.workbench import Workbench
from reason_iad.schema import Entry, RetrievedEntry

if TYPE_CHECKING:
    from reason_iad.backbones.base import Backbone
    from reason_iad_nano.world import Sample


class SceneBench(Workbench):
    """A workbench that retrieves what it was given: no store, no category.

    Args:
        backbone: the model.
        fuse: whether answers are weighed, where the model has weights for it.
    """

    def __init__(self, backbone: Backbone, *, fuse: bool = True) -> None:
        super().__init__(backbone, None, InspectorConfig(method="direct", fuse=fuse), None)
        self._entries: Sequence[Entry] = ()

    def retrieve(self, category: str | None, question: str) -> tuple[RetrievedEntry, ...]:
        """The entries of the scene at hand, in its order."""
        return tuple(RetrievedEntry(entry=entry, score=1.0, scorer="category") for entry in self._entries)

    def examine(self, sample: Sample, entries: Sequence[Entry] = ()) -> Examination:
        """A drawn part with its references, laid as it lies, under examination."""
        from PIL import Image

        self._entries = entries
        pictures = [Image.fromarray(pixels) for pixels in sample.references]
        return Examination(self, Image.fromarray(sample.query), pictures, None)
