"""What cannot be judged beside a single good part: anything that shows something else, or shows it badly."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from reason_iad.expert.jitter import jittered_copies
from reason_iad.expert.normality.plausible import STRANGE, Glance, glance, implausible, strangeness


def part(seed: int = 0, *, scratched: bool = False) -> Image.Image:
    """A brushed plate with four bolts."""
    chance = np.random.default_rng(seed)
    brushed = np.repeat(chance.normal(140, 14, (240, 1, 1)), 320, axis=1) + chance.normal(0, 5, (240, 320, 1))
    picture = Image.fromarray(np.clip(np.repeat(brushed, 3, axis=2), 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for x, y in ((60, 60), (260, 60), (60, 180), (260, 180)):
        draw.ellipse((x - 26, y - 26, x + 26, y + 26), fill=(70, 72, 76), outline=(30, 30, 30), width=4)
        draw.line((x - 15, y, x + 15, y), fill=(25, 25, 25), width=6)
    if scratched:
        draw.line((110, 40, 220, 150), fill=(235, 235, 235), width=5)
    return picture


@cache
def good() -> Glance:
    return glance(part())


def covered() -> Image.Image:
    picture = part(1)
    picture.paste((150, 120, 100), (0, 0, 160, 240))
    return picture


def noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8))


def checks() -> Image.Image:
    """Another part."""
    tile = np.kron(np.indices((12, 16)).sum(0) % 2, np.ones((20, 20)))
    return Image.fromarray(np.repeat(tile[..., None] * 200 + 20, 3, axis=2).astype(np.uint8))


WRONG = {
    "white": (Image.new("RGB", (320, 240), "white"), ("bright", "other")),
    "black": (Image.new("RGB", (320, 240), "black"), ("dark",)),
    "grey": (Image.new("RGB", (320, 240), (140, 140, 140)), ("other",)),
    "noise": (noise(), ("other",)),
    "another part": (checks(), ("other",)),
    "half covered": (covered(), ("other",)),
    "a quarter of the light": (ImageEnhance.Brightness(part(1)).enhance(0.25), ("dark",)),
    "four times the light": (ImageEnhance.Brightness(part(1)).enhance(4), ("bright",)),
    "out of focus": (part(1).filter(ImageFilter.GaussianBlur(8)), ("blurred",)),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_show_the_part_is_refused_with_the_reason(name: str) -> None:
    picture, reasons = WRONG[name]
    assert implausible(glance(picture), [good()]) in reasons


def test_good_and_defective_parts_are_judged() -> None:
    for picture in (part(1), part(2, scratched=True), *jittered_copies(part(3)), part(4).resize((640, 480))):
        assert implausible(glance(picture), [good()]) is None


def test_one_good_part_that_looks_like_it_is_enough() -> None:
    odd = glance(checks())
    assert implausible(odd, [good()]) == "other"
    assert implausible(odd, [good(), glance(checks())]) is None
    assert implausible(odd, []) is None, "nothing is known"


def test_strangeness_has_a_scale() -> None:
    assert strangeness(good(), good()) == pytest.approx(0, abs=1e-6)
    other = glance(checks())
    assert strangeness(good(), other) == pytest.approx(strangeness(other, good()))
    assert STRANGE < strangeness(good(), other) <= 4
