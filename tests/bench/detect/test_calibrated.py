"""The calibrated detector measures references as they are."""

from __future__ import annotations

import pytest
from PIL import Image

from reason_iad.backbones import load_backbone
from reason_iad.backbones.base import Backbone
from reason_iad.expert import registration
from reason_iad.expert.detectors.calibrated import CalibratedDetector
from reason_iad.images import load_image


def test_normal_images_are_not_laid_on_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration, "register", lambda *pictures: pytest.fail("a reference was registered"))
    model = load_backbone("fake")
    assert isinstance(model, Backbone)
    detector = CalibratedDetector(model)
    detector.fit([load_image(Image.new("RGB", (84, 84), (shade, 90, 90))) for shade in (80, 120)])
    assert detector.score(load_image(Image.new("RGB", (84, 84), "white"))).score >= 0
