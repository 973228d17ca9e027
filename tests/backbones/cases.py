"""One tiny random model per family of the registry, what its own forward wants, and a prompt for all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tests.backbones import tiny, tiny_tiles

from reason_iad.backbones import Backbone
from reason_iad.inspection.prompts import build_head, build_prompt
from reason_iad.inspection.questions import detection_question

PROMPT = build_prompt(build_head((), 1, "pcb"), detection_question(), latents=True)


@dataclass(frozen=True)
class Case:
    """How to make a tiny model of a family, and what its own forward wants.

    Attributes:
        build: saves a tiny random model in a directory.
        types: name of the input that marks image tokens, if there is one.
        side: side of a square image that becomes a grid of 6 x 6 tokens.
    """

    build: Callable[[Path], Path]
    types: str | None = None
    side: int = 168

    def pixels(self, backbone: Any, images: list[Image.Image]) -> dict[str, torch.Tensor]:
        """What the model's own image processor feeds."""
        return dict(backbone.image_processor(images=images, return_tensors="pt"))

    def features(self, backbone: Any, pixels: dict[str, torch.Tensor]) -> list[torch.Tensor]:
        """The rows the model's own forward puts in the place of each image."""
        return list(backbone.model.model.get_image_features(**pixels).pooler_output)


@dataclass(frozen=True)
class TileCase(Case):
    """A family with one square tile of 48 pixels per image, made by an option of its image processor."""

    side: int = 48
    one_tile: tuple[str, ...] = ()

    def pixels(self, backbone: Any, images: list[Image.Image]) -> dict[str, torch.Tensor]:
        options = dict.fromkeys(self.one_tile, False)
        batch = dict(backbone.image_processor(images=images, return_tensors="pt", **options))
        return {name: value for name, value in batch.items() if name.startswith("pixel")}


class IdeficsCase(TileCase):
    """Images of one prompt are a list within a list, and their rows come as one."""

    def pixels(self, backbone: Any, images: list[Image.Image]) -> dict[str, torch.Tensor]:
        return super().pixels(backbone, [images])  # type: ignore[list-item]

    def features(self, backbone: Any, pixels: dict[str, torch.Tensor]) -> list[torch.Tensor]:
        (rows,) = super().features(backbone, pixels)
        return list(rows.chunk(pixels["pixel_values"].shape[1]))


class LlavaCase(TileCase):
    """Images are made square before the processor sees them, and are of one prompt."""

    def pixels(self, backbone: Any, images: list[Image.Image]) -> dict[str, torch.Tensor]:
        square = [image.resize((48, 48), Image.Resampling.BICUBIC) for image in images]
        return dict(backbone.image_processor(images=[square], return_tensors="pt"))


CASES = {
    "qwen2_5_vl": Case(tiny.qwen2_5_vl, types="mm_token_type_ids"),
    "qwen2_vl": Case(tiny.qwen2_vl, types="mm_token_type_ids"),
    "qwen3_vl": Case(tiny.qwen3_vl, types="mm_token_type_ids", side=192),
    "qwen3_5": Case(tiny.qwen3_5, types="mm_token_type_ids", side=192),
    "glm4v": Case(tiny.glm4v, types="mm_token_type_ids"),
    "internvl": TileCase(tiny_tiles.internvl, one_tile=("crop_to_patches",)),
    "internvl-qwen3": TileCase(partial(tiny_tiles.internvl, kind="qwen3"), one_tile=("crop_to_patches",)),
    "internvl-llama": TileCase(partial(tiny_tiles.internvl, kind="llama"), one_tile=("crop_to_patches",)),
    "llava_onevision": LlavaCase(tiny_tiles.llava_onevision),
    "idefics3": IdeficsCase(tiny_tiles.idefics3, one_tile=("do_image_splitting",)),
    "smolvlm": IdeficsCase(tiny_tiles.smolvlm, one_tile=("do_image_splitting",)),
    "gemma3": TileCase(tiny_tiles.gemma3, types="token_type_ids", one_tile=("do_pan_and_scan",)),
}


def picture(seed: int, width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 255, (height, width, 3), dtype=np.uint8))


def suffix_rows(backbone: Backbone, count: int, spread: float = 0.1) -> torch.Tensor:
    torch.manual_seed(0)
    rows = torch.cat((backbone.think_embedding().expand(4, -1), backbone.cue(PROMPT)))
    return rows + spread * torch.randn(count, *rows.shape)
