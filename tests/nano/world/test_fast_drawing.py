"""What is drawn fast is what the plain tools draw."""

from itertools import product

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from reason_iad.expert.brushes.drawing import disc, noise, smoothed
from reason_iad_nano.world import make_sample
from reason_iad_nano.world.camera import Pose, _laid
from reason_iad_nano.world.sampling import _view

GOLDEN: dict[int, tuple[list[float], list[float], int]] = {
    0: ([118.9, 124.6, 126.1, 121.1], [122.7, 127.7, 127.5, 124.6], 0),  # leather
    1: ([168.4, 179.7, 194.4, 187.3], [181.2, 199.3, 205.4, 200.1], 79),  # molded surface
    2: ([115.0, 118.5, 126.2, 125.5], [128.2, 124.5, 128.6, 126.7], 138),  # array
    3: ([205.4, 203.3, 214.2, 184.3], [177.6, 185.6, 200.8, 186.8], 23),  # glass
    4: ([157.1, 164.4, 159.9, 139.2], [134.5, 147.8, 148.5, 131.5], 96),  # assembly
    5: ([128.8, 123.2, 133.6, 137.5], [141.9, 142.3, 154.1, 150.9], 58),  # panel
    6: ([108.9, 106.9, 106.7, 103.4], [111.6, 110.0, 109.7, 105.1], 49),  # wood
    7: ([20.2, 160.1, 161.3, 23.5], [15.5, 148.3, 150.7, 20.6], 0),  # gear
    8: ([243.1, 126.5, 138.1, 247.0], [228.0, 127.2, 124.7, 236.4], 242),  # flange
    9: ([136.1, 135.2, 128.6, 138.7], [130.8, 134.0, 131.9, 144.2], 0),  # grid
    11: ([121.6, 124.9, 125.4, 124.4], [129.5, 130.4, 128.0, 122.4], 0),  # fabric
    12: ([204.2, 211.6, 218.8, 178.3], [207.6, 216.9, 232.8, 203.7], 0),  # pcb
    13: ([130.7, 169.9, 207.1, 128.2], [131.3, 176.7, 213.0, 138.1], 0),  # label
    15: ([104.5, 98.9, 98.9, 78.0], [111.9, 107.1, 107.6, 82.2], 36),  # ceramic tile
    17: ([87.7, 69.1, 71.2, 49.9], [75.0, 68.1, 75.8, 79.6], 231),  # magnetic tile
    20: ([56.8, 190.7, 192.1, 56.0], [56.2, 200.3, 204.5, 59.6], 21),  # pill
    21: ([228.5, 126.6, 110.7, 210.7], [195.1, 122.0, 105.9, 222.5], 0),  # cable
    35: ([211.3, 57.1, 54.1, 180.0], [213.8, 60.3, 59.2, 205.7], 0),  # bottle
    37: ([134.8, 145.6, 140.2, 148.1], [169.2, 180.9, 170.6, 145.7], 0),  # brushed metal
    41: ([181.0, 196.6, 185.5, 155.4], [204.7, 222.8, 193.7, 181.2], 74),  # spindle
}
"""Seed to means of four places of query and reference, and the pixels of the mask."""


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


def test_views_are_turned_and_mirrored_as_numpy_does() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (60, 60, 3), dtype=np.uint8)
    mask = picture[..., 0] > 99
    wanted = {
        np.ascontiguousarray(turned[:, ::-1] if mirrored else turned).tobytes(): (quarter, mirrored)
        for quarter in range(4)
        for mirrored in (False, True)
        for turned in [np.rot90(picture, quarter)]
    }
    met = set()
    for seed in range(60):
        view = _view(np.random.default_rng(seed), 60, (60, 60), [])
        quarter, mirrored = wanted[view(picture).tobytes()]
        turned = np.rot90(mask, quarter)
        assert view(mask).dtype == bool and (view(mask) == (turned[:, ::-1] if mirrored else turned)).all()
        draws = np.random.default_rng(seed)
        assert (quarter, mirrored) == (int(draws.integers(4)), bool(draws.integers(2)))
        met.add((quarter, mirrored))
    assert len(met) == 8


@pytest.mark.parametrize("seed", GOLDEN)
def test_the_same_seeds_draw_the_same_samples_as_ever(seed: int) -> None:
    """To a grey level: sums of single precision depend on the processor. Raise `WORLD` if this has to change."""
    sample = make_sample(seed, split="all")
    query, reference, defective = GOLDEN[seed]
    coarse = [
        picture.reshape(4, 42, 4, 42, 3).mean((1, 3, 4)).round(1).ravel()
        for picture in (sample.query, *sample.references)
    ]
    np.testing.assert_allclose(coarse[0][::5], query, atol=0.3)
    np.testing.assert_allclose(coarse[1][::5], reference, atol=0.3)
    assert int(sample.mask.sum()) == defective
