"""Attention of many short suffixes over one long prefix that is never copied.

A registered attention function replaces the decoder's own while a `SuffixPlan` is passed down. The B suffixes of a
step share one prefix: its keys are read once for all of them, by folding candidates and grouped query heads into
the rows of one matrix product. The softmax spans [prefix | own suffix]; only suffix rows exist, so the attention of
the latents over the image is a slice of numbers that were needed anyway. Everything is differentiable.

Without a plan the function is ordinary causal attention, which is what the prefill of a prompt needs. Sliding
windows and blocks that see themselves whole are applied exactly; sinks and capped scores are refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from reason_iad.errors import ModelError

NAME = "reason_iad_suffix"
"""Name under which the function is registered with transformers."""

Layers = tuple[tuple[torch.Tensor, torch.Tensor], ...]


class KeyValues:
    """The keys and values of the tokens being run, per layer; grows when more tokens follow.

    Stands where transformers expects a cache: the decoder layers only call `update`.
    """

    def __init__(self) -> None:
        self.layers: list[tuple[torch.Tensor, torch.Tensor]] = []

    def update(
        self, key: torch.Tensor, value: torch.Tensor, layer_idx: int, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append this call's keys and values, (B, key-value heads, T, head size); return all so far."""
        if layer_idx == len(self.layers):
            self.layers.append((key, value))
        else:
            past_key, past_value = self.layers[layer_idx]
            self.layers[layer_idx] = (torch.cat((past_key, key), -2), torch.cat((past_value, value), -2))
        return self.layers[layer_idx]

    def all_layers(self) -> Layers:
        """Per decoder layer."""
        return tuple(self.layers)

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Number of own tokens so far."""
        return int(self.layers[layer_idx][0].shape[-2]) if layer_idx < len(self.layers) else 0


@dataclass(slots=True)
class SuffixPlan:
    """What the attention function needs to know about one suffix evaluation.

    Attributes:
        prefix: shared keys and values, per layer (1, key-value heads, P, head size).
        rows: suffix rows whose attention over the image is wanted.
        image: half-open range of the image tokens in the prefix.
        capture_layers: decoder layers over which it is averaged.
        heads: heads over which it is averaged; None: all.
        captured: running sum of the attention, (B, len(rows), n).
    """

    prefix: Layers
    rows: tuple[int, ...] = ()
    image: tuple[int, int] = (0, 0)
    capture_layers: frozenset[int] = frozenset()
    heads: tuple[int, ...] | None = None
    captured: torch.Tensor | None = field(default=None)

    def mean_attention(self) -> torch.Tensor | None:
        """(B, len(rows), n), averaged over heads and the chosen layers."""
        return None if self.captured is None else self.captured / len(self.capture_layers)


def suffix_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    plan: SuffixPlan | None = None,
    sliding_window: int | None = None,
    blocks: tuple[tuple[int, int], ...] = (),
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Attention over [shared prefix | own suffix]; plain causal attention without a plan.

    Args:
        module: the attention layer (gives `layer_idx`).
        query: (B, heads, T, head size).
        key, value: (B, key-value heads, S, head size), S >= T own tokens so far.
        attention_mask: must be None: causality is applied here.
        scaling: factor on the scores; None: one over the root of the head size.
        dropout: ignored (the model is frozen).
        plan: see `SuffixPlan`.
        sliding_window: a token sees itself and the `sliding_window - 1` tokens before it; None: all.
        blocks: half-open ranges (images) whose tokens also see the later tokens of their range; prefill only.
        kwargs: refused where they would change the result.

    Returns:
        (B, T, heads, head size), and None in place of the full attention matrix, which never exists.
    """
    del attention_mask, dropout
    for unknown in ("s_aux", "softcap"):  # attention sinks, capped scores
        if kwargs.get(unknown) is not None:
            raise ModelError(f"The model's attention uses '{unknown}', which is not supported; use another model.")
    batch, heads, length, size = query.shape
    kv_heads, own = key.shape[1], key.shape[2]
    scale = size**-0.5 if scaling is None else scaling
    if plan is None:
        windowed = sliding_window is not None and own > sliding_window
        mask = visible(length, query.device, sliding_window, blocks) if windowed or blocks else None
        out = torch.nn.functional.scaled_dot_product_attention(
            query, key, value, mask, is_causal=mask is None and length > 1, scale=scale,
            enable_gqa=heads != kv_heads,
        )  # fmt: skip
        return out.transpose(1, 2), None

    layer = int(module.layer_idx)  # type: ignore[arg-type]
    prefix_key, prefix_value = plan.prefix[layer]
    groups = heads // kv_heads
    grouped = query.reshape(batch, kv_heads, groups * length, size).transpose(0, 1)  # (KH, B, G*T, D)
    rows = grouped.reshape(kv_heads, batch * groups * length, size)
    past = torch.matmul(rows, prefix_key[0].transpose(-1, -2))  # (KH, B*G*T, P)
    past = past.view(kv_heads, batch, groups, length, -1)
    recent = torch.matmul(grouped, key.transpose(0, 1).transpose(-1, -2))  # (KH, B, G*T, S)
    recent = recent.view(kv_heads, batch, groups, length, own)
    if length > 1:
        future = torch.ones(length, own, dtype=torch.bool, device=query.device).triu(own - length + 1)
        recent = recent.masked_fill(future, float("-inf"))
    if sliding_window is not None and prefix_key.shape[-2] + own > sliding_window:
        first = prefix_key.shape[-2] + own - length - sliding_window + 1  # oldest token row 0 still sees
        oldest = torch.arange(first, first + length, device=query.device)[:, None]
        at = torch.arange(prefix_key.shape[-2] + own, device=query.device)
        past = past.masked_fill(at[: past.shape[-1]] < oldest, float("-inf"))
        recent = recent.masked_fill(at[past.shape[-1] :] < oldest, float("-inf"))
    weights = torch.cat((past, recent), -1).mul_(scale).softmax(-1, dtype=torch.float32)
    width = past.shape[-1]
    if plan.rows and layer in plan.capture_layers:
        start, stop = plan.image
        rows_seen = weights[:, :, :, list(plan.rows), start:stop].transpose(0, 1).flatten(1, 2)  # (B, heads, L, n)
        seen = (rows_seen if plan.heads is None else rows_seen[:, list(plan.heads)]).mean(1)  # (B, L, n)
        plan.captured = seen if plan.captured is None else plan.captured + seen
    weights = weights.to(value.dtype)
    flat = weights[..., :width].reshape(kv_heads, batch * groups * length, width)
    out = torch.matmul(flat, prefix_value[0]).view(kv_heads, batch, groups * length, size)
    own_weights = weights[..., width:].reshape(kv_heads, batch, groups * length, own)
    out = out + torch.matmul(own_weights, value.transpose(0, 1))
    out = out.view(kv_heads, batch, groups, length, size).permute(1, 3, 0, 2, 4)  # (B, T, KH, G, D)
    return out.reshape(batch, length, heads, size), None


def visible(
    length: int, device: torch.device, window: int | None = None, blocks: tuple[tuple[int, int], ...] = ()
) -> torch.Tensor:
    """Which tokens of a prompt see which, (T, T) bool: (earlier or of the same block) and within the window."""
    at = torch.arange(length, device=device)
    seen = at[None] <= at[:, None]
    for start, stop in blocks:
        seen[start:stop, start:stop] = True
    return seen if window is None else seen & (at[None] > at[:, None] - window)


def register() -> None:
    """Make the function known to transformers (idempotent)."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, suffix_attention)
