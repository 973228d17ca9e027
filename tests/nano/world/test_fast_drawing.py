"""What is drawn fast is what the plain tools draw."""

from itertools import product

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from reason_iad.nano.world.camera import Pose, _laid
from reason_iad.nano.world.drawing import disc, noise, smoothed


def field(*shape: int) -> "np.ndarray":  # type: ignore[type-arg]
    return np.random.default_rng(1).standard_normal(shape, dtype=np.float32)


@pytest.mark.parametrize("sigma", [0.4, 0.7, 2.0, 12.0, 40.0])
@pytest.mark.parametrize(("wrap", "mode"), [(True, "wrap"), (False, "reflect")])
@pytest.mark.parametrize("reach", [2.5, 4.0])
def test_blurring_is_the_textbook_gaussian(sigma: float, wrap: bool, mode: str, reach: float) -> None:
    plain = field(60, 91)
    ours = smoothed(plain, sigma, reach=reach, wrap=wrap)
    np.testing.assert_allclose(ours, ndimage.gaussian_filter(plain, sigma, mode=mode, truncate=reach), atol=2e-6)
    for axis in (0, 1):
        ours = smoothed(plain, sigma, reach=reach, wrap=wrap, axis=axis)  # type: ignore[arg-type]
        theirs = ndimage.gaussian_filter1d(plain, sigma, axis=axis, mode=mode, truncate=reach)
        np.testing.assert_allclose(ours, theirs, atol=2e-6)


@pytest.mark.parametrize(("dx", "dy"), [*product((-0.9, -0.5, -0.2, 0.0, 0.3, 0.51, 0.9), repeat=2), (3.4, -2.2)])
def test_a_shift_is_what_pillow_makes_of_it(dx: float, dy: float) -> None:
    plane = field(56, 56) * 40 + 120
    moved = Image.fromarray(plane).rotate(0, Image.Resampling.BILINEAR, translate=(dx, dy), fillcolor=7.0)  # type: ignore[arg-type]
    np.testing.assert_allclose(_laid(plane, Pose(dx, dy, 0.0), 7.0), np.asarray(moved), atol=1e-3)


def test_a_shift_goes_where_its_signs_say() -> None:
    plane = np.zeros((9, 9), np.float32)
    plane[4, 4] = 100
    moved = _laid(plane, Pose(0.75, -0.25, 0.0), 0.0)
    assert moved[4, 5] == pytest.approx(100 * 0.75 * 0.75) and moved[3, 4] == pytest.approx(100 * 0.25 * 0.25)
    assert moved[5].sum() == 0 and moved[:, 3].sum() == 0


def test_noise_has_the_spread_it_is_asked_for() -> None:
    for sigma in (0.0, 0.8, 3.0):
        drawn = noise(np.random.default_rng(3), 168, sigma, 12.0)
        assert drawn.shape == (168, 168) and float(drawn.std()) == pytest.approx(12, rel=1e-3)


def test_a_disc_is_round() -> None:
    drawn = disc(40, 12.0, 20.0, 5.0)
    assert drawn.shape == (40, 40) and drawn[12, 25] and drawn[7, 20] and not drawn[7, 25]
    assert drawn.sum() == 81  # points of the grid within 5 of one of them
