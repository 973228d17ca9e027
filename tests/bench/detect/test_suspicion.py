"""The suspicion detector says what an inspection goes by."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from reason_iad.backbones.fake import FakeBackbone
from reason_iad.config import InspectorConfig
from reason_iad.expert.detectors import make_detector
from reason_iad.expert.encoders.tower import TowerEncoder
from reason_iad.expert.suspicion import suspicion
from reason_iad.images import load_image
from reason_iad.inspection.clock import Clock
from reason_iad.inspection.setup import make_setup
from reason_iad.inspection.subject import compare, load_subject


def plate(shift: int = 0, blotch: bool = False) -> Image.Image:
    grain = np.random.default_rng(5).normal(128, 40, (25, 30, 3)).clip(0, 255).astype(np.uint8)
    picture = Image.fromarray(grain).resize((240, 200), Image.Resampling.BICUBIC)
    if blotch:
        ImageDraw.Draw(picture).ellipse((150, 60, 165, 75), fill="white")
    return picture.transform(picture.size, Image.Transform.AFFINE, (1, 0, shift, 0, 1, 0))


@pytest.mark.parametrize("shifts", [(0,), (6,), (0, 6, 6)])
def test_it_is_what_an_inspection_sees(shifts: tuple[int, ...]) -> None:
    model, part, good = FakeBackbone(), plate(blotch=True), [plate(shift) for shift in shifts]
    fitted = make_detector("suspicion", TowerEncoder(model)).fit([load_image(picture) for picture in good])
    said = fitted.score(load_image(part))
    setup = make_setup(model, None, InspectorConfig())
    seen = compare(setup, load_subject(setup, part, good, Clock()), Clock())
    assert seen is not None and np.array_equal(said.map, suspicion(seen).numpy())
    assert said.score == said.map.max() and said.details == {"moved": float(6 in shifts)}
    row, column = np.unravel_index(said.map.argmax(), said.map.shape)
    assert 55 <= row <= 80 and 145 <= column <= 170
    assert said.score > fitted.score(load_image(plate())).score
