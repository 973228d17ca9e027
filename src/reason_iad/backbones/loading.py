"""From `--model nano|DIR|HUB_ID` to a backbone; a bad directory is refused before anything heavy is built.

A model directory is hostile input: only safetensors are read, no code from it runs, and its files are checked
(layout, known class, every shard complete) before transformers sees them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from reason_iad.backbones.hashes import DOWNLOADED, encoder_sha256, model_sha256
from reason_iad.errors import ConfigError, ModelError
from reason_iad.files import read_object
from reason_iad.registry import BuiltIn, Registry

if TYPE_CHECKING:
    import torch

    from reason_iad.backbones.base import Backbone
    from reason_iad.backbones.transformers_base import TransformersBackbone

FAMILIES: Registry[type[TransformersBackbone]] = Registry(
    "backbone",
    {
        "qwen2_5_vl": BuiltIn("reason_iad.backbones.qwen2_5_vl:Qwen25VL", "Qwen2.5-VL, and the embedded model"),
        "qwen2_vl": BuiltIn("reason_iad.backbones.qwen2_vl:Qwen2VL", "Qwen2-VL"),
        "qwen3_vl": BuiltIn("reason_iad.backbones.qwen3_vl:Qwen3VL", "Qwen3-VL"),
        "qwen3_5": BuiltIn("reason_iad.backbones.qwen3_5:Qwen35", "Qwen3.5"),
        "internvl": BuiltIn("reason_iad.backbones.internvl:InternVL", "InternVL 2.5 and later"),
        "llava_onevision": BuiltIn("reason_iad.backbones.llava_onevision:LlavaOnevision", "LLaVA-OneVision"),
        "idefics3": BuiltIn("reason_iad.backbones.idefics3:Idefics3", "Idefics3"),
        "smolvlm": BuiltIn("reason_iad.backbones.idefics3:SmolVLM", "SmolVLM"),
        "gemma3": BuiltIn("reason_iad.backbones.gemma3:Gemma3", "Gemma 3"),
        "glm4v": BuiltIn("reason_iad.backbones.glm4v:Glm4V", "GLM-4V"),
    },
    ModelError,
)
"""`model_type` of config.json to the class that supports it exactly."""

_QUERIES = "its image tokens are learned queries, so a token has no place in the image"
REFUSED: dict[str, str] = {
    "blip-2": _QUERIES,
    "instructblip": _QUERIES,
    "idefics2": _QUERIES,
    "idefics": "its image is read by cross-attention, so there are no image tokens to inject",
    "mllama": "its image is read by cross-attention, so there are no image tokens to inject",
    "paligemma": "its prompt is read in both directions, so no part of it can be computed before the question",
    "gemma3n": "its layers look up token ids, which a latent token does not have",
}
"""`model_type` of families that cannot be supported exactly, with the reason."""

NANO = Path(__file__).parent / "nano"
"""The embedded model, in the layout of a hub directory."""

_DTYPES = ("auto", "float32", "bfloat16")


def load_backbone(
    model: str = "nano", *, device: str = "auto", dtype: str = "auto", compile_steps: bool = False
) -> Backbone:
    """Load a frozen multimodal LLM.

    Args:
        model: 'nano', 'fake' (for tests), a model directory, or a hub id 'owner/name'.
        device: 'auto', 'cpu', 'cuda' or 'cuda:N'.
        dtype: 'auto' (float32 on CPU, bfloat16 on CUDA), 'float32' or 'bfloat16'.
        compile_steps: compile the steps of the loop (`compiling.py`); 'fake' has nothing to compile.

    Raises:
        ModelError: the model cannot be found, is not supported, or its files are broken; or there is no compiler.
        ConfigError: device or dtype is unknown or not there.
    """
    if dtype not in _DTYPES:
        raise ConfigError(f"Unknown dtype '{dtype}'; choose one of: {', '.join(_DTYPES)}.")
    if model == "fake":
        from reason_iad.backbones.fake import FakeBackbone

        return FakeBackbone()
    name = model if model == "nano" or not Path(model).exists() else Path(model).resolve().name
    directory = _directory(model)
    config = check_directory(directory)
    where = chosen_device(device)
    if compile_steps:
        from reason_iad.backbones.compiling import check_compiler

        check_compiler(where)
    backbone = _build(name, directory, config, where, dtype)
    if compile_steps:
        backbone.compile_steps()
    return backbone


def check_directory(directory: Path) -> dict[str, Any]:
    """Check the layout of a model directory; return its config.

    Raises:
        ModelError: something is missing, broken or not supported.
    """
    config = read_object(directory, "config.json")
    family = config.get("model_type")
    if (why := REFUSED.get(str(family))) is not None:
        raise ModelError(
            f"'{directory.name}' holds a model of type '{family}', which cannot be supported: {why}; "
            f"use one of: {', '.join(FAMILIES)}."
        )
    if family not in FAMILIES:
        raise ModelError(
            f"'{directory.name}' holds a model of type '{family}', which is not supported; "
            f"supported types: {', '.join(FAMILIES)}."
        )
    processor = directory / "processor_config.json"  # newer directories keep the image processor in it
    nested = processor.is_file() and "image_processor" in read_object(directory, processor.name)
    for needed in ("tokenizer_config.json", *(() if nested else ("preprocessor_config.json",))):
        if not (directory / needed).is_file():
            raise ModelError(f"'{directory.name}' has no {needed}; copy the whole model directory.")
    _check_weights(directory)
    return config


def _directory(model: str) -> Path:
    if model == "nano":
        return NANO
    path = Path(model).expanduser()
    if path.is_dir():
        return path
    if path.exists():
        raise ModelError(f"'{model}' is a file; give the model's directory.")
    if model.count("/") != 1 or model.startswith((".", "/", "~")):
        raise ModelError(
            f"There is no model directory '{model}'; give a directory, a hub id 'owner/name', or 'nano'."
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model, allow_patterns=list(DOWNLOADED)))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError) as error:
        raise ModelError(
            f"'{model}' is neither a local directory nor a hub model that can be downloaded now "
            f"({type(error).__name__}); check the name and the network, or use --model nano."
        ) from error


def _check_weights(directory: Path) -> None:
    from safetensors import SafetensorError, safe_open

    files = sorted(directory.glob("*.safetensors"))
    if not files:
        raise ModelError(
            f"'{directory.name}' has no *.safetensors file; other weight formats can run code and are not loaded."
        )
    if (directory / "model.safetensors.index.json").is_file():
        index = read_object(directory, "model.safetensors.index.json")
        named = set(map(str, dict(index.get("weight_map", {})).values()))
        if absent := sorted(named - {file.name for file in files}):
            raise ModelError(f"'{directory.name}' lacks the weight file {absent[0]}; copy the model again.")
    for file in files:
        try:
            with safe_open(str(file), framework="pt"):
                pass
        except (SafetensorError, OSError) as error:
            raise ModelError(f"{file.name} in '{directory.name}' is truncated or broken; copy it again.") from error


def chosen_device(device: str) -> torch.device:
    """The device of that name; 'auto' is a GPU if there is one.

    Raises:
        ConfigError: there is no such device.
    """
    import torch

    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise ConfigError(f"Unknown device '{device}'; use auto, cpu, cuda or cuda:N.") from error
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"Device '{device}' was asked for but no CUDA device is available; use --device cpu.")
    return chosen


def _family_class(directory: Path, config: dict[str, Any]) -> Any:
    family = FAMILIES.get(str(config["model_type"]))
    text = config.get("text_config")
    if (why := family.unsupported(text if isinstance(text, dict) else config)) is not None:
        raise ModelError(f"The model in '{directory.name}' cannot be supported: {why}; use another model.")
    return family


def _use_chat_template(directory: Path, tokenizer: Any) -> None:
    """Take the template of the model's processor where it has its own: the tokenizer's may know text only."""
    for name in ("processor_config.json", "chat_template.json"):
        template = read_object(directory, name).get("chat_template") if (directory / name).is_file() else None
        if isinstance(template, str):
            tokenizer.chat_template = template
            return
    if tokenizer.chat_template is None:
        raise ModelError(f"'{directory.name}' has no chat template; use an instruction-tuned model.")


def _build(
    name: str, directory: Path, config: dict[str, Any], device: torch.device, dtype: str
) -> TransformersBackbone:
    import torch
    import transformers
    from transformers import AutoImageProcessor, AutoTokenizer

    from reason_iad.schema import ModelVersion

    backbone_class = _family_class(directory, config)
    kind = dtype if dtype != "auto" else ("bfloat16" if device.type == "cuda" else "float32")
    local: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        tokenizer = AutoTokenizer.from_pretrained(directory, **local)
        processor = AutoImageProcessor.from_pretrained(directory, **local)  # type: ignore[no-untyped-call]
        model, info = getattr(transformers, backbone_class.model_class).from_pretrained(
            directory, dtype=getattr(torch, kind), use_safetensors=True, output_loading_info=True, **local
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError, ImportError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(f"The model in '{directory.name}' cannot be loaded: {reason}") from error
    if info["missing_keys"]:
        key = sorted(map(str, info["missing_keys"]))[0]
        raise ModelError(f"The weights in '{directory.name}' lack '{key}'; copy the model again.")
    _use_chat_template(directory, tokenizer)
    family = str(config["model_type"])
    version = ModelVersion(
        name=name, family=family, sha256=model_sha256(directory), encoder_sha256=encoder_sha256(directory),
        device=str(device), dtype=kind,
    )  # fmt: skip
    with FAMILIES.running(family):
        backbone: TransformersBackbone = backbone_class(model.to(device), tokenizer, processor, version)
    backbone.directory = directory
    return backbone
