"""Drawn parts through the product's own steps of an inspection, told what a scene tells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reason_iad.config import InspectorConfig
from reason_iad.inspection.clock import Clock
from reason_iad.inspection.deciding import Case
from reason_iad.inspection.lookup import Known
from reason_iad.inspection.scenes import closer_looks, set_scene
from reason_iad.inspection.setup import Setup, make_setup
from reason_iad.inspection.subject import compare, load_subject
from reason_iad.schema import CategoryEvidence, Entry, RetrievedEntry

if TYPE_CHECKING:
    from reason_iad.backbones.base import Backbone
    from reason_iad_nano.world import Sample


def scene_setup(backbone: Backbone, *, fuse: bool = True) -> Setup:
    """What inspections of drawn parts share: no store, no category.

    Args:
        backbone: the model.
        fuse: whether answers are weighed, where the model has weights for it.
    """
    return make_setup(backbone, None, InspectorConfig(method="direct", fuse=fuse))


def open_case(setup: Setup, sample: Sample, entries: Sequence[Entry] = ()) -> Case:
    """A drawn part with its references, laid as it lies, and the entries of its scene in their order."""
    from PIL import Image

    clock = Clock()
    pictures = [Image.fromarray(pixels) for pixels in sample.references]
    subject = load_subject(setup, Image.fromarray(sample.query), pictures, clock)
    shown = tuple(RetrievedEntry(entry=entry, score=1.0, scorer="category") for entry in entries)
    defects = tuple(entry for entry in entries if entry.kind == "defect")
    known = Known(CategoryEvidence(name=None, origin="unknown"), shown, defects)
    difference = compare(setup, subject, clock)
    scene = set_scene(setup, subject, known, difference, clock)
    return Case(setup, subject, known, difference, scene, closer_looks(subject, scene, difference), clock)
