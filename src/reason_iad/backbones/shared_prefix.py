"""Softmax attention of B suffixes over [shared prefix | own suffix]: the arithmetic, plain and fused.

The prefix's keys are read once for all candidates, by folding candidates and grouped query heads into the rows of
one matrix product. The plain way builds the weights and is differentiable. The fused way never does: a flash kernel
gives each part's output with the logarithm of its normaliser, by which the parts are put together exactly; of the
weights, only those that are asked for (the latents', over the image) are computed. Tests hold the two together.

After the last layer only some rows are read, so only those are computed there; the others are left at zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch

Pair = tuple[torch.Tensor, torch.Tensor]
"""Keys and values, each (B, key-value heads, S, head size)."""

Layers = tuple[Pair, ...]


@dataclass(slots=True)
class SuffixPlan:
    """What the attention function needs to know about one suffix evaluation.

    Attributes:
        prefix: shared keys and values, per layer (1, key-value heads, P, head size).
        rows: suffix rows whose attention over the image is wanted.
        image: half-open range of the image tokens in the prefix.
        capture_layers: decoder layers over which it is averaged.
        heads: heads over which it is averaged; None: all.
        read: suffix rows that are read after the last layer; None: all.
        last: index of the last layer.
        captured: running sum of the attention, (B, len(rows), n).
        fuse: whether the fused way can serve; found in the first layer.
        hidden: masks that were made for the layers before.
    """

    prefix: Layers
    rows: tuple[int, ...] = ()
    image: tuple[int, int] = (0, 0)
    capture_layers: frozenset[int] = frozenset()
    heads: tuple[int, ...] | None = None
    read: tuple[int, ...] | None = None
    last: int = -1
    captured: torch.Tensor | None = field(default=None)
    fuse: bool | None = None
    hidden: dict[tuple[Any, ...], Hidden] = field(default_factory=dict, repr=False)

    def mean_attention(self) -> torch.Tensor | None:
        """(B, len(rows), n), averaged over heads and the chosen layers."""
        return None if self.captured is None else self.captured / len(self.capture_layers)

    def wanted(self, layer: int) -> tuple[int, ...]:
        """Rows whose attention in this layer is asked for."""
        return self.rows if layer in self.capture_layers else ()

    def needed(self, layer: int, length: int) -> list[int] | None:
        """Rows of `length` whose attention in this layer anything depends on, ascending; None: all."""
        if layer != self.last or self.read is None:
            return None
        rows = sorted({*self.read, *self.wanted(layer)})
        return rows if len(rows) < length else None

    def capture(self, seen: torch.Tensor) -> None:
        """Add a layer's attention, (B, heads, len(rows), n)."""
        mean = (seen if self.heads is None else seen[:, list(self.heads)]).mean(1)
        self.captured = mean if self.captured is None else self.captured + mean


class Look(NamedTuple):
    """Weights that are asked for: of these rows, over this range of the prefix."""

    rows: list[int]
    start: int
    stop: int


class Hidden(NamedTuple):
    """What is added to the scores of the rows, (R, P) on the prefix and (R, S) on the own tokens; None: nothing."""

    prefix: torch.Tensor | None
    own: torch.Tensor | None


class Attended(NamedTuple):
    """Output, (B, R, heads, head size), and the weights asked for, (B, heads, rows, n) float32."""

    out: torch.Tensor
    seen: torch.Tensor | None


def attend(
    plan: SuffixPlan, layer: int, query: torch.Tensor, own: Pair, scale: float, window: int | None
) -> torch.Tensor:
    """Attention of a suffix in one layer.

    Args:
        plan: the prefix, and which weights are wanted; they are added to it.
        layer: index of the decoder layer.
        query: (B, heads, T, head size).
        own: keys and values of the S >= T own tokens so far.
        scale: factor on the scores.
        window: a token sees itself and the `window - 1` tokens before it; None: all.

    Returns:
        (B, T, heads, head size); zero for rows that nothing depends on.
    """
    batch, heads, length, size = query.shape
    needed, wanted = plan.needed(layer, length), plan.wanted(layer)
    if needed == []:
        return query.new_zeros(batch, length, heads, size)
    prefix, index = plan.prefix[layer], None
    if needed is not None:
        index = torch.tensor(needed, device=query.device)
        query = query.index_select(2, index)
        wanted = tuple(map(needed.index, wanted))
    if plan.fuse is None:
        plan.fuse = _can_fuse(query, own[0], prefix[0])
    hidden = _hidden(plan, layer, query, own[0], length, window)
    # Where most rows are to be seen, the plain way has their weights at hand.
    way = fused if plan.fuse and hidden.prefix is None and 2 * len(wanted) <= query.shape[2] else plain
    out, seen = way(prefix, query, own, hidden, scale, Look(list(wanted), *plan.image))
    if seen is not None:
        plan.capture(seen)
    return out if index is None else out.new_zeros(batch, length, heads, size).index_copy(1, index, out)


