"""Softmax attention of B suffixes over [shared prefix | own suffix]: the arithmetic, plain and fused.

The prefix's keys are read once for all candidates, by folding candidates and grouped query heads into the rows of
one matrix product. The plain way builds the weights and is differentiable. The fused way never does: a flash kernel
gives each part's output with the logarithm of its normaliser, by which the parts are put together exactly; of the
weights, only those that are asked for (the latents', over the image) are computed. Tests hold the two together.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

Layers = tuple[tuple[torch.Tensor, torch.Tensor], ...]


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

    def wants(self, layer: int) -> bool:
        """Whether the attention of this layer is asked for."""
        return bool(self.rows) and layer in self.capture_layers

    def capture(self, seen: torch.Tensor) -> None:
        """Add a layer's attention, (B, heads, len(rows), n)."""
        mean = (seen if self.heads is None else seen[:, list(self.heads)]).mean(1)
        self.captured = mean if self.captured is None else self.captured + mean


def attend(
    plan: SuffixPlan,
    layer: int,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    scale: float,
    window: int | None,
) -> torch.Tensor:
    """Attention of a suffix in one layer.

    Args:
        plan: the prefix, and which weights are wanted; they are added to it.
        layer: index of the decoder layer.
        query: (B, heads, T, head size).
        key, value: (B, key-value heads, S, head size), S >= T own tokens so far.
        scale: factor on the scores.
        window: a token sees itself and the `window - 1` tokens before it; None: all.

    Returns:
        (B, T, heads, head size).
    """
    prefix_key = plan.prefix[layer][0]
    windowed = window is not None and prefix_key.shape[-2] + key.shape[-2] > window
    if not windowed and _can_fuse(query, key, prefix_key):
        return fused(plan, layer, query, key, value, scale)
    return plain(plan, layer, query, key, value, scale, window if windowed else None)


def plain(
    plan: SuffixPlan,
    layer: int,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    scale: float,
    window: int | None = None,
) -> torch.Tensor:
    """`attend` by the weights themselves: any device, windows, and gradients."""
    batch, heads, length, size = query.shape
    kv_heads, own = key.shape[1], key.shape[2]
    prefix_key, prefix_value = plan.prefix[layer]
    groups = heads // kv_heads
    grouped = query.reshape(batch, kv_heads, groups * length, size).transpose(0, 1)  # (KH, B, G*T, D)
    rows = grouped.reshape(kv_heads, batch * groups * length, size)
    past = torch.matmul(rows, prefix_key[0].transpose(-1, -2))  # (KH, B*G*T, P)
    past = past.reshape(kv_heads, batch, groups, length, -1)
    recent = torch.matmul(grouped, key.transpose(0, 1).transpose(-1, -2))  # (KH, B, G*T, S)
    recent = recent.view(kv_heads, batch, groups, length, own)
    if length > 1:
        recent = recent.masked_fill(_future(length, own, query.device), float("-inf"))
    if window is not None:
        first = prefix_key.shape[-2] + own - length - window + 1  # oldest token row 0 still sees
        oldest = torch.arange(first, first + length, device=query.device)[:, None]
        at = torch.arange(prefix_key.shape[-2] + own, device=query.device)
        past = past.masked_fill(at[: past.shape[-1]] < oldest, float("-inf"))
        recent = recent.masked_fill(at[past.shape[-1] :] < oldest, float("-inf"))
    weights = torch.cat((past, recent), -1).mul_(scale).softmax(-1, dtype=torch.float32)
    width = past.shape[-1]
    if plan.wants(layer):
        start, stop = plan.image
        plan.capture(weights[:, :, :, list(plan.rows), start:stop].transpose(0, 1).flatten(1, 2))
    weights = weights.to(value.dtype)
    flat = weights[..., :width].reshape(kv_heads, batch * groups * length, width)
    out = torch.matmul(flat, prefix_value[0]).view(kv_heads, batch, groups * length, size)
    own_weights = weights[..., width:].reshape(kv_heads, batch, groups * length, own)
    out = out + torch.matmul(own_weights, value.transpose(0, 1))
    out = out.view(kv_heads, batch, groups, length, size).permute(1, 3, 0, 2, 4)  # (B, T, KH, G, D)
    return out.reshape(batch, length, heads, size)


def fused(
    plan: SuffixPlan, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float
) -> torch.Tensor:
    """`attend` by the CPU's flash kernel: no windows, no gradients."""
    batch, heads, length, size = query.shape
    kv_heads, own = key.shape[1], key.shape[2]
    prefix_key, prefix_value = plan.prefix[layer]
    groups = heads // kv_heads
    folded = query.reshape(batch, kv_heads, groups * length, size)
    rows = folded.transpose(0, 1).reshape(1, kv_heads, batch * groups * length, size)
    past, past_norm = _flash(rows, prefix_key, prefix_value, scale=scale)
    past = past.reshape(kv_heads, batch, groups * length, size).transpose(0, 1)
    past_norm = past_norm.reshape(kv_heads, batch, groups * length).transpose(0, 1)
    hidden = None
    if length > 1:
        hidden = query.new_zeros(length, own).masked_fill_(_future(length, own, query.device), float("-inf"))
        hidden = hidden.repeat(groups, 1)
    recent, recent_norm = _flash(folded, key, value, attn_mask=hidden, scale=scale)
    share = torch.sigmoid(past_norm - recent_norm)  # of the prefix in the whole softmax
    out = torch.lerp(recent, past, share[..., None].to(past.dtype))
    if plan.wants(layer):
        norm = torch.logaddexp(past_norm, recent_norm).reshape(batch, heads, length)
        plan.capture(_weights(plan, query, prefix_key, norm, scale))
    return out.reshape(batch, heads, length, size).transpose(1, 2)


def _weights(
    plan: SuffixPlan, query: torch.Tensor, prefix_key: torch.Tensor, norm: torch.Tensor, scale: float
) -> torch.Tensor:
    """Attention of the wanted rows over the image, (B, heads, len(rows), n), float32."""
    batch, heads, _, size = query.shape
    kv_heads, wanted = prefix_key.shape[1], list(plan.rows)
    image_key = prefix_key[0, :, plan.image[0] : plan.image[1]]  # (KH, n, D)
    rows = query[:, :, wanted].reshape(batch, kv_heads, -1, size)  # (B, KH, G*L, D)
    scores = torch.matmul(rows, image_key.transpose(-1, -2)).float().reshape(batch, heads, len(wanted), -1)
    return torch.exp(scores * scale - norm[:, :, wanted, None])


def _flash(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    *,
    scale: float,
    attn_mask: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Output, (B, heads, T, head size), and logarithm of the normaliser, (B, heads, T) float32."""
    out: tuple[torch.Tensor, torch.Tensor] = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        query, key, value, attn_mask=attn_mask, scale=scale
    )
    return out


def _can_fuse(*tensors: torch.Tensor) -> bool:
    return (
        all(tensor.device.type == "cpu" and tensor.dtype in (torch.float32, torch.bfloat16) for tensor in tensors)
        and not (torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors))
    )  # fmt: skip


def _future(length: int, own: int, device: torch.device) -> torch.Tensor:
    """Own tokens that each row does not see, (T, S) bool."""
    return torch.ones(length, own, dtype=torch.bool, device=device).triu(own - length + 1)
