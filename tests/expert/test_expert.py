"""The expert on features whose truth is known: it finds what is different, and stays silent when it cannot tell."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from reason_iad.backbones import load_backbone
from reason_iad.errors import ConfigError
from reason_iad.expert import build_expert
from reason_iad.expert.calibration import largest_region
from reason_iad.expert.distance import residual_map
from reason_iad.expert.embedding import image_embedding
from reason_iad.expert.encoders.base import FeatureMap
from reason_iad.expert.extent import region_box
from reason_iad.expert.jitter import jittered_copies

SIDE, SIZE = 12, 32
LAYOUT = torch.randn(SIDE * SIDE, SIZE, generator=torch.Generator().manual_seed(0))


def normal(seed: int, spread: float = 0.15, rows: int = SIDE, columns: int = SIDE) -> FeatureMap:
    noise = torch.randn(SIDE * SIDE, SIZE, generator=torch.Generator().manual_seed(seed + 1))
    return FeatureMap((LAYOUT + spread * noise)[: rows * columns], rows, columns)


def with_defect(features: FeatureMap, rows: slice, columns: slice) -> FeatureMap:
    grid = features.features.clone().view(features.rows, features.columns, -1)
    grid[rows, columns] = torch.randn(grid[rows, columns].shape, generator=torch.Generator().manual_seed(99))
    return FeatureMap(grid.flatten(0, 1), features.rows, features.columns)


def test_residuals_are_nearest_cosine_distances() -> None:
    query, bank = normal(1), [normal(2), normal(3)]
    found = residual_map(query, bank, radius=None).flatten()
    both = torch.cat([features.features for features in bank])
    plain = [
        min(1 - float(torch.cosine_similarity(patch, other, dim=0)) for other in both)
        for patch in query.features[:10]
    ]
    assert found[:10].tolist() == pytest.approx(plain, abs=1e-5)


def test_a_patch_is_compared_near_its_own_place_only() -> None:
    moved = FeatureMap(LAYOUT.flip(0), SIDE, SIDE)
    anywhere = residual_map(moved, [normal(1, 0.0)], radius=None)
    nearby = residual_map(moved, [normal(1, 0.0)], radius=0.15)
    assert float(anywhere.max()) < 1e-5
    assert float(nearby.mean()) > 0.3


def test_grids_may_differ() -> None:
    assert residual_map(normal(1, rows=6), [normal(2), normal(3, columns=8)], 0.2).shape == (6, SIDE)


@pytest.mark.parametrize("references", [1, 4])
def test_a_defect_is_found_where_it_is(references: int) -> None:
    normals = [normal(i) for i in range(10, 10 + references)]
    copies = [normal(i, 0.13) for i in range(3)] if references == 1 else []
    expert = build_expert(normals, copies)
    found = expert.inspect(with_defect(normal(50), slice(3, 6), slice(7, 10)))
    assert found.gate_passed
    assert found.calibrated_on == references
    assert float(found.values[3:6, 7:10].mean()) > 0.8
    outside = found.values.clone()
    outside[3:6, 7:10] = 0
    assert float(outside.mean()) < 0.05
    box = region_box(found, 240, 120)
    assert box is not None
    assert (box.x1, box.y1, box.x2, box.y2) == (140, 30, 200, 60)


@pytest.mark.parametrize("references", [1, 4])
def test_normals_do_not_pass_the_gate(references: int) -> None:
    normals = [normal(i) for i in range(10, 10 + references)]
    copies = [normal(i, 0.13) for i in range(3)] if references == 1 else []
    expert = build_expert(normals, copies)
    passed = [expert.inspect(normal(seed)).gate_passed for seed in range(60, 80)]
    assert sum(passed) <= 1


def test_thresholds_follow_the_method() -> None:
    normals = [normal(i) for i in range(3)]
    expert = build_expert(normals)
    residuals = torch.cat([residual.flatten() for residual in expert.residuals])
    low, median = float(residuals.quantile(0.99)), float(residuals.median())
    query = with_defect(normal(50), slice(0, 2), slice(0, 2))
    raw = residual_map(query, normals, 0.15)
    expected = ((raw - low) / (3 * (low - median))).clamp(0, 1)
    assert torch.allclose(expert.inspect(query).values, expected, atol=1e-5)


def test_leave_one_out_never_compares_an_image_with_itself() -> None:
    assert min(float(residual.min()) for residual in build_expert([normal(1), normal(2)]).residuals) > 1e-3


def test_there_must_be_something_to_calibrate_on() -> None:
    with pytest.raises(ConfigError, match="at least two references"):
        build_expert([])
    with pytest.raises(ConfigError, match="at least two references"):
        build_expert([normal(1)])


def test_the_map_on_a_coarser_grid_keeps_its_peaks() -> None:
    found = build_expert([normal(1), normal(2)]).inspect(with_defect(normal(50), slice(11, 12), slice(0, 1)))
    coarse = found.on_grid(3, 4).view(3, 4)
    assert float(coarse[2, 0]) == pytest.approx(float(found.values.max()))


def test_largest_region_is_eight_connected() -> None:
    mask = torch.zeros(4, 4, dtype=torch.bool)
    mask[0, 0] = mask[1, 1] = mask[3, 3] = True
    assert largest_region(mask) == pytest.approx(2 / 16)
    assert largest_region(torch.zeros(4, 4, dtype=torch.bool)) == 0.0


def test_jittered_copies_differ_a_little() -> None:
    array = np.random.default_rng(0).integers(60, 200, (80, 100, 3), dtype=np.uint8)
    image = Image.fromarray(array)
    for copy in jittered_copies(image):
        difference = np.abs(np.asarray(copy, float) - array)
        assert copy.size == image.size
        assert difference.mean() > 1


def test_image_embeddings_tell_categories_apart() -> None:
    fake = load_backbone("fake")
    red, also_red, blue = (
        image_embedding(fake.patch_features(Image.new("RGB", (40, 40), colour)))
        for colour in ((200, 30, 30), (190, 40, 30), (20, 30, 200))
    )
    assert red @ also_red > red @ blue
