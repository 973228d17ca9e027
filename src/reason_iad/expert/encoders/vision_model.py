"""Any vision model of transformers as an encoder: DINOv2, DINOv3, SigLIP, ConvNeXt, Swin, ResNet and their like.

A model directory is hostile input: only safetensors are read, and no code from it runs. Pictures are scaled and
normalised here, by the numbers in its preprocessor_config.json. What the model's own image processor would cut off
at the sides stays in. No torchvision is needed.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from reason_iad.errors import ConfigError, ModelError
from reason_iad.expert.encoders.base import FeatureMap
from reason_iad.expert.encoders.model_directory import check_directory, find_directory, read_preparation
from reason_iad.expert.encoders.pictures import Preparation, encode_batched

if TYPE_CHECKING:
    import torch
    from PIL import Image

ANY_SHAPE = frozenset(
    {
        "convnext",
        "convnextv2",
        "dinov2",
        "dinov2_with_registers",
        "dinov3_convnext",
        "dinov3_vit",
        "regnet",
        "resnet",
    }
)
"""Model types that take pictures of any shape without being asked to. Others have to offer to interpolate their
positions, or get every picture as a square of the size that they were trained with."""
DEPTHS = 3
"""So many maps at most: of a network that narrows step by step the last ones, of others after each third."""
UNUSED = ("pooler", "head", "classifier", "mask_token")
"""Parts of a model that features do not pass through: a checkpoint may lack them."""
REVISION = 1
"""Part of the hash; raised whenever the code gives other features for the same weights."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A loaded model.

    Attributes:
        name: of its directory, or its hub id.
        network: the model of transformers, in float32.
        arguments: what it is called with besides the pixels.
        sha256: of weights, configuration and preparation.
        device: where it is.
        windows: layers of Swin with shift and size of their windows.
        turn: calls take turns, for they share the windows, and the hooks that collect what is inside the model.
    """

    name: str
    network: Any
    arguments: dict[str, bool]
    sha256: str
    device: str
    windows: tuple[tuple[Any, int, int], ...]
    turn: Lock = field(default_factory=Lock)


class VisionModelEncoder:
    """Maps at up to three depths. Class and register tokens are dropped. Threads may share it and take turns.

    Args:
        opened: the model.
        preparation: how pictures are scaled and normalised.
    """

    def __init__(self, opened: Opened, preparation: Preparation) -> None:
        self._opened, self._preparation = opened, preparation
        self.name, self.stride = opened.name, preparation.stride
        self.sha256 = hashlib.sha256(f"{opened.sha256} {REVISION} {preparation}".encode()).hexdigest()

    def encode(self, images: Sequence[Image.Image]) -> list[tuple[FeatureMap, ...]]:
        """Up to three maps per image. Images of equal size are encoded together."""
        return encode_batched(images, self._preparation, self._maps, self._opened.device)

    def with_size(self, size: int | None) -> VisionModelEncoder:
        """The same with other numbers of pixels; None: pictures are not scaled.

        Raises:
            ConfigError: the model takes only squares of one size.
        """
        if self._preparation.square and size != self._preparation.size:
            side = self._preparation.size
            raise ConfigError(
                f"The vision model '{self.name}' takes only pictures of {side} x {side} pixels; choose another "
                "model for other sizes and for tiles."
            )
        return VisionModelEncoder(self._opened, replace(self._preparation, size=size))

    def _maps(self, batch: torch.Tensor) -> list[torch.Tensor]:
        """(b, 3, h, w) to maps (b, c, rows, columns), the deepest last."""
        with self._opened.turn:
            for layer, shift, window in self._opened.windows:
                layer.shift_size, layer.window_size = shift, window
            seen = self._opened.network(
                pixel_values=batch, output_hidden_states=True, return_dict=True, **self._opened.arguments
            )
        states = getattr(seen, "reshaped_hidden_states", None) or seen.hidden_states
        if states and states[-1].ndim == 4:
            last_of = {tuple(state.shape[-2:]): state for state in states}  # the last one of each resolution
            return list(last_of.values())[-DEPTHS:]
        rows, columns = (side // self.stride for side in batch.shape[-2:])
        layers = len(states) - 1  # the first is what goes into the first layer
        chosen = [states[layers * third // DEPTHS] for third in range(1, DEPTHS)] if layers >= DEPTHS else []
        return [self._grid(state, rows, columns) for state in (*chosen, seen.last_hidden_state)]

    def _grid(self, tokens: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
        """(b, extra + rows * columns, c) to (b, c, rows, columns): what comes before the patches is dropped."""
        extra = tokens.shape[1] - rows * columns
        known = 1 + int(getattr(self._opened.network.config, "num_register_tokens", 0))
        if tokens.ndim != 3 or not 0 <= extra <= known:
            raise ModelError(
                f"The vision model '{self.name}' does not give one feature per patch, so it cannot say where a "
                "part differs; use another model."
            )
        return tokens[:, extra:].transpose(1, 2).reshape(len(tokens), -1, rows, columns)


def open_vision_model(source: str, device: str = "cpu") -> VisionModelEncoder:
    """Load a vision model. Nothing is downloaded.

    Args:
        source: a directory, or the hub id of a model that was downloaded before.
        device: where it computes.

    Raises:
        ModelError: there is no such model, files are missing or broken, or it is no vision model.
    """
    directory = find_directory(source)
    if directory is None:
        raise ModelError(f"There is no directory '{source}', and no model of that name was downloaded before.")
    check_directory(directory)
    network = _loaded(directory).to(device)
    config, signature = network.config, inspect.signature(network.forward).parameters
    asks = "interpolate_pos_encoding" in signature
    square = not asks and config.model_type not in ANY_SHAPE
    size, mean, std = read_preparation(directory)
    if square and isinstance(own := getattr(config, "image_size", None), int):
        size = own
    stride = _stride(config)
    least = stride * int(getattr(config, "window_size", 0) or 1)  # a window must fit into the deepest map
    preparation = Preparation(size, stride, mean, std, least, square)
    opened = Opened(
        name=directory.name if Path(source).expanduser().is_dir() else source,
        network=network,
        arguments={"interpolate_pos_encoding": True} if asks else {},
        sha256=_sha256(directory),
        device=device,
        windows=_windows(network),
    )
    return VisionModelEncoder(opened, preparation)


def _loaded(directory: Path) -> Any:
    """The model in float32; of one that also reads text, the part that sees.

    Raises:
        ModelError: it cannot be loaded, is no vision model, or lacks weights.
    """
    import torch
    from transformers import AutoConfig, AutoModel
    from transformers.utils import logging

    local: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    before = logging.get_verbosity()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # else it lists the weights of the text part
    try:
        config = AutoConfig.from_pretrained(directory, **local)
        config = getattr(config, "vision_config", None) or config
        network, info = AutoModel.from_pretrained(
            directory, config=config, dtype=torch.float32, use_safetensors=True, output_loading_info=True, **local
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError, ImportError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(f"The vision model in '{directory.name}' cannot be loaded: {reason}") from error
    finally:
        logging.set_verbosity(before)
    if network.main_input_name != "pixel_values":
        raise ModelError(f"'{directory.name}' holds no vision model; give the directory of one.")
    lacking = sorted(str(key) for key in info["missing_keys"] if not set(str(key).split(".")) & set(UNUSED))
    if lacking:
        raise ModelError(f"The vision model in '{directory.name}' lacks the weights '{lacking[0]}'; copy it again.")
    return network.eval().requires_grad_(False)


def _stride(config: Any) -> int:
    """Pixels to a side of a cell of the deepest map."""
    patch = getattr(config, "patch_size", 4)  # of ResNet and its like: what the first two layers make of a picture
    patch = max(patch) if isinstance(patch, list | tuple) else int(patch)
    stages = getattr(config, "depths", None)
    return patch * 2 ** (len(stages) - 1) if stages else patch


def _windows(network: Any) -> tuple[tuple[Any, int, int], ...]:
    """The layers of Swin with shift and size of their windows.

    A small picture makes them smaller, for all pictures that follow. They are set before each call, so that what a
    picture gives does not depend on those before it.
    """
    layers = [each for each in network.modules() if hasattr(each, "shift_size") and hasattr(each, "window_size")]
    return tuple((layer, layer.shift_size, layer.window_size) for layer in layers)


def _sha256(directory: Path) -> str:
    """SHA-256 over the bytes of weights and configuration."""
    digest = hashlib.sha256()
    for path in sorted([*directory.glob("*.safetensors"), directory / "config.json"]):
        digest.update(f"{path.name}:{path.stat().st_size}".encode())
        with path.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()