def plain(prefix: Pair, query: torch.Tensor, own: Pair, hidden: Hidden, scale: float, look: Look) -> Attended:
    """Attention by the weights themselves: any device, any mask, and gradients.

    Args:
        prefix: (1, key-value heads, P, head size).
        query: (B, heads, R, head size).
        own: (B, key-value heads, S, head size).
        hidden: what the rows do not see.
        scale: factor on the scores.
        look: weights asked for.
    """
    batch, heads, count, size = query.shape
    (prefix_key, prefix_value), (key, value) = prefix, own
    kv_heads, so_far, width = key.shape[1], key.shape[2], prefix_key.shape[2]
    groups = heads // kv_heads
    grouped = query.reshape(batch, kv_heads, groups * count, size).transpose(0, 1)  # (KH, B, G*R, D)
    rows = grouped.reshape(kv_heads, batch * groups * count, size)
    past = torch.matmul(rows, prefix_key[0].transpose(-1, -2))  # (KH, B*G*R, P)
    past = past.view(kv_heads, batch, groups, count, width)
    recent = torch.matmul(grouped, key.transpose(0, 1).transpose(-1, -2))  # (KH, B, G*R, S)
    recent = recent.view(kv_heads, batch, groups, count, so_far)
    if hidden.prefix is not None:
        past = past + hidden.prefix
    if hidden.own is not None:
        recent = recent + hidden.own
    weights = torch.cat((past, recent), -1).mul_(scale).softmax(-1, dtype=torch.float32)
    seen = weights[:, :, :, look.rows, look.start : look.stop].transpose(0, 1).flatten(1, 2) if look.rows else None
    weights = weights.to(value.dtype)
    flat = weights[..., :width].reshape(kv_heads, batch * groups * count, width)
    out = torch.matmul(flat, prefix_value[0]).view(kv_heads, batch, groups * count, size)
    own_weights = weights[..., width:].reshape(kv_heads, batch, groups * count, so_far)
    out = out + torch.matmul(own_weights, value.transpose(0, 1))
    out = out.view(kv_heads, batch, groups, count, size).permute(1, 3, 0, 2, 4)  # (B, R, KH, G, D)
    return Attended(out.reshape(batch, count, heads, size), seen)


def fused(prefix: Pair, query: torch.Tensor, own: Pair, hidden: Hidden, scale: float, look: Look) -> Attended:
    """The same by the CPU's flash kernel: nothing of the prefix hidden, no gradients. Arguments as in `plain`."""
    batch, heads, count, size = query.shape
    kv_heads = own[0].shape[1]
    groups = heads // kv_heads
    folded = query.reshape(batch, kv_heads, groups * count, size)
    rows = folded.transpose(0, 1).reshape(1, kv_heads, batch * groups * count, size)
    past, past_norm = _flash(rows, *prefix, scale=scale)
    past = past.reshape(kv_heads, batch, groups * count, size).transpose(0, 1)
    past_norm = past_norm.reshape(kv_heads, batch, groups * count).transpose(0, 1)
    mask = hidden.own if hidden.own is None or groups == 1 else hidden.own.repeat(groups, 1)
    recent, recent_norm = _flash(folded, *own, attn_mask=mask, scale=scale)
    share = torch.sigmoid(past_norm - recent_norm)  # of the prefix in the whole softmax
    out = torch.lerp(recent, past, share[..., None].to(past.dtype)).reshape(batch, heads, count, size)
    seen = None
    if look.rows:
        norm = torch.logaddexp(past_norm, recent_norm).reshape(batch, heads, count)[:, :, look.rows]
        seen = _weights(query[:, :, look.rows], prefix[0][0, :, look.start : look.stop], norm, scale)
    return Attended(out.transpose(1, 2), seen)


def _weights(query: torch.Tensor, key: torch.Tensor, norm: torch.Tensor, scale: float) -> torch.Tensor:
    """Weights (B, heads, rows, n) of queries (B, heads, rows, D) on keys (KH, n, D), given the normalisers."""
    grouped = query.reshape(len(query), len(key), -1, query.shape[-1])  # (B, KH, G*rows, D)
    scores = torch.matmul(grouped, key.transpose(-1, -2)).float().reshape(*norm.shape, -1)
    return torch.exp(scores * scale - norm[..., None])


def _flash(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    *,
    scale: float,
    attn_mask: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Output, (B, heads, R, head size), and logarithm of the normaliser, (B, heads, R) float32."""
    out: tuple[torch.Tensor, torch.Tensor] = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        query, key, value, attn_mask=attn_mask, scale=scale
    )
    return out


def _can_fuse(*tensors: torch.Tensor) -> bool:
    return (
        all(tensor.device.type == "cpu" and tensor.dtype in (torch.float32, torch.bfloat16) for tensor in tensors)
        and not (torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors))
    )  # fmt: skip


def _hidden(
    plan: SuffixPlan, layer: int, query: torch.Tensor, key: torch.Tensor, length: int, window: int | None
) -> Hidden:
    """The masks of a layer's rows: all of the last `length` own tokens, or those of them that it needs."""
    width, so_far = plan.prefix[layer][0].shape[2], key.shape[2]
    needed = plan.needed(layer, length)
    window = None if window is None or width + so_far <= window else window
    if window is None and (length == 1 or needed == [length - 1]):
        return Hidden(None, None)
    case = (so_far, length, window, None if needed is None else tuple(needed))
    if case not in plan.hidden:
        if len(plan.hidden) > 4:  # decoding makes a new one with every token
            plan.hidden.clear()
        device = query.device
        rows = torch.arange(length, device=device) if needed is None else torch.tensor(needed, device=device)
        places = rows[:, None] + (so_far - length)  # among the own tokens
        at = torch.arange(so_far, device=device)
        if window is None:
            plan.hidden[case] = Hidden(None, _added(at > places, query.dtype))
        else:
            oldest = places - window + 1  # that each row still sees
            past = _added(torch.arange(-width, 0, device=device) < oldest, query.dtype)
            plan.hidden[case] = Hidden(past, _added((at > places) | (at < oldest), query.dtype))
    return plan.hidden[case]


def _added(hidden: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Minus infinity where it is hidden, else 0."""
    return torch.zeros_like(hidden, dtype=dtype).masked_fill_(hidden, float("-inf"))
