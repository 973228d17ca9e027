"""References laid as the part lies: found where they agree, left alone where nothing tells."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from reason_iad.images import load_image
from reason_iad.registration import MOST_SHIFT, MOST_TURN, register, reshaped


def plate(size=(240, 200), seed=0) -> Image.Image:
    """Shapes on a ground, nothing repeated."""
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", size, "grey")
    draw = ImageDraw.Draw(picture)
    for _ in range(14):
        x, y = rng.integers(10, size[0] - 50), rng.integers(10, size[1] - 50)
        draw.rectangle(
            (x, y, x + rng.integers(10, 45), y + rng.integers(10, 45)), fill=tuple(rng.integers(0, 255, 3).tolist())
        )
    return picture.filter(ImageFilter.GaussianBlur(1))


def moved(picture: Image.Image, dx: float, dy: float, degrees: float) -> Image.Image:
    """Turned clockwise about the centre, then shifted; what comes in is grey."""
    return picture.rotate(-degrees, Image.Resampling.BICUBIC, translate=(dx, dy), fillcolor="grey")


def differ(one: Image.Image, other: Image.Image, margin: int = 0) -> float:
    a, b = (
        np.asarray(x.convert("L"), float)[margin : -margin or None, margin : -margin or None] for x in (one, other)
    )
    return float(np.abs(a - b).mean())


@pytest.mark.parametrize(("dx", "dy", "degrees"), [(6, -4, 0), (0, 0, 3), (-7, 5, -2.5), (12, 10, 4)])
def test_a_reference_is_moved_back_onto_the_part(dx: float, dy: float, degrees: float) -> None:
    part = plate()
    good, motion = register(load_image(moved(part, dx, dy, degrees)), load_image(part))
    assert motion is not None
    assert motion.dx == pytest.approx(-dx / 240, abs=0.005) and motion.dy == pytest.approx(-dy / 200, abs=0.005)
    assert motion.degrees == pytest.approx(-degrees, abs=0.4)
    assert motion.after > 0.97 > motion.before
    assert differ(good.pixels, part, 20) < 0.4 * differ(moved(part, dx, dy, degrees), part, 20)
    assert good.pixels.size == part.size and (good.width, good.height) == part.size


def test_a_defect_is_not_taken_for_a_motion_and_stays_a_difference() -> None:
    broken = plate()
    ImageDraw.Draw(broken).ellipse((100, 80, 140, 120), fill="black")
    good, motion = register(load_image(moved(plate(), 5, 3, 2)), load_image(broken))
    assert motion is not None and motion.degrees == pytest.approx(-2, abs=0.5)
    difference = np.abs(np.asarray(good.pixels, float) - np.asarray(broken, float)).mean(2)
    assert difference[90:110, 110:130].mean() > 5 * np.median(difference)


def test_large_pictures_are_measured_small_and_moved_whole() -> None:
    part = plate().resize((1200, 1000))
    reference = load_image(moved(part, 30, -20, 2))
    good, motion = register(reference, load_image(part))
    assert motion is not None and good.pixels.size == (1200, 1000)
    assert differ(good.pixels, part, 80) < 0.3 * differ(reference.pixels, part, 80)


def test_what_the_moved_reference_does_not_show_is_no_difference() -> None:
    part = plate()
    good, motion = register(load_image(moved(part, 12, 0, 0)), load_image(part))
    assert motion is not None
    assert differ(good.pixels.crop((230, 0, 240, 200)), part.crop((230, 0, 240, 200))) < 3


@pytest.mark.parametrize("degrees", [0, 1.0])
def test_what_lies_right_or_has_no_landmarks_stays_as_it_is(degrees: float) -> None:
    part = load_image(plate())
    assert register(part, part) == (part, None)
    rng = np.random.default_rng(1)
    grain = [load_image(Image.fromarray(rng.integers(0, 255, (200, 240, 3), np.uint8))) for _ in range(2)]
    assert register(grain[0], grain[1]) == (grain[0], None)
    flat = load_image(Image.new("RGB", (240, 200), "grey"))
    assert register(flat, part) == (flat, None) and register(part, flat) == (part, None)
    other = load_image(plate(seed=5))
    assert register(other, part) == (other, None), "another product is not bent onto this one"


@pytest.mark.parametrize(("dx", "degrees"), [(240 * MOST_SHIFT + 8, 0), (0, MOST_TURN + 4)])
def test_another_view_is_not_the_same_one_moved(dx: float, degrees: float) -> None:
    part = plate()
    reference = load_image(moved(part, dx, 0, degrees))
    assert register(reference, load_image(part)) == (reference, None)


@pytest.mark.parametrize("size", [(8, 8), (30, 200), (400, 9)])
def test_tiny_and_narrow_pictures_stay_as_they_are(size: tuple[int, int]) -> None:
    image = load_image(plate((240, 200)).resize((max(size[0], 16), max(size[1], 16))))
    assert register(image, image) == (image, None)


def test_the_same_pictures_give_the_same_bytes_and_hash() -> None:
    part, reference = load_image(plate()), load_image(moved(plate(), 5, 5, 1))
    first, again = register(reference, part), register(reference, part)
    assert first[0].sha256 == again[0].sha256 != reference.sha256
    assert first[0].pixels.tobytes() == again[0].pixels.tobytes() and first[1] == again[1]
    assert reference.pixels.tobytes() == moved(plate(), 5, 5, 1).tobytes(), "the given picture is not touched"


@pytest.mark.parametrize(
    ("reference", "image", "shown"),
    [
        ((300, 200), (300, 200), (300, 200)),
        ((300, 200), (150, 100), (300, 200)),  # the same shape: the same grid
        ((300, 200), (300, 240), (274, 219)),  # as many pixels as before, in the other's shape
        ((300, 200), (600, 480), (274, 219)),
        ((300, 200), (100, 80), (100, 80)),  # never more than the image has
        ((300, 200), (200, 300), (300, 200)),  # quite another picture
    ],
)
def test_a_reference_is_shown_in_the_shape_of_the_image(
    reference: tuple[int, int], image: tuple[int, int], shown: tuple[int, int]
) -> None:
    good, part = (load_image(Image.new("RGB", size, "grey")) for size in (reference, image))
    fitted = reshaped(good, part)
    assert fitted.pixels.size == (fitted.width, fitted.height) == shown
    assert good.pixels.size == reference, "the reference itself stays as it is"
    assert math.isclose(shown[0] / shown[1], image[0] / image[1], rel_tol=0.01) or shown == reference
