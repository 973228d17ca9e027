"""The calibrated detector measures references as they are."""

from __future__ import annotations

import pytest
from PIL import Image

from reason_iad.backbones.fake import FakeBackbone
from reason_iad.expert import comparison
from reason_iad.expert.detectors import make_detector
from reason_iad.expert.encoders.tower import TowerEncoder
from reason_iad.images import load_image


def test_normal_images_are_not_laid_on_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "register", lambda *pictures: pytest.fail("a reference was registered"))
    detector = make_detector("calibrated", TowerEncoder(FakeBackbone()))
    fitted = detector.fit([load_image(Image.new("RGB", (84, 84), (shade, 90, 90))) for shade in (80, 120)])
    assert fitted.score(load_image(Image.new("RGB", (84, 84), "white"))).score >= 0
