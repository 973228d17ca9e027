"""Attention of many short suffixes over one long prefix that is never copied.

A registered attention function replaces the decoder's own while a `SuffixPlan` is passed down. The B suffixes of a
step share one prefix, whose keys are read once for all of them (`shared_prefix.py`); only suffix rows exist.

Without a plan the function is ordinary causal attention, which is what the prefill of a prompt needs. Sliding
windows and blocks that see themselves whole are applied exactly; sinks and capped scores are refused.

The plan says which attention a pass gets, and every pass brings its own. So the model itself never changes, and
many threads can use it at once.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any

import torch

from reason_iad.backbones.shared_prefix import Layers, Pair, SuffixPlan, attend
from reason_iad.errors import ModelError

NAME = "reason_iad_suffix"
"""Name under which the function is registered with transformers."""


class KeyValues:
    """The keys and values of the tokens being run, per layer; grows when more tokens follow.

    Stands where transformers expects a cache: the decoder layers only call `update`.
    """

    def __init__(self) -> None:
        self.layers: list[Pair] = []

    def update(self, key: torch.Tensor, value: torch.Tensor, layer_idx: int, *_: Any, **__: Any) -> Pair:
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
class OwnPlan:
    """A whole sequence, run by the attention of the model's own code: slow, and obviously right.

    Attributes:
        rows: positions whose attention over the image is wanted.
        image: half-open range of the image tokens.
        capture_layers: decoder layers whose attention is kept.
        seen: for each of those layers, the weights (heads, len(rows), n).
    """

    rows: tuple[int, ...] = ()
    image: tuple[int, int] = (0, 0)
    capture_layers: frozenset[int] = frozenset()
    seen: dict[int, torch.Tensor] = field(default_factory=dict)

    def attend(
        self,
        module: torch.nn.Module,
        qkv: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
        hidden: torch.Tensor,
        **kwargs: Any,
    ) -> torch.Tensor:
        """(1, T, heads, head size) of one layer; `hidden` (T, T) is true where a token does not see another."""
        eager = sys.modules[type(module).__module__].eager_attention_forward
        dtype = qkv[0].dtype
        mask = hidden.to(dtype) * torch.finfo(dtype).min
        out: torch.Tensor
        out, weights = eager(module, *qkv, mask[None, None], **kwargs)
        layer = int(module.layer_idx)  # type: ignore[arg-type]
        if layer in self.capture_layers:
            self.seen[layer] = weights[0, :, list(self.rows), self.image[0] : self.image[1]].float()
        return out


def suffix_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    plan: SuffixPlan | OwnPlan | None = None,
    sliding_window: int | None = None,
    blocks: tuple[tuple[int, int], ...] = (),
    unread: int | None = None,
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
        plan: the prefix; None: there is none. With an `OwnPlan`, the model's own code does everything.
        sliding_window: a token sees itself and the `sliding_window - 1` tokens before it; None: all.
        blocks: half-open ranges (images) whose tokens also see the later tokens of their range; only where the
            rows are a prompt from its beginning.
        unread: layer after which nothing is read; without a plan, its attention is left at zero.
        kwargs: refused where they would change the result.

    Returns:
        (B, T, heads, head size), and None in place of the full attention matrix, which never exists.
    """
    del attention_mask, dropout
    for unknown in ("s_aux", "softcap"):  # attention sinks, capped scores
        if kwargs.get(unknown) is not None:
            raise ModelError(f"The model's attention uses '{unknown}', which is not supported; use another model.")
    batch, heads, length, size = query.shape
    scale = size**-0.5 if scaling is None else scaling
    layer = int(module.layer_idx)  # type: ignore[arg-type]
    if isinstance(plan, OwnPlan):
        hidden = ~visible(length, query.device, sliding_window, blocks)
        return plan.attend(module, (query, key, value), hidden, scaling=scale, **kwargs), None
    if plan is None and layer == unread:
        return query.new_zeros(batch, length, heads, size), None
    if plan is None:
        windowed = sliding_window is not None and length > sliding_window
        mask = visible(length, query.device, sliding_window, blocks) if windowed or blocks else None
        out = torch.nn.functional.scaled_dot_product_attention(
            query, key, value, mask, is_causal=mask is None and length > 1, scale=scale,
            enable_gqa=heads != key.shape[1],
        )  # fmt: skip
        return out.transpose(1, 2), None
    return attend(plan, layer, query, (key, value), scale, sliding_window), None


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
