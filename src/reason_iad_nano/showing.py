"""Evaluation pairs as a backbone sees them, in every form of input that training knows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reason_iad_nano.facts import Facts, facts_of
from reason_iad_nano.pairs import Purpose, draw, kind_index
from reason_iad_nano.world.overlay import draw_overlay
from reason_iad_nano.world.types import Size

if TYPE_CHECKING:
    from reason_iad.backbones.base import Backbone, ImageTokens


@dataclass(frozen=True, slots=True)
class Shown:
    """How pairs are drawn and shown.

    Attributes:
        size: pixels each way, or (height, width).
        references: good pictures before the query.
        zoom: above 1, the pictures are crops.
        overlay: the query with a simulated anomaly map on it is shown too.
        aligned: only pairs whose reference lies where the query lies (True), or only the others (False).
    """

    size: Size = 168
    references: int = 1
    zoom: float = 1.0
    overlay: bool = False
    aligned: bool | None = None


class Pairs:
    """Evaluation pairs with their image tokens, the query's last, computed once."""

    def __init__(self, backbone: Backbone, purpose: Purpose, count: int, shown: Shown | None = None) -> None:
        self._backbone, self._purpose, self._count, self._shown = backbone, purpose, count, shown or Shown()

    def __iter__(self) -> Iterator[tuple[int, Facts, list[ImageTokens]]]:
        from PIL import Image

        how = self._shown
        for number in range(self._count):
            sample = draw(number, self._purpose, how.size, how.references, how.zoom)
            if how.aligned is not None and sample.aligned != how.aligned:
                continue
            pictures = [*sample.references, *([draw_overlay(sample)] if how.overlay else []), sample.query]
            images = [self._backbone.embed_image(Image.fromarray(pixels)) for pixels in pictures]
            yield number, facts_of(sample, kind_index()), images


INPUTS: dict[str, Shown] = {
    "as above": Shown(),
    "two references": Shown(references=2),
    "a simulated map drawn on the query": Shown(overlay=True),
    "crops, 1.7 x": Shown(zoom=1.7),
    "reference aligned": Shown(aligned=True),
    "reference shifted and turned": Shown(aligned=False),
    "224 pixels": Shown(size=224),
    "336 pixels": Shown(size=336),
    "448 pixels": Shown(size=448),
    "84 x 252 pixels": Shown(size=(84, 252)),
    "168 x 140 pixels": Shown(size=(168, 140)),
    "224 x 112 pixels": Shown(size=(224, 112)),
}
