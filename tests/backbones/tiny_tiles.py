"""Tiny random models of the families with one square tile per image: 48 pixels a side, 6 x 6 tokens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.backbones.tiny import TEXT, byte_tokenizer, save

MEAN = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
SQUARE = MEAN | {"size": {"height": 48, "width": 48}}


def template(image: str, roles: str = "<|im_start|>{role}\n", end: str = "<|im_end|>\n", start: str = "") -> str:
    """A chat template with the given markup."""
    open_turn = roles.replace("{role}", "{{ m.role }}")
    return (
        start + "{% for m in messages %}" + open_turn + "{% for c in m.content %}"
        "{% if c.type == 'image' %}" + image + "{% else %}{{ c.text }}{% endif %}{% endfor %}" + end +
        "{% endfor %}"
        "{% if add_generation_prompt %}" + roles.replace("{role}", "assistant").rstrip(" ") + "{% endif %}"
    )  # fmt: skip


def text(kind: str, tokenizer: Any, **own: Any) -> dict[str, Any]:
    """The text part of a config."""
    ids = {"vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id, "pad_token_id": None}
    return {"model_type": kind} | TEXT | ids | own


def tower(patch: int, **own: Any) -> dict[str, Any]:
    """The vision part of a config."""
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    return sizes | {"image_size": 48, "patch_size": patch, "initializer_range": 0.2} | own


def tokens(specials: Sequence[str], template: str | None, image: str) -> tuple[Any, int]:
    """A tokenizer and the id of its image token."""
    tokenizer = byte_tokenizer(["<|endoftext|>", "<|im_start|>", "<|im_end|>", *specials], template)
    return tokenizer, tokenizer.convert_tokens_to_ids(image)


def internvl(directory: Path, seed: int = 0, kind: str = "qwen2") -> Path:
    """Save a tiny random InternVL on a kind of text model."""
    import torch
    from transformers import InternVLConfig, InternVLForConditionalGeneration

    image = "<IMG_CONTEXT>"
    tokenizer, index = tokens(["<img>", "</img>", image], template(image + "\n"), image)
    config = InternVLConfig(
        text_config=text(kind, tokenizer, head_dim=16), vision_config=tower(4, layer_scale_init_value=1.0),
        image_token_id=index, image_seq_length=36, tie_word_embeddings=False,
    )  # fmt: skip
    torch.manual_seed(seed)
    model = InternVLForConditionalGeneration(config)
    torch.nn.init.normal_(model.model.vision_tower.embeddings.position_embeddings, std=0.2)
    pixels = SQUARE | {"image_processor_type": "GotOcr2ImageProcessorFast", "crop_to_patches": True}
    return save(directory, model, tokenizer, "InternVL", pixels)


def llava_onevision(directory: Path, seed: int = 0) -> Path:
    """Save a tiny random LLaVA-OneVision; its template moves images to the front, as the hub's does."""
    import torch
    from transformers import LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration

    chat = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n"
        "{% for c in m.content if c.type == 'image' %}<image>{% endfor %}"
        "{% for c in m.content if c.type == 'text' %}\n{{ c.text }}{% endfor %}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    tokenizer, index = tokens(["<image>", "<video>"], chat, "<image>")
    pinpoints = [[48, 48], [48, 96], [96, 48], [96, 96]]
    config = LlavaOnevisionConfig(
        text_config=text("qwen2", tokenizer),
        vision_config={"model_type": "siglip_vision_model", "vision_use_head": False} | tower(8),
        image_token_index=index, video_token_index=index + 1, image_grid_pinpoints=pinpoints,
    )  # fmt: skip
    torch.manual_seed(seed)
    model = LlavaOnevisionForConditionalGeneration(config)
    pixels = SQUARE | {"image_processor_type": "LlavaOnevisionImageProcessor", "image_grid_pinpoints": pinpoints}
    return save(directory, model, tokenizer, "LlavaOnevision", pixels)


def idefics3(directory: Path, seed: int = 0) -> Path:
    """Save a tiny random Idefics3; its template is in the processor's own file."""
    from transformers import Idefics3Config, Idefics3ForConditionalGeneration

    return _idefics(directory, seed, Idefics3Config, Idefics3ForConditionalGeneration, "Idefics3")


def smolvlm(directory: Path, seed: int = 0) -> Path:
    """Save a tiny random SmolVLM."""
    from transformers import SmolVLMConfig, SmolVLMForConditionalGeneration

    return _idefics(directory, seed, SmolVLMConfig, SmolVLMForConditionalGeneration, "SmolVLM")


def _idefics(directory: Path, seed: int, config_class: Any, model_class: Any, name: str) -> Path:
    import torch

    specials = ["<fake_token_around_image>", "<global-img>", "<image>", "<end_of_utterance>"]
    tokenizer, index = tokens(specials, None, "<image>")
    config = config_class(
        text_config=text("llama", tokenizer), vision_config=tower(4), image_token_id=index, scale_factor=2
    )
    torch.manual_seed(seed)
    model = model_class(config)
    pixels = MEAN | {
        "image_processor_type": f"{name}ImageProcessor", "do_image_splitting": True,
        "size": {"longest_edge": 96}, "max_image_size": {"longest_edge": 48},
    }  # fmt: skip
    save(directory, model, tokenizer, name, pixels)
    chat = template("<image>", roles="{role}: ", end="<end_of_utterance>\n", start="<|im_start|>")
    (directory / "chat_template.json").write_text(json.dumps({"chat_template": chat}))
    return directory


def gemma3(directory: Path, seed: int = 0) -> Path:
    """Save a tiny random Gemma 3 whose window is shorter than an image."""
    import torch
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration

    specials = ["<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<image_soft_token>", "<end_of_image>"]
    chat = template("<start_of_image>", roles="<start_of_turn>{role}\n", end="<end_of_turn>\n")
    tokenizer, index = tokens(specials, chat, "<image_soft_token>")
    layers = ["sliding_attention", "sliding_attention", "full_attention", "sliding_attention"]
    config = Gemma3Config(
        text_config=text(
            "gemma3_text", tokenizer, head_dim=16, layer_types=layers, sliding_window=24, query_pre_attn_scalar=16,
            pad_token_id=0,
        ),
        vision_config={"model_type": "siglip_vision_model", "vision_use_head": False} | tower(4),
        image_token_index=index, mm_tokens_per_image=36,
    )  # fmt: skip
    torch.manual_seed(seed)
    model = Gemma3ForConditionalGeneration(config)
    torch.nn.init.normal_(model.model.multi_modal_projector.mm_input_projection_weight, std=0.5)
    pixels = SQUARE | {"image_processor_type": "Gemma3ImageProcessor", "image_seq_length": 36}
    return save(directory, model, tokenizer, "Gemma3", pixels)
