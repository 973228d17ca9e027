"""Random models of the real class in chosen shapes: what is timed depends on shapes, not on weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from reason_iad.backbones.loading import NANO
from reason_iad.backbones.qwen2_5_vl import Qwen25VL
from reason_iad.schema import ModelVersion

PIXELS_PER_TOKEN = 28 * 28


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a Qwen2.5-VL."""

    width: int
    layers: int
    heads: int
    kv_heads: int
    feed_forward: int
    vision_width: int
    vision_layers: int
    vision_heads: int
    vision_feed_forward: int
    full_attention: tuple[int, ...]
    vocabulary: int = 2048


SHAPES: dict[str, Shape] = {
    "nano": Shape(192, 4, 4, 4, 512, 144, 3, 4, 384, (0, 1, 2)),
    "80m": Shape(640, 12, 10, 2, 2048, 320, 6, 5, 1280, (2, 5)),
    "qwen2.5-vl-7b": Shape(3584, 28, 28, 4, 18944, 1280, 32, 16, 3420, (7, 15, 23, 31), 152064),
}


def build(shape_name: str, device: torch.device, dtype: torch.dtype, visual_tokens: int) -> Qwen25VL:
    """A random model, made on the device; every image becomes exactly `visual_tokens` tokens."""
    from transformers import AutoImageProcessor, AutoTokenizer, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    shape = SHAPES[shape_name]
    tokenizer = AutoTokenizer.from_pretrained(NANO)
    processor = AutoImageProcessor.from_pretrained(NANO)
    pixels = visual_tokens * PIXELS_PER_TOKEN
    processor.size = {"shortest_edge": pixels, "longest_edge": pixels}
    head = shape.width // shape.heads
    rotary: dict[str, Any] = {
        "rope_type": "default", "rope_theta": 1e6,
        "mrope_section": [head // 2 - 2 * (head * 3 // 16), head * 3 // 16, head * 3 // 16],
    }  # fmt: skip
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": max(shape.vocabulary, len(tokenizer)), "hidden_size": shape.width,
            "intermediate_size": shape.feed_forward, "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads, "num_key_value_heads": shape.kv_heads,
            "max_position_embeddings": 32768, "rope_parameters": rotary, "bos_token_id": None,
            "eos_token_id": None,
        },
        vision_config={
            "depth": shape.vision_layers, "hidden_size": shape.vision_width, "num_heads": shape.vision_heads,
            "intermediate_size": shape.vision_feed_forward, "out_hidden_size": shape.width, "window_size": 112,
            "fullatt_block_indexes": list(shape.full_attention),
        },
        image_token_id=tokenizer.convert_tokens_to_ids("<|image_pad|>"),
        video_token_id=tokenizer.convert_tokens_to_ids("<|video_pad|>"),
        vision_start_token_id=tokenizer.convert_tokens_to_ids("<|vision_start|>"),
        vision_end_token_id=tokenizer.convert_tokens_to_ids("<|vision_end|>"),
    )  # fmt: skip
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with device:
            model = Qwen2_5_VLForConditionalGeneration(config)
    finally:
        torch.set_default_dtype(before)
    version = ModelVersion(
        name=shape_name, family="qwen2_5_vl", sha256="0" * 64, device=str(device), dtype=str(dtype)[6:]
    )
    return Qwen25VL(model, tokenizer, processor, version)
