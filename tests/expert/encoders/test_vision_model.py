"""Vision models of transformers as encoders: tiny ones with random weights, of their real classes."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from PIL import Image
from tests.expert.encoders.pictures import plate, spotted, strongest

from reason_iad.errors import ConfigError, ModelError
from reason_iad.expert.encoders import make_encoder
from reason_iad.expert.encoders.tiling import TiledEncoder
from reason_iad.expert.encoders.vision_model import VisionModelEncoder, open_vision_model

VIT: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 2,
}  # fmt: skip
STEPS: dict[str, Any] = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}
SWIN: dict[str, Any] = {
    "embed_dim": 8, "depths": [1, 1, 1, 2], "num_heads": [1, 2, 2, 2], "window_size": 4, "image_size": 64,
}  # fmt: skip
FAMILIES: dict[str, tuple[Callable[[], Any], tuple[int, ...]]] = {
    "dinov2": (lambda: hf.Dinov2Model(hf.Dinov2Config(**VIT, image_size=56, patch_size=14)), (14, 14, 14)),
    "dinov2_with_registers": (
        lambda: hf.Dinov2WithRegistersModel(hf.Dinov2WithRegistersConfig(**VIT, image_size=56, patch_size=14)),
        (14, 14, 14),
    ),
    "dinov3_vit": (
        lambda: hf.DINOv3ViTModel(hf.DINOv3ViTConfig(**VIT, image_size=64, num_register_tokens=4)),
        (16, 16, 16),
    ),
    "dinov3_convnext": (lambda: hf.DINOv3ConvNextModel(hf.DINOv3ConvNextConfig(**STEPS)), (8, 16, 32)),
    "siglip": (lambda: hf.SiglipModel(_siglip()), (16, 16, 16)),
    "siglip_vision_model": (lambda: hf.SiglipVisionModel(_siglip().vision_config), (16, 16, 16)),
    "convnext": (lambda: hf.ConvNextModel(hf.ConvNextConfig(**STEPS)), (8, 16, 32)),
    "convnextv2": (lambda: hf.ConvNextV2Model(hf.ConvNextV2Config(**STEPS)), (8, 16, 32)),
    "swin": (lambda: hf.SwinModel(hf.SwinConfig(**SWIN)), (8, 16, 32)),
    "swinv2": (lambda: hf.Swinv2Model(hf.Swinv2Config(**SWIN)), (8, 16, 32)),
    "resnet": (
        lambda: hf.ResNetModel(hf.ResNetConfig(**STEPS, embedding_size=8, layer_type="basic")), (8, 16, 32),
    ),
    "vit": (lambda: hf.ViTModel(hf.ViTConfig(**VIT, image_size=64)), (16, 16, 16)),
}  # fmt: skip
"""Family to what makes a tiny model, and the strides of its maps."""
PREPARED = {"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.25, 0.3], "size": {"shortest_edge": 128}}
Save = Callable[..., Path]


def _siglip() -> Any:
    return hf.SiglipConfig(
        vision_config={**VIT, "image_size": 64, "patch_size": 16},
        text_config={**VIT, "vocab_size": 50, "bos_token_id": 1, "eos_token_id": 2},
    )


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Write a model of a family into a directory."""

    def write(family: str, prepared: dict[str, Any] | None = PREPARED) -> Path:
        torch.manual_seed(0)
        folder = tmp_path / family
        FAMILIES[family][0]().save_pretrained(folder)
        if prepared is not None:
            (folder / "preprocessor_config.json").write_text(json.dumps(prepared))
        return folder

    return write


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", [(128, 128), (300, 100)])
def test_every_family_gives_maps_of_the_whole_picture(family: str, size: tuple[int, int], save: Save) -> None:
    folder = save(family)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoder = make_encoder(str(folder), None)
        (maps,) = encoder.encode([plate(*size)])
    assert isinstance(encoder, VisionModelEncoder)
    width, height = encoder._preparation.sides(*size)
    assert abs(width / height / (size[0] / size[1]) - 1) < 0.25
    if not (family.startswith("swin") and width != height):  # a window must fit into a narrow picture
        assert abs(width * height / 128**2 - 1) < 0.25
    assert [(each.rows, each.columns) for each in maps] == [
        (height // stride, width // stride) for stride in FAMILIES[family][1]
    ]
    assert all(each.features.shape[0] == each.rows * each.columns for each in maps)
    assert maps[-1].features.shape[1] == (64 if family.startswith("swin") else 32)
    assert all(bool(each.features.isfinite().all()) for each in maps)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_gives_the_same_as_one_by_one(family: str, save: Save) -> None:
    encoder = open_vision_model(str(save(family)))
    pictures = [plate(128, 128, 1), plate(256, 64, 2), plate(128, 128, 3)]
    for picture, together in zip(pictures, encoder.encode(pictures), strict=True):
        for alone, batched in zip(encoder.encode([picture])[0], together, strict=True):
            assert (alone.features - batched.features).abs().max() <= 1e-5 * max(1, alone.features.abs().max())


@pytest.mark.parametrize("family", ["dinov2_with_registers", "dinov3_vit", "siglip", "convnext", "swin"])
@pytest.mark.parametrize("corner", [(0, 0), (240, 0), (0, 112), (240, 112)])
def test_a_defect_is_seen_in_its_corner(family: str, corner: tuple[int, int], save: Save) -> None:
    """Tokens that stand for no place are dropped, rows and columns are not mixed up, and no border is cut off."""
    encoder = open_vision_model(str(save(family))).with_size(None)
    good = plate(256, 128)
    first, second = encoder.encode([good, spotted(good, *corner, 16)])
    across, down = strongest(first[0], second[0])
    assert abs(across * 256 - corner[0] - 8) <= 16 and abs(down * 128 - corner[1] - 8) <= 16


def test_features_are_those_of_the_model(save: Save) -> None:
    """Against transformers itself: normalised by the directory's numbers, without class and register tokens."""
    folder = save("dinov2_with_registers")
    picture = plate(126, 126)
    pixels = torch.tensor(list(picture.getdata())).view(126, 126, 3).permute(2, 0, 1) / 255
    normal = (pixels - torch.tensor([0.4, 0.5, 0.6]).view(3, 1, 1)) / torch.tensor([0.2, 0.25, 0.3]).view(3, 1, 1)
    with torch.inference_mode():
        model = hf.AutoModel.from_pretrained(folder).eval()
        wanted = model(pixel_values=normal[None], output_hidden_states=True)
    maps = open_vision_model(str(folder)).encode([picture])[0]
    registers = model.config.num_register_tokens
    for found, tokens in zip(maps, (*wanted.hidden_states[1:3], wanted.last_hidden_state), strict=True):
        assert torch.allclose(found.features, tokens[0, 1 + registers :], atol=1e-5)


def test_other_scalings_of_pixels(save: Save) -> None:
    """A factor of 1/127.5 with mean 1 says the same as one of 1/255 with mean and deviation 0.5."""
    half = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "size": 64}
    double = {"image_mean": [1.0] * 3, "image_std": [1.0] * 3, "rescale_factor": 1 / 127.5, "size": {"height": 64}}
    found = [open_vision_model(str(save("vit", each))).encode([plate(64, 64)])[0][-1] for each in (half, double)]
    assert torch.allclose(found[0].features, found[1].features, atol=1e-5)


