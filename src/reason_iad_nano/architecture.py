"""The shape of nano: a real `Qwen2_5_VLForConditionalGeneration`, about four million parameters.

Two things are not scaled-down copies of the large model. The axes of the decoder's M-RoPE take turns, frequency by
frequency, as they do in Qwen3-VL (the class takes any list of sections). In blocks, and with small heads, height
and width get angles too small to tell the places of a 6 x 6 grid apart, unless the base is lowered to 20 or so; but
then every pair of channels turns within a sentence, and text far behind is found by its distance instead of by what
it says: names are looked up in the knowledge much later. And every block of the tower attends to the whole image:
at the sizes of nano there is little to save with windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import Qwen2_5_VLForConditionalGeneration

PATCH = 14
MERGE = 2
TEMPORAL = 2
CELL = PATCH * MERGE  # pixels of an image token, each way


@dataclass(frozen=True, slots=True)
class NanoConfig:
    """Sizes of the model. The defaults are the packaged ones; tests use smaller ones.

    Attributes:
        vocab_size: entries of the tokenizer.
        vision_width, vision_depth, vision_heads, vision_mlp: the tower.
        width, depth, heads, key_value_heads, mlp: the decoder.
        rope_theta: rotary base of the decoder.
        mrope_section: frequencies for time, height, width, time, ... in half a head; they sum to width / heads / 2.
        context: longest prompt, in tokens.
    """

    vocab_size: int = 2048
    vision_width: int = 144
    vision_depth: int = 4
    vision_heads: int = 4
    vision_mlp: int = 384
    width: int = 192
    depth: int = 6
    heads: int = 4
    key_value_heads: int = 2
    mlp: int = 512
    rope_theta: float = 10_000.0
    mrope_section: tuple[int, ...] = (1,) * 24
    context: int = 4096


def hub_config(config: NanoConfig, special: dict[str, int]) -> dict[str, Any]:
    """Keyword arguments of the hub's configuration class.

    Args:
        config: the sizes.
        special: ids of the control tokens, by their text.
    """
    end, stop = special["<|endoftext|>"], special["<|im_end|>"]
    return {
        "text_config": {
            "vocab_size": config.vocab_size,
            "hidden_size": config.width,
            "intermediate_size": config.mlp,
            "num_hidden_layers": config.depth,
            "num_attention_heads": config.heads,
            "num_key_value_heads": config.key_value_heads,
            "max_position_embeddings": config.context,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": config.rope_theta,
                "mrope_section": list(config.mrope_section),
            },
            "tie_word_embeddings": True,
            "bos_token_id": end,
            "eos_token_id": stop,
            "pad_token_id": end,
        },
        "vision_config": {
            "depth": config.vision_depth,
            "hidden_size": config.vision_width,
            "intermediate_size": config.vision_mlp,
            "num_heads": config.vision_heads,
            "out_hidden_size": config.width,
            "patch_size": PATCH,
            "spatial_merge_size": MERGE,
            "temporal_patch_size": TEMPORAL,
            "fullatt_block_indexes": list(range(config.vision_depth)),
        },
        "image_token_id": special["<|image_pad|>"],
        "video_token_id": special["<|video_pad|>"],
        "vision_start_token_id": special["<|vision_start|>"],
        "vision_end_token_id": special["<|vision_end|>"],
        "tie_word_embeddings": True,
    }


def build_model(config: NanoConfig, special: dict[str, int]) -> Qwen2_5_VLForConditionalGeneration:
    """A model with random weights, in float32.

    The draw follows torch's global random state; seed it first.
    """
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    hub = Qwen2_5_VLConfig(**hub_config(config, special))
    hub._attn_implementation = "sdpa"
    model: Any = Qwen2_5_VLForConditionalGeneration(hub)
    float32: Qwen2_5_VLForConditionalGeneration = model.float()
    return float32
