"""References laid as the part lies: found where they agree, left alone where nothing tells."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from reason_iad.expert.registration import MOST_SHIFT, SMALLEST, Motion, register


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


def laid(reference: Image.Image, image: Image.Image) -> tuple[Image.Image, Motion]:
    found = register(reference, image)
    assert found is not None
    return found


def differ(one: Image.Image, other: Image.Image, margin: int = 0) -> float:
    a, b = (
        np.asarray(x.convert("L"), float)[margin : -margin or None, margin : -margin or None] for x in (one, other)
    )
    return float(np.abs(a - b).mean())


@pytest.mark.parametrize(("dx", "dy", "degrees"), [(6, -4, 0), (0, 0, 3), (-7, 5, -2.5), (12, 10, 4)])
def test_a_reference_is_moved_back_onto_the_part(dx: float, dy: float, degrees: float) -> None:
    part = plate()
    good, motion = laid(moved(part, dx, dy, degrees), part)
    assert motion.dx == pytest.approx(-dx / 240, abs=0.005) and motion.dy == pytest.approx(-dy / 200, abs=0.005)
    assert motion.degrees == pytest.approx(-degrees, abs=0.4)
    assert motion.after > 0.97 > motion.before
    assert differ(good, part, 20) < 0.4 * differ(moved(part, dx, dy, degrees), part, 20)
    assert good.size == part.size


def test_a_defect_is_not_taken_for_a_motion_and_stays_a_difference() -> None:
    broken = plate()
    ImageDraw.Draw(broken).ellipse((100, 80, 140, 120), fill="black")
    good, motion = laid(moved(plate(), 5, 3, 2), broken)
    assert motion.degrees == pytest.approx(-2, abs=0.5)
    difference = np.abs(np.asarray(good, float) - np.asarray(broken, float)).mean(2)
    assert difference[90:110, 110:130].mean() > 5 * np.median(difference)


def test_a_moved_reference_holds_no_pixel_of_the_inspected_part() -> None:
    """Or a defect at the border would be found in the reference, too."""
    broken = plate()
    ImageDraw.Draw(broken).rectangle((225, 60, 240, 140), fill="red")
    good, _ = laid(moved(plate(), -10, 0, 0), broken)
    assert (np.asarray(good) != np.asarray(broken))[70:130, 228:].any(-1).all()


@pytest.mark.parametrize(("size", "largest"), [((1200, 1000), (1200, 1000)), ((4800, 4000), (2048, 1707))])
def test_large_pictures_are_measured_small_and_moved_as_large_as_any_model_looks(
    size: tuple[int, int], largest: tuple[int, int]
) -> None:
    part = plate().resize(size)
    reference = moved(part, size[0] / 40, -size[1] / 50, 2)
    good, _ = laid(reference, part)
    assert good.size == largest
    assert differ(good, part.resize(largest), 80) < 0.3 * differ(reference, part, 80)


def test_what_lies_right_or_has_no_landmarks_stays_as_it_is() -> None:
    part = plate()
    assert register(part, part) is None
    rng = np.random.default_rng(1)
    one, other = (Image.fromarray(rng.integers(0, 255, (200, 240, 3), np.uint8)) for _ in range(2))
    assert register(one, other) is None
    flat = Image.new("RGB", (240, 200), "grey")
    assert register(flat, part) is None and register(part, flat) is None
    assert register(plate(seed=5), part) is None, "another product is not bent onto this one"


@pytest.mark.parametrize(
    ("dx", "dy", "degrees"), [(240 * MOST_SHIFT + 8, 0, 0), (0, 200 * MOST_SHIFT + 4, 0), (0, 0, 8)]
)
def test_another_view_is_not_the_same_one_moved(dx: float, dy: float, degrees: float) -> None:
    assert register(moved(plate(), dx, dy, degrees), plate()) is None


def test_pictures_of_another_shape_and_narrow_ones_stay_as_they_are() -> None:
    part = plate()
    off = moved(part, 6, 4, 1)
    assert register(off, part) is not None
    assert register(off.crop((0, 0, 200, 200)), part) is None, "another shape"
    narrow = [picture.crop((0, 60, 240, 110)) for picture in (moved(part, 6, 0, 0), part)]
    assert register(*narrow) is None, f"fewer than {SMALLEST} pixels high"
    wide = [picture.crop((0, 60, 240, 130)) for picture in (moved(part, 6, 0, 0), part)]
    assert register(*wide) is not None


def test_the_same_pictures_give_the_same_bytes_and_nothing_given_is_touched() -> None:
    part, reference = plate(), moved(plate(), 5, 5, 1)
    first, again = laid(reference, part), laid(reference, part)
    assert first[0].tobytes() == again[0].tobytes() and first[1] == again[1]
    assert reference.tobytes() == moved(plate(), 5, 5, 1).tobytes() and part.tobytes() == plate().tobytes()


def test_a_motion_tells_what_it_does_not_show():
    moved = Motion(dx=-0.04, dy=0.01, degrees=0.0, before=0.5, after=0.9)
    assert moved.unseen(200, 100) == (0.04, 0.01)
    x, y = Motion(dx=0.0, dy=0.0, degrees=-3.0, before=0.5, after=0.9).unseen(200, 100)
    turn = math.sin(math.radians(3)) / 2
    assert x == pytest.approx(turn / 2) and y == pytest.approx(2 * turn)