def test_a_model_for_squares_gets_squares(tmp_path: Path) -> None:
    """Cells of the square map back by shares of width and height, so a defect stays where it is."""
    folder = tmp_path / "squares"
    hf.PoolFormerModel(
        hf.PoolFormerConfig(hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], image_size=128)
    ).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPARED))
    encoder = open_vision_model(str(folder))
    good = plate(300, 100)
    first, second = encoder.encode([good, spotted(good, 280, 0, 20)])
    assert (first[-1].rows, first[-1].columns) == (4, 4)
    across, down = strongest(first[0], second[0])
    assert across > 0.85 and down < 0.25
    with pytest.raises(ConfigError, match="only pictures of 128 x 128"):
        TiledEncoder(encoder)


def test_tiles_of_a_vision_model(save: Save) -> None:
    tiled = TiledEncoder(open_vision_model(str(save("dinov2"))), 140, 28)
    good = plate(700, 300)
    first, second = tiled.encode([good, spotted(good, 600, 250, 12)])
    assert [(each.rows, each.columns) for each in first] == [(21, 50)] * 3
    across, down = strongest(first[0], second[0])
    assert abs(across * 700 - 606) <= 14 and abs(down * 300 - 256) <= 14


@pytest.mark.parametrize("family", ["swin", "swinv2"])
def test_a_picture_gives_the_same_whatever_came_before(family: str, save: Save) -> None:
    """Layers of Swin shrink their windows for small pictures, and would not widen them again."""
    encoder = open_vision_model(str(save(family))).with_size(None)
    large = plate(384, 256)
    before = encoder.encode([large])[0]
    encoder.encode([plate(128, 128)])
    for one, other in zip(before, encoder.encode([large])[0], strict=True):
        assert torch.equal(one.features, other.features)


