"""A broken, foreign or truncated model directory is refused in one sentence, before anything is built."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import tiny
from reason_iad.backbones import load_backbone
from reason_iad.backbones.loading import hash_weights
from reason_iad.errors import ConfigError, ModelError


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


def test_the_hash_follows_the_weights(qwen_directory: Path, tmp_path: Path) -> None:
    assert hash_weights(qwen_directory) == hash_weights(qwen_directory)
    assert hash_weights(qwen_directory) != hash_weights(tiny.qwen2_5_vl(tmp_path / "b", seed=1))


def test_the_embedded_model_loads() -> None:
    backbone = load_backbone("nano", device="cpu")
    assert backbone.version.name == "nano"
    assert backbone.version.family == "qwen2_5_vl"
    assert len(set(backbone.option_tokens("ABCDEFGHI"))) == 9
