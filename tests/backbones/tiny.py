"""Tiny random models of real transformers classes, saved in the layout of a hub directory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.content is string %}{{ m.content }}{% else %}{% for c in m.content %}"
    "{% if c.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ c.text }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIALS = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>",
    "<|vision_end|>", "<|image_pad|>", "<|video_pad|>",
]  # fmt: skip


def byte_tokenizer(
    specials: Sequence[str] = SPECIALS, template: str | None = CHATML, eos: str = "<|im_end|>"
) -> Any:
    """A byte-level tokenizer with one merge per answer letter and the space before it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("\u0120", letter) for letter in "ABCDEFGHI"]
    vocabulary = [*alphabet, *("".join(pair) for pair in merges)]
    core = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(vocabulary)}, merges=merges))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token=eos, pad_token=specials[0], additional_special_tokens=list(specials)
    )
    tokenizer.chat_template = template
    return tokenizer


TEXT = {
    "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 4, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 2048, "bos_token_id": None, "initializer_range": 0.2,
}  # fmt: skip
MROPE = {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]}}
PIXELS = {
    "patch_size": 14, "temporal_patch_size": 2, "merge_size": 2, "min_pixels": 56 * 56, "max_pixels": 168 * 168,
    "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711],
}  # fmt: skip


def save(directory: Path, model: Any, tokenizer: Any, processor: str, pixels: dict[str, Any]) -> Path:
    """Write a model in the layout of the hub: `processor` is the prefix of its processor classes."""
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    named = {"processor_class": f"{processor}Processor"}
    (directory / "preprocessor_config.json").write_text(json.dumps(pixels | named))
    (directory / "processor_config.json").write_text(json.dumps(named))
    return directory


def qwen_ids(tokenizer: Any) -> dict[str, int]:
    """The ids a Qwen-VL config names."""
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIALS}
    return {
        "image_token_id": ids["<|image_pad|>"], "video_token_id": ids["<|video_pad|>"],
        "vision_start_token_id": ids["<|vision_start|>"], "vision_end_token_id": ids["<|vision_end|>"],
    }  # fmt: skip


