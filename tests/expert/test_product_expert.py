"""The detector expert is the product's expert."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from reason_iad.expert.detectors import make_detector
from reason_iad.expert.encoders import Encoder, make_encoder, needs_model
from reason_iad.expert.normality.learning import learn
from reason_iad.expert.normality.looks import Eyes
from reason_iad.images import LoadedImage, load_image


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return make_encoder("efficientnet_lite0", None)


def plate(seed: int, hole: bool = False) -> LoadedImage:
    grain = np.random.default_rng(seed).normal(150, 12, (96, 96, 3)).clip(0, 255).astype(np.uint8)
    picture = Image.fromarray(grain)
    if hole:
        ImageDraw.Draw(picture).ellipse((66, 18, 84, 36), fill=(10, 10, 10))
    return load_image(picture)


def test_score_and_map_are_those_of_the_expert(encoder: Encoder) -> None:
    good = [plate(seed) for seed in range(6)]
    fitted, broken = make_detector("expert", encoder).fit(good), plate(9, hole=True)
    found, said = fitted.score(broken), learn(good, Eyes.of(encoder)).assess(broken)
    assert found.score == said.score > 3 > fitted.score(plate(9)).score
    assert np.array_equal(found.map, said.excess.clamp_min(0).numpy())
    row, column = (np.array(np.unravel_index(found.map.argmax(), found.map.shape)) + 0.5) / len(found.map)
    assert 0.1 < row < 0.45 and 0.6 < column < 0.95
    assert found.details["cannot_be_judged"] == float(said.likeness.reason is not None)


def test_which_encoders_need_a_model() -> None:
    assert needs_model("tower") and not needs_model("efficientnet_lite0") and not needs_model("owner/resnet")
