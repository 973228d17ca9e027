"""The vision tower, for a batch of images of one size.

The class's own forward runs attention image by image, which on a CPU costs more than the arithmetic. `encode` is
the same function over the same weights with a batch axis (a test holds them equal); it serves training
only, inference calls the class.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from reason_iad_nano.architecture import CELL, MERGE, PATCH

if TYPE_CHECKING:
    from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VisionTransformerPretrainedModel

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
"""Per-channel statistics that the hub's Qwen2.5-VL image processor subtracts and divides by."""


def patchify(images: Tensor) -> Tensor:
    """Pixels in the order in which the image processor writes patches: merged 2 x 2 cells together.

    Args:
        images: (B, S, S, 3) uint8, S a multiple of 28.

    Returns:
        (B, (S / 14)^2, 588) float32, normalised; one frame (the second, temporal one is its copy).
    """
    batch, height, width, _ = images.shape
    mean = torch.tensor(MEAN, device=images.device)
    std = torch.tensor(STD, device=images.device)
    pixels = (images.float() / 255 - mean) / std
    rows, columns = height // CELL, width // CELL
    pixels = pixels.reshape(batch, rows, MERGE, PATCH, columns, MERGE, PATCH, 3)
    pixels = pixels.permute(0, 1, 4, 2, 5, 7, 3, 6)  # (B, rows, columns, 2, 2, 3, 14, 14)
    return pixels.reshape(batch, rows * columns * MERGE * MERGE, 3 * PATCH * PATCH)


def patch_positions(rows: int, columns: int) -> Tensor:
    """(2, N) height and width of each patch in processor order, for a grid of merged cells."""
    y = torch.arange(rows * MERGE).view(rows, 1, MERGE, 1).expand(rows, columns, MERGE, MERGE)
    x = torch.arange(columns * MERGE).view(1, columns, 1, MERGE).expand(rows, columns, MERGE, MERGE)
    return torch.stack([y.reshape(-1), x.reshape(-1)])


def _rotate(states: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding of (B, heads, N, D) by (N, D) tables."""
    first, second = states.chunk(2, dim=-1)
    return states * cos + torch.cat((-second, first), dim=-1) * sin


def _block(block: Any, hidden: Tensor, cos: Tensor, sin: Tensor, heads: int) -> Tensor:
    """One layer of the tower on (B, N, c)."""
    normed = block.norm1(hidden)
    q, k, v = block.attn.qkv(normed).view(*hidden.shape[:2], 3, heads, -1).permute(2, 0, 3, 1, 4)
    # Plain products: on a CPU the backward of the fused kernel takes five times as long at this size.
    scores = (_rotate(q, cos, sin) * block.attn.scaling).to(v.dtype) @ _rotate(k, cos, sin).to(v.dtype).mT
    mixed = scores.softmax(-1).to(v.dtype) @ v
    hidden = hidden + block.attn.proj(mixed.transpose(1, 2).flatten(2))
    result: Tensor = hidden + block.mlp(block.norm2(hidden))
    return result


@cache
def _compiled_block() -> Callable[..., Tensor]:
    compiled: Callable[..., Tensor] = torch.compile(_block, dynamic=False)
    return compiled


def encode(
    visual: Qwen2_5_VisionTransformerPretrainedModel, images: Tensor, *, compile_layers: bool = False
) -> Tensor:
    """Merged and projected tokens of a batch of images.

    Args:
        visual: the tower of the model.
        images: (B, S, S, 3) uint8, S a multiple of 28.
        compile_layers: run the layers compiled, once for every shape of batch: a third faster on a CPU.

    Returns:
        (B, (S / 28)^2, d): exactly the rows the decoder reads, row-major.
    """
    batch, height, width, _ = images.shape
    heads = visual.config.num_heads
    weight = visual.patch_embed.proj.weight.sum(2)  # both frames of a still image are equal
    hidden = F.linear(patchify(images), weight.reshape(weight.shape[0], -1)).float()  # (B, N, c)
    positions = patch_positions(height // CELL, width // CELL).to(images.device)
    inverse = visual_frequencies(hidden.shape[-1] // heads, images.device)
    angles = (positions[..., None].float() * inverse).transpose(0, 1).flatten(1)  # (N, D / 2)
    angles = torch.cat((angles, angles), dim=-1)
    cos, sin = angles.cos(), angles.sin()
    run = _compiled_block() if compile_layers else _block
    for block in visual.blocks:
        hidden = run(block, hidden, cos, sin, heads)
    merged = visual.merger.ln_q(hidden).view(batch, -1, hidden.shape[-1] * MERGE * MERGE)
    tokens: Tensor = visual.merger.mlp(merged)
    return tokens


def visual_frequencies(head: int, device: torch.device) -> Tensor:
    """Inverse frequencies of the tower's axial rotary embedding (base 10,000, half a head per axis)."""
    half = head // 2
    return 1.0 / (10_000.0 ** (torch.arange(0, half, 2, dtype=torch.float, device=device) / half))