def test_the_hash_follows_weights_and_preparation(save: Save) -> None:
    folder = save("convnext")
    encoder = open_vision_model(str(folder))
    hashes = [encoder.sha256, encoder.with_size(64).sha256, open_vision_model(str(folder)).sha256]
    assert hashes[0] == hashes[2] != hashes[1]
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPARED | {"image_mean": [0.4, 0.5, 0.5]}))
    hashes.append(open_vision_model(str(folder)).sha256)
    torch.manual_seed(1)
    FAMILIES["convnext"][0]().save_pretrained(folder)
    hashes.append(open_vision_model(str(folder)).sha256)
    assert len(set(hashes)) == 4


def test_threads_may_share_it(save: Save) -> None:
    encoder = open_vision_model(str(save("dinov3_vit")))
    pictures = [plate(64, 64, seed) for seed in range(12)]
    alone = [encoder.encode([picture])[0][0].features for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda picture: encoder.encode([picture])[0][0].features, pictures))
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(alone, found, strict=True))


def test_a_hub_model_that_was_downloaded(save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = save("resnet")

    def downloaded(name: str, *, local_files_only: bool) -> str:
        assert (name, local_files_only) == ("owner/resnet", True)
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", downloaded)
    assert make_encoder("owner/resnet", None).name == "owner/resnet"


@pytest.mark.parametrize("name", ["no/such-model", "./nowhere", "efficientnet", "a/b/c"])
def test_an_unknown_name_is_answered_with_the_choices(name: str) -> None:
    with pytest.raises(ConfigError, match=r"tower, efficientnet_lite0.*directory of a vision model"):
        make_encoder(name, None)


def test_the_tower_needs_a_model() -> None:
    with pytest.raises(ConfigError, match="none is loaded"):
        make_encoder("tower", None)


def _pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _code(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Config", "AutoModel": "own.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text("raise SystemExit('this code was run')")


def _truncated(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:100])


def _without_numbers(folder: Path) -> None:
    (folder / "preprocessor_config.json").unlink()


def _malformed_numbers(folder: Path) -> None:
    (folder / "preprocessor_config.json").write_text('{"image_mean": [0.5], "image_std": [0, 0, 0]}')


def _without_weights_of_a_layer(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    left = {name: tensor for name, tensor in tensors.items() if "layer.1." not in name and "layers.1." not in name}
    assert len(left) < len(tensors)
    save_file(left, folder / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_pickled, "no .*safetensors"),
        (_code, "cannot be loaded"),
        (_truncated, "truncated or broken"),
        (_without_numbers, "no preprocessor_config.json"),
        (_malformed_numbers, "does not say how"),
        (_without_weights_of_a_layer, "lacks the weights"),
    ],
)
def test_a_directory_that_cannot_be_used(spoil: Callable[[Path], None], message: str, save: Save) -> None:
    folder = save("vit")
    spoil(folder)
    with pytest.raises(ModelError, match=message):
        open_vision_model(str(folder))


def test_a_language_model_is_no_vision_model(tmp_path: Path) -> None:
    hf.GPT2Model(hf.GPT2Config(n_embd=8, n_layer=1, n_head=1, vocab_size=9)).save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(PREPARED))
    with pytest.raises(ModelError, match="holds no vision model"):
        open_vision_model(str(tmp_path))


def test_grey_pictures_and_pictures_with_a_palette(save: Save) -> None:
    encoder = open_vision_model(str(save("resnet")))
    grey = plate(64, 64).convert("L")
    as_grey, as_colour = encoder.encode([grey, grey.convert("RGB")])
    assert torch.equal(as_grey[-1].features, as_colour[-1].features)
    assert len(encoder.encode([Image.new("P", (50, 40))])) == 1
