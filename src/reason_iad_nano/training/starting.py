"""Going on from a packaged model: its weights and its tokenizer, with new heads.

Training heads are not packaged. They start anew, and the weights wait until the heads have learnt to read them: the
gradients of untrained heads would only shake what is there.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from reason_iad.errors import ConfigError

if TYPE_CHECKING:
    from transformers import Qwen2_5_VLForConditionalGeneration

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")


def start_from(name: str, model: Qwen2_5_VLForConditionalGeneration, tokenizer: Path) -> None:
    """Put the weights of a packaged model into `model`, and its tokenizer into a folder.

    Args:
        name: 'nano' or a model directory.
        model: of the shape that will be trained.
        tokenizer: folder of the run's tokenizer; made here.

    Raises:
        ModelError: the package cannot be read.
        ConfigError: its model has another shape.
    """
    from reason_iad.backbones.loading import load_backbone
    from reason_iad.backbones.qwen2_5_vl import Qwen25VL

    packaged = load_backbone(name, device="cpu", dtype="float32")
    if not isinstance(packaged, Qwen25VL) or packaged.directory is None:
        raise ConfigError(f"'{name}' is no packaged nano; start from 'nano' or from the model of a training run.")
    try:
        model.load_state_dict(packaged.model.state_dict())
    except RuntimeError as error:
        raise ConfigError(f"'{name}' has another shape than the model to train; start from another one.") from error
    tokenizer.mkdir(parents=True, exist_ok=True)
    for file in TOKENIZER_FILES:
        shutil.copyfile(packaged.directory / file, tokenizer / file)