def qwen2_5_vl(directory: Path, seed: int = 0) -> Path:
    """Save a tiny random Qwen2.5-VL whose config files name the hub's classes."""
    import torch
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    tokenizer = byte_tokenizer()
    own = {"vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id}
    config = Qwen2_5_VLConfig(
        text_config=TEXT | MROPE | own,
        vision_config={
            "depth": 2, "hidden_size": 32, "intermediate_size": 48, "num_heads": 2, "out_hidden_size": 64,
            "window_size": 56, "fullatt_block_indexes": [1], "initializer_range": 0.2,
        },
        **qwen_ids(tokenizer),
    )  # fmt: skip
    torch.manual_seed(seed)
    model = Qwen2_5_VLForConditionalGeneration(config)
    pixels = PIXELS | {"image_processor_type": "Qwen2VLImageProcessor"}
    return save(directory, model, tokenizer, "Qwen2_5_VL", pixels)


def qwen2_vl(directory: Path, seed: int = 0) -> Path:
    """Save a tiny random Qwen2-VL, with a sliding window in every other layer."""
    import torch
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

    tokenizer = byte_tokenizer()
    own = {"vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id}
    kinds = ["sliding_attention", "full_attention"] * 2
    window = {"use_sliding_window": True, "sliding_window": 24, "layer_types": kinds}
    config = Qwen2VLConfig(
        text_config=TEXT | MROPE | own | window,
        vision_config={
            "depth": 2, "embed_dim": 32, "hidden_size": 64, "mlp_ratio": 2, "num_heads": 2,
            "initializer_range": 0.2,
        },
        **qwen_ids(tokenizer),
    )  # fmt: skip
    torch.manual_seed(seed)
    model = Qwen2VLForConditionalGeneration(config)
    return save(directory, model, tokenizer, "Qwen2VL", PIXELS | {"image_processor_type": "Qwen2VLImageProcessor"})


QWEN3_TOWER = {
    "depth": 3, "hidden_size": 32, "intermediate_size": 48, "num_heads": 2, "out_hidden_size": 64,
    "num_position_embeddings": 64, "initializer_range": 0.2,
}  # fmt: skip
QWEN3_PIXELS = {
    "image_processor_type": "Qwen2VLImageProcessorFast",
    "patch_size": 16, "temporal_patch_size": 2, "merge_size": 2,
    "size": {"shortest_edge": 64 * 64, "longest_edge": 192 * 192},
    "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
}  # fmt: skip


def qwen3_vl(directory: Path, seed: int = 0) -> Path:
    """Save a tiny random Qwen3-VL with two deep-stack layers."""
    import torch
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    tokenizer = byte_tokenizer()
    own = {"vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id, "head_dim": 16}
    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [4, 2, 2], "mrope_interleaved": True}
    config = Qwen3VLConfig(
        text_config=TEXT | own | {"rope_parameters": rope},
        vision_config=QWEN3_TOWER | {"deepstack_visual_indexes": [0, 1]},
        **qwen_ids(tokenizer),
    )
    torch.manual_seed(seed)
    return save(directory, Qwen3VLForConditionalGeneration(config), tokenizer, "Qwen3VL", QWEN3_PIXELS)


def qwen3_5(directory: Path, seed: int = 0) -> Path:
    """Save a tiny random Qwen3.5: linear attention, and full attention in two layers of six."""
    import torch
    from transformers import Qwen3_5Config, Qwen3_5ForConditionalGeneration

    tokenizer = byte_tokenizer()
    own = {
        "vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id, "head_dim": 32,
        "num_hidden_layers": 6, "layer_types": ["linear_attention", "linear_attention", "full_attention"] * 2,
        "initializer_range": 0.1,
        "linear_key_head_dim": 8, "linear_value_head_dim": 8, "linear_num_key_heads": 2,
        "linear_num_value_heads": 4,
        "rope_parameters": {
            "rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5,
            "mrope_section": [4, 2, 2], "mrope_interleaved": True,
        },
    }  # fmt: skip
    config = Qwen3_5Config(text_config=TEXT | own, vision_config=QWEN3_TOWER, **qwen_ids(tokenizer))
    torch.manual_seed(seed)
    return save(directory, Qwen3_5ForConditionalGeneration(config), tokenizer, "Qwen3VL", QWEN3_PIXELS)


def glm4v(directory: Path, seed: int = 0) -> Path:
    """Save a tiny random GLM-4.1V."""
    import torch
    from transformers import Glm4vConfig, Glm4vForConditionalGeneration

    specials = ["<|endoftext|>", "<|user|>", "<|begin_of_image|>", "<|image|>", "<|end_of_image|>", "<|video|>"]
    chat = (
        "[gMASK]<sop>{% for m in messages %}<|{{ m.role }}|>\n{% for c in m.content %}"
        "{% if c.type == 'image' %}<|begin_of_image|><|image|><|end_of_image|>{% else %}{{ c.text }}{% endif %}"
        "{% endfor %}{% endfor %}{% if add_generation_prompt %}<|assistant|>\n"
        "{% if enable_thinking is defined and not enable_thinking %}<think></think>\n{% endif %}{% endif %}"
    )
    tokenizer = byte_tokenizer(specials, chat, "<|endoftext|>")
    ids = dict(zip(specials, tokenizer.convert_tokens_to_ids(specials), strict=True))
    own = {"vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id}
    config = Glm4vConfig(
        text_config=TEXT | MROPE | own,
        vision_config={
            "depth": 2, "hidden_size": 32, "intermediate_size": 48, "num_heads": 2, "out_hidden_size": 64,
            "image_size": 112, "initializer_range": 0.2,
        },
        image_token_id=ids["<|image|>"], video_token_id=ids["<|video|>"],
        image_start_token_id=ids["<|begin_of_image|>"], image_end_token_id=ids["<|end_of_image|>"],
    )  # fmt: skip
    torch.manual_seed(seed)
    model = Glm4vForConditionalGeneration(config)
    size = {"shortest_edge": 2 * 56 * 56, "longest_edge": 2 * 168 * 168}
    pixels = PIXELS | {"image_processor_type": "Glm4vImageProcessor", "size": size}
    return save(directory, model, tokenizer, "Glm4v", pixels)
