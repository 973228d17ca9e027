"""The learned comparison: exactly the head that was trained, and nothing else is read from a directory."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from reason_iad.backbones.base import PatchFeatures
from reason_iad.errors import ModelError
from reason_iad.expert import build_expert
from reason_iad.expert.calibration import AREA_SLACK
from reason_iad.expert.comparator import FILE, PatchComparator, load_comparator
from reason_iad.nano.training.heads import TowerHeads, comparator_tensors

WIDTH = 8


@pytest.fixture(scope="module")
def heads() -> TowerHeads:
    torch.manual_seed(0)
    return TowerHeads(WIDTH)


@pytest.fixture(scope="module")
def comparator(heads: TowerHeads) -> PatchComparator:
    return PatchComparator(comparator_tensors(heads))


def features(seed: int, rows: int = 4, columns: int = 5) -> PatchFeatures:
    return PatchFeatures(
        torch.randn(rows * columns, WIDTH, generator=torch.Generator().manual_seed(seed)), rows, columns
    )


def test_it_is_the_head_that_was_trained(heads: TowerHeads, comparator: PatchComparator) -> None:
    query, normal = features(1), features(2)
    logits = heads(query.features[None], normal.features[None]).pair[0, :, 0]
    found = comparator(query.features, normal.features)
    assert found.tolist() == pytest.approx((-torch.log1p(-logits.sigmoid())).tolist(), abs=1e-5)


def test_the_most_similar_normal_decides(comparator: PatchComparator) -> None:
    query, one, other = features(1), features(2), features(3)
    alone = [comparator.compare(query, [normal]) for normal in (one, other)]
    both = comparator.compare(query, [one, other])
    assert both.shape == (4, 5)
    assert torch.equal(both, torch.minimum(*alone)) and not torch.equal(both, alone[0])


def test_grids_may_differ(comparator: PatchComparator) -> None:
    coarse = PatchFeatures(features(1).features.mean(0, keepdim=True).expand(6, -1), 2, 3)
    fine = PatchFeatures(coarse.features[:1].expand(20, -1), 4, 5)
    found = comparator.compare(features(2), [coarse])
    assert torch.allclose(found, comparator.compare(features(2), [fine]), atol=1e-5)


def test_an_expert_uses_it_with_a_single_reference_only(comparator: PatchComparator) -> None:
    query, normals = features(4), [features(1), features(2), features(3)]
    one = build_expert(normals[:1], comparator=comparator).inspect(query)
    assert one.learned and one.calibrated_on == 1
    assert torch.equal(one.distances, comparator.compare(query, normals[:1]))
    several = build_expert(normals, comparator=comparator).inspect(query)
    assert not several.learned
    assert torch.equal(several.distances, build_expert(normals).inspect(query).distances)


def test_its_map_begins_where_a_defect_is_as_likely_as_not(comparator: PatchComparator) -> None:
    query, normal = features(1), features(2)
    found = build_expert([normal], comparator=comparator).inspect(query)
    probability = 1 - torch.exp(-found.distances)
    assert torch.equal(found.values > 0, probability > 0.5) and bool((found.values > 0).any())
    assert torch.equal(found.values == 1, probability >= 15 / 16)
    assert found.gate_passed == (found.area > AREA_SLACK)


def test_what_was_saved_is_read(heads: TowerHeads, comparator: PatchComparator, tmp_path: Path) -> None:
    assert load_comparator(tmp_path) is None
    save_file(comparator_tensors(heads), tmp_path / FILE)
    read = load_comparator(tmp_path)
    assert read is not None and read.width == WIDTH
    query, normal = features(1).features, features(2).features
    assert torch.equal(read(query, normal), comparator(query, normal))


def bad(name: str) -> dict[str, torch.Tensor]:
    tensors = {key: value.clone() for key, value in comparator_tensors(TowerHeads(WIDTH)).items()}
    if name == "missing":
        del tensors["outer.bias"]
    elif name == "more":
        tensors["more"] = torch.zeros(1)
    elif name == "shape":
        tensors["inner.bias"] = tensors["inner.bias"][:-1].clone()
    elif name == "two outputs":
        tensors["outer.weight"] = torch.zeros(2, tensors["outer.weight"].shape[1])
    elif name == "flat":
        tensors["inner.weight"] = tensors["inner.weight"].flatten()
    elif name == "nan":
        tensors["norm.weight"][0] = float("nan")
    elif name == "thirds":
        tensors = {
            "norm.weight": torch.ones(4), "norm.bias": torch.ones(4), "inner.weight": torch.ones(2, 4),
            "inner.bias": torch.ones(2), "outer.weight": torch.ones(1, 2), "outer.bias": torch.ones(1),
        }  # fmt: skip
    return tensors


@pytest.mark.parametrize("name", ["missing", "more", "shape", "two outputs", "flat", "nan", "thirds"])
def test_other_tensors_are_refused_with_the_mend(name: str, tmp_path: Path) -> None:
    save_file(bad(name), tmp_path / FILE)
    with pytest.raises(ModelError, match=r"comparator\.safetensors in '.*' cannot be used .*delete the file"):
        load_comparator(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\x00" * 64, b"\xff" * 16, b'{"__metadata__":{}}'])
def test_a_file_that_is_no_safetensors_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(ModelError, match=r"comparator\.safetensors in '.*' cannot be used"):
        load_comparator(tmp_path)


def test_patches_of_another_model_are_refused(comparator: PatchComparator) -> None:
    with pytest.raises(ModelError, match="patches of width 8, the model's have 12"):
        comparator(torch.zeros(3, 12), torch.zeros(3, 12))
