"""A broken, foreign or truncated model directory is refused in one sentence, before anything is built."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from reason_iad.backbones import Backbone, load_backbone
from reason_iad.backbones.hashes import FITTED, TOWER_PARTS, encoder_sha256, model_sha256
from reason_iad.errors import ConfigError, ModelError
from reason_iad.expert.encoders.tower import TowerEncoder
from reason_iad.inspection.fusion import FILE, fusion_sha256


@pytest.fixture
def copy(qwen_directory: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(qwen_directory, tmp_path / "copy"))


def truncate(directory: Path) -> None:
    path = directory / "model.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def foreign(directory: Path) -> None:
    (directory / "config.json").write_text(json.dumps({"model_type": "bert"}))


def pickle_only(directory: Path) -> None:
    (directory / "model.safetensors").rename(directory / "pytorch_model.bin")


def drop_a_tensor(directory: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = directory / "model.safetensors"
    tensors = load_file(path)
    tensors.pop("model.layers.1.mlp.up_proj.weight")
    save_file(tensors, path, metadata={"format": "pt"})


def other_shapes(directory: Path) -> None:
    config = json.loads((directory / "config.json").read_text())
    config["text_config"]["intermediate_size"] = 80
    (directory / "config.json").write_text(json.dumps(config))


def missing_shard(directory: Path) -> None:
    index = {"weight_map": {"a": "model-00002-of-00002.safetensors"}}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index))


def writes(name: str, text: str) -> Callable[[Path], None]:
    return lambda directory: (directory / name).write_text(text) and None


def removes(name: str) -> Callable[[Path], None]:
    return lambda directory: (directory / name).unlink()


@pytest.mark.parametrize(
    ("breakage", "said"),
    [
        (truncate, "truncated or broken"),
        (foreign, "type 'bert', which is not supported"),
        (pickle_only, "other weight formats can run code"),
        (drop_a_tensor, "lack 'model.language_model.layers.1.mlp.up_proj.weight'"),
        (other_shapes, "cannot be loaded"),
        (missing_shard, "lacks the weight file model-00002-of-00002"),
        (removes("config.json"), "has no config.json"),
        (removes("tokenizer_config.json"), "has no tokenizer_config.json"),
        (removes("preprocessor_config.json"), "has no preprocessor_config.json"),
        (writes("config.json", "{"), "not valid JSON"),
        (writes("config.json", "[]"), "not a JSON object"),
        (writes("preprocessor_config.json", "{"), "cannot be loaded"),
    ],
)
def test_a_broken_directory_is_refused(copy: Path, breakage: Callable[[Path], None], said: str) -> None:
    breakage(copy)
    with pytest.raises(ModelError, match=said) as caught:
        load_backbone(str(copy), device="cpu")
    assert "\n" not in str(caught.value)
    assert "copy" in str(caught.value), "the message names the directory"


@pytest.mark.parametrize("name", ["/nowhere/at/all", "no_such_model", "./missing"])
def test_a_missing_model_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match="nano"):
        load_backbone(name)


def test_a_file_is_not_a_model(tmp_path: Path) -> None:
    (tmp_path / "weights").write_text("x")
    with pytest.raises(ModelError, match="is a file"):
        load_backbone(str(tmp_path / "weights"))


def test_a_hub_id_without_a_network_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match="use --model nano"):
        load_backbone("owner/name")


def test_code_in_a_model_directory_does_not_run(copy: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    (copy / "evil.py").write_text(f"open({str(mark)!r}, 'w')\nclass Tokenizer: pass\n")
    config = json.loads((copy / "tokenizer_config.json").read_text())
    config["auto_map"] = {"AutoTokenizer": ["evil.Tokenizer", "evil.Tokenizer"]}
    (copy / "tokenizer_config.json").write_text(json.dumps(config))
    with contextlib.suppress(ModelError):
        load_backbone(str(copy), device="cpu")
    assert not mark.exists()


def test_devices_and_dtypes_are_checked_first(qwen_directory: Path) -> None:
    with pytest.raises(ConfigError, match="Unknown dtype"):
        load_backbone(str(qwen_directory), dtype="int3")
    with pytest.raises(ConfigError, match="Unknown device"):
        load_backbone(str(qwen_directory), device="toaster")
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="no CUDA"):
            load_backbone(str(qwen_directory), device="cuda")


# -- hashes ----------------------------------------------------------------------------------------


def change_tensor(directory: Path, name: str) -> None:
    from safetensors.torch import load_file, save_file

    path = directory / "model.safetensors"
    tensors = load_file(path)
    tensors[name] = tensors[name] + 1
    save_file(tensors, path, metadata={"format": "pt"})


def change_json(directory: Path, name: str, **changes: object) -> None:
    path = directory / name
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(known | changes))


@pytest.mark.parametrize(
    ("change", "model", "encoder"),
    [
        (lambda d: change_json(d, "fusion.json", bias=1), False, False),
        (lambda d: change_tensor(d, "model.layers.1.mlp.up_proj.weight"), True, False),
        (lambda d: change_json(d, "tokenizer_config.json", model_max_length=77), True, False),
        (lambda d: change_tensor(d, "visual.blocks.0.mlp.up_proj.weight"), True, True),
        (lambda d: change_json(d, "preprocessor_config.json", max_pixels=100352), True, True),
        (lambda d: change_json(d, "config.json", vision_config={}), True, True),
    ],
    ids=["fusion", "decoder", "tokenizer", "tower", "image processor", "tower's configuration"],
)
def test_each_hash_follows_what_it_is_about(
    copy: Path, change: Callable[[Path], None], model: bool, encoder: bool
) -> None:
    before = model_sha256(copy), encoder_sha256(copy)
    assert before == (model_sha256(copy), encoder_sha256(copy))
    change(copy)
    assert (model_sha256(copy) != before[0], encoder_sha256(copy) != before[1]) == (model, encoder)


def test_the_encoders_hash_does_not_depend_on_the_files_of_the_tensors(copy: Path) -> None:
    from safetensors.torch import load_file, save_file

    before = encoder_sha256(copy)
    tensors = load_file(copy / "model.safetensors")
    (copy / "model.safetensors").unlink()
    for number in (0, 1):
        part = {name: tensor for at, (name, tensor) in enumerate(sorted(tensors.items())) if at % 2 == number}
        save_file(part, copy / f"model-{number}.safetensors", metadata={"format": "pt"})
    assert encoder_sha256(copy) == before


def test_every_family_has_an_encoder_hash(backbone: Backbone, directory: Path) -> None:
    """No tensor of the tower or the projector is left out, by the names that this family uses."""
    from safetensors import safe_open

    assert len(backbone.version.encoder_sha256) == 64
    with safe_open(directory / "model.safetensors", framework="pt") as tensors:
        names = {name for name in tensors.keys() if not TOWER_PARTS & set(name.split("."))}  # noqa: SIM118
    tower_words = ("vis", "patch", "projec", "merger", "connector")
    assert [name for name in names if any(word in name for word in tower_words)] == []
    assert names, "the decoder does not belong to it"


def test_the_fused_numbers_have_a_hash_of_their_own(copy: Path) -> None:
    assert {FILE} == FITTED
    assert fusion_sha256(copy) is None
    change_json(copy, "fusion.json", bias=1)
    first = fusion_sha256(copy)
    change_json(copy, "fusion.json", bias=2)
    assert first is not None and fusion_sha256(copy) not in (None, first)


def test_an_encoder_is_known_by_its_own_hash(qwen: Backbone) -> None:
    assert TowerEncoder(qwen).sha256 == qwen.version.encoder_sha256 != qwen.version.sha256


def test_the_embedded_model_loads() -> None:
    backbone = load_backbone("nano", device="cpu")
    assert backbone.version.name == "nano"
    assert backbone.version.family == "qwen2_5_vl"
    assert len(set(backbone.option_tokens("ABCDEFGHI"))) == 9
