"""The detector patchcore is the paper's, with any encoder."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from reason_iad.backbones.fake import FakeBackbone
from reason_iad.expert.cache import ReferenceCache
from reason_iad.expert.detectors import make_detector, patchcore
from reason_iad.expert.detectors.comparing import compare_by
from reason_iad.expert.encoders.base import FeatureMap
from reason_iad.expert.encoders.tower import TowerEncoder
from reason_iad.images import LoadedImage, load_image


class Pyramid:
    """Mean colours on two grids, the deeper one coarser and in larger numbers."""

    name, sha256 = "pyramid", "pyramid 1"

    def __init__(self, depths: int = 2) -> None:
        self.depths = depths

    def encode(self, images: Sequence[Image.Image]) -> list[tuple[FeatureMap, ...]]:
        return [tuple(cells(image, side, scale) for side, scale in SIDES[-self.depths :]) for image in images]


SIDES = ((24, 1.0), (16, 1.0), (8, 1000.0))


def cells(image: Image.Image, side: int, scale: float) -> FeatureMap:
    small = np.asarray(image.resize((side, side), Image.Resampling.BOX), np.float32) / 255
    return FeatureMap(torch.tensor(small.reshape(-1, 3)) * scale, side, side)


def plate(seed: int, hole: bool = False) -> LoadedImage:
    grain = np.random.default_rng(seed).normal(150, 12, (96, 96, 3)).clip(0, 255).astype(np.uint8)
    picture = Image.fromarray(grain)
    if hole:
        ImageDraw.Draw(picture).ellipse((66, 18, 84, 36), fill=(10, 10, 10))
    return load_image(picture)


@pytest.mark.parametrize("depths", [1, 2, 3])
def test_a_defect_stands_out_at_its_place(depths: int) -> None:
    fitted = make_detector("patchcore", Pyramid(depths)).fit([plate(seed) for seed in range(4)])
    broken, fine = fitted.score(plate(9, hole=True)), fitted.score(plate(9))
    assert broken.map.shape == ((8, 8) if depths == 1 else (16, 16)), "the finer of the two deepest grids"
    assert broken.map.dtype == np.float32 and broken.map.min() >= 0
    assert broken.score == broken.map.max() > 2 * fine.score
    row, column = (np.array(np.unravel_index(broken.map.argmax(), broken.map.shape)) + 0.5) / len(broken.map)
    assert 0.1 < row < 0.45 and 0.6 < column < 0.95


def test_it_is_what_the_paper_says() -> None:
    """With all patches kept: the distance to the nearest of all, in features averaged, joined and standardised."""
    normals, part = [plate(seed) for seed in range(3)], plate(9, hole=True)
    said = make_detector("patchcore", Pyramid()).fit(normals).score(part)

    def features(image: LoadedImage) -> np.ndarray:
        planes = []
        for each in Pyramid().encode([image.pixels])[0]:
            grid = each.features.numpy().astype(np.float64).reshape(each.rows, each.columns, 3)
            mean = np.empty_like(grid)
            for row, column in np.ndindex(each.rows, each.columns):
                mean[row, column] = grid[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2].mean((0, 1))
            at = (np.arange(16) + 0.5) * each.rows / 16 - 0.5
            for axis in (0, 1):  # bilinear
                low = np.clip(np.floor(at).astype(int), 0, each.rows - 1)
                high, share = np.minimum(low + 1, each.rows - 1), np.clip(at, 0, None) - low
                share = share.reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
                mean = np.take(mean, low, axis) * (1 - share) + np.take(mean, high, axis) * share
            planes.append(mean)
        return np.concatenate(planes, axis=2).reshape(256, 6)

    good = np.concatenate([features(normal) for normal in normals])
    apart = (features(part) - good.mean(0)) / good.std(0)
    apart = apart[:, None] - (good - good.mean(0)) / good.std(0)
    assert np.allclose(said.map.ravel(), np.sqrt((apart**2).sum(2)).min(1), rtol=1e-3, atol=1e-3)


def test_a_tenth_of_the_patches_is_kept_but_not_too_few(monkeypatch: pytest.MonkeyPatch) -> None:
    normals = [plate(seed) for seed in range(10)]
    fit = make_detector("patchcore", Pyramid()).fit
    assert len(fit(normals).entries.features) == 1000
    assert len(fit(normals[:2]).entries.features) == 512
    monkeypatch.setattr(patchcore, "LEAST", 100)
    assert len(fit(normals).entries.features) == 256


def test_threads_share_what_was_fitted() -> None:
    fitted = make_detector("patchcore", TowerEncoder(FakeBackbone())).fit([plate(0), plate(1)])
    parts = [plate(seed, hole=seed % 2 == 0) for seed in range(8)]
    alone = [fitted.score(part) for part in parts]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(fitted.score, parts))
    assert all(np.array_equal(one.map, other.map) for one, other in zip(alone, together, strict=True))


@pytest.mark.parametrize("count", [1, 3])
def test_an_inspection_can_use_it(count: int) -> None:
    good, detector = [plate(seed) for seed in range(count)], make_detector("patchcore", Pyramid())
    found = compare_by(detector, plate(9, hole=True), good, ReferenceCache())
    assert found.values.max() > 0


def test_good_parts_that_are_the_same_everywhere_are_no_obstacle() -> None:
    blank = load_image(Image.new("RGB", (96, 96), (90, 90, 90)))
    fitted = make_detector("patchcore", Pyramid()).fit([blank])
    assert fitted.score(blank).score == 0 < fitted.score(plate(1)).score < np.inf
