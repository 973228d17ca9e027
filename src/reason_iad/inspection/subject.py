"""The inspected picture and the good parts to compare it with, laid as it lies; and how it differs from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reason_iad.backbones.base import ChatModel
from reason_iad.images import LoadedImage, at_white, load_image

if TYPE_CHECKING:
    from PIL import Image

    from reason_iad.expert import AnomalyMap
    from reason_iad.expert.good_parts import GoodParts
    from reason_iad.expert.normality.plausible import Glance
    from reason_iad.expert.registration import Motion
    from reason_iad.inspection.clock import Clock
    from reason_iad.inspection.setup import Setup


@dataclass(frozen=True, slots=True)
class Subject:
    """What is inspected.

    Attributes:
        image: the inspected picture.
        good: the good parts that were given, and those that are used.
        shown: of these, what the model sees.
        mapped: of these, what the comparison uses, in the order given.
        moved: those that have to be moved to lie as the part does, by hash, and how they were moved.
    """

    image: LoadedImage
    good: GoodParts
    shown: tuple[LoadedImage, ...]
    mapped: tuple[LoadedImage, ...]
    moved: Mapping[str, tuple[Image.Image, Motion]]

    def laid(self, reference: LoadedImage) -> Image.Image:
        """A good part as a whole, as it lies for this picture."""
        return self.moved[reference.sha256][0] if reference.sha256 in self.moved else reference.whole

    def in_detail(self) -> list[Image.Image]:
        """The good parts that the model sees, and the picture, with all their pixels."""
        good = (self.moved[each.sha256][0] if each.sha256 in self.moved else each.pixels for each in self.shown)
        return [*good, self.image.pixels]


def load_subject(setup: Setup, image: Any, references: Iterable[Any], clock: Clock) -> Subject:
    """Load the picture, choose good parts, and lay them as the part lies.

    Args:
        setup: what inspections share.
        image: a picture (`load_image`), or one that is loaded.
        references: pictures of good parts, best first.
        clock: counts the phases 'load' and 'align'.

    Raises:
        ImageError: a picture cannot be used.
    """
    config = setup.config
    with clock.phase("load"):
        loaded = load_image(image, white=config.white)
        good = setup.chooser.choose(loaded, references)
        loaded = at_white(loaded, good.white)
    shown = good.pictures[: config.max_references]
    mapped = () if isinstance(setup.model, ChatModel) else tuple(good.in_order(config.map_references))
    with clock.phase("align"):
        moved: Mapping[str, tuple[Image.Image, Motion]] = {}
        if config.align:
            from reason_iad.expert.registration import lay_alike

            moved = lay_alike((*shown, *mapped), loaded.whole)
    return Subject(loaded, good, shown, mapped, moved)


def unlike(setup: Setup, subject: Subject, clock: Clock) -> str | None:
    """Why the picture cannot be judged beside these good parts, as a sentence; None if it can, or there are none.

    Args:
        setup: what inspections share.
        subject: what is inspected.
        clock: counts the phase 'check'.

    Raises:
        ModelError: the weights of the encoder that looks at the pictures are not installed.
    """
    if not (setup.config.check_picture and subject.good.pictures):
        return None
    from reason_iad.expert.normality.likeness import TEXTS
    from reason_iad.expert.normality.plausible import glance, implausible

    def seen(image: LoadedImage) -> Glance:
        return setup.cache.glances.get(image.key, lambda: glance(image.whole))

    with clock.phase("check"):
        reason = implausible(glance(subject.image.whole), [seen(good) for good in subject.good.pictures])
    return None if reason is None else TEXTS[reason]


def compare(setup: Setup, subject: Subject, clock: Clock) -> AnomalyMap | None:
    """How the picture differs from good parts; None where there are none, or behind an API.

    Args:
        setup: what inspections share.
        subject: what is inspected.
        clock: counts the phase 'map'.
    """
    if setup.comparison is None:
        return None
    with clock.phase("map"):
        if not subject.mapped:
            return None
        if setup.detector is not None:
            from reason_iad.expert.detectors import DETECTORS
            from reason_iad.expert.detectors.comparing import compare_by

            with DETECTORS.running(str(setup.config.detector)):
                return compare_by(setup.detector, subject.image, subject.mapped, setup.cache)
        return setup.comparison.compare(subject.image, subject.mapped, subject.moved, subject.good)
