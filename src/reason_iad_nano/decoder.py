"""The decoder over packed sequences: the class's own layers, with a mask and taps that its forward does not offer.

On a CPU the backward of fused attention is what training waits for; `_Attention` computes it with plain products,
sequence by sequence and without the padding, where the scores fit the cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VLTextModel


def branch_mask(segments: Tensor) -> Tensor:
    """Who may see whom: causal, and only the prefix and the own branch.

    Args:
        segments: (B, S), 0 for the prefix, 1.. for branches, -1 for padding.

    Returns:
        (B, 1, S, S) bool.
    """
    keys, queries = segments[:, None, None, :], segments[:, None, :, None]
    causal = torch.ones(segments.shape[1], segments.shape[1], dtype=torch.bool, device=segments.device).tril()
    return causal & ((keys == 0) | (keys == queries))


def _block_backward(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor, grad: Tensor, scale: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of attention for one sequence: (h, T, D) queries over (h, S, D) keys, additive (1, T, S) mask."""
    scaled = q * scale
    weights = torch.baddbmm(mask.expand(q.shape[0], -1, -1), scaled, k.mT).softmax(-1)
    slope = torch._softmax_backward_data(torch.bmm(grad, v.mT), weights, -1, weights.dtype)
    return torch.bmm(slope, k) * scale, torch.bmm(slope.mT, scaled), torch.bmm(weights.mT, grad)


class _Attention(torch.autograd.Function):
    """Attention with an additive mask, sequence by sequence: the prefix over itself, the branches over everything.

    Padding is neither read nor written.
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, mask: Tensor, lengths: list[tuple[int, int]]) -> Tensor:
        ctx.save_for_backward(q, k, v, mask)
        ctx.lengths = lengths
        out = torch.zeros_like(q)
        for row, (prefix, used) in enumerate(lengths):
            head = slice(row, row + 1), slice(None), slice(0, prefix)
            out[head] = F.scaled_dot_product_attention(q[head], k[head], v[head], is_causal=True)
            tail, every = (*head[:2], slice(prefix, used)), (*head[:2], slice(0, used))
            bias = mask[row : row + 1, :, prefix:used, :used]
            out[tail] = F.scaled_dot_product_attention(q[tail], k[every], v[every], attn_mask=bias)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        q, k, v, mask = ctx.saved_tensors
        (grad,) = grads
        scale = q.shape[-1] ** -0.5
        dq, dk, dv = torch.zeros_like(q), torch.zeros_like(k), torch.zeros_like(v)
        for row, (prefix, used) in enumerate(ctx.lengths):
            for first, last in ((0, prefix), (prefix, used)):
                here, seen = (row, slice(None), slice(first, last)), (row, slice(None), slice(0, last))
                parts = _block_backward(
                    q[here], k[seen], v[seen], mask[row, :, first:last, :last], grad[here], scale
                )
                dq[here] = parts[0]
                dk[seen] += parts[1]
                dv[seen] += parts[2]
        return dq, dk, dv, None, None


def _attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, lengths: list[tuple[int, int]]) -> Tensor:
    """Attention (B, h, S, D); `mask` is additive, of q's type."""
    if q.device.type == "cpu":
        apply: Any = _Attention.apply
        result: Tensor = apply(q, k, v, mask, lengths)
        return result
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def _norm(module: Any, hidden: Tensor, dtype: torch.dtype) -> Tensor:
    """The class's RMS norm, handing its result on in `dtype`."""
    scaled = hidden * torch.rsqrt(hidden.pow(2).mean(-1, keepdim=True) + module.variance_epsilon)
    result: Tensor = (module.weight * scaled).to(dtype)
    return result


def _turn(states: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding of (B, h, S, D) by (B, 1, S, D) tables."""
    first, second = states.chunk(2, dim=-1)
    return states * cos + torch.cat((-second, first), dim=-1) * sin


def _heads(
    module: Any, hidden: Tensor, cos: Tensor, sin: Tensor, dtype: torch.dtype
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values of a layer, rotated, keys and values repeated for their query heads."""
    attention, batch, length = module.self_attn, hidden.shape[0], hidden.shape[1]
    normed = _norm(module.input_layernorm, hidden, dtype)
    q, k, v = (
        projection(normed).view(batch, length, -1, attention.head_dim).transpose(1, 2)
        for projection in (attention.q_proj, attention.k_proj, attention.v_proj)
    )
    groups = attention.num_key_value_groups
    k, v = _turn(k, cos, sin).repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
    return _turn(q, cos, sin).contiguous(), k.contiguous(), v.contiguous()


def _finish(module: Any, hidden: Tensor, mixed: Tensor, dtype: torch.dtype) -> Tensor:
    """Everything of a layer behind the attention."""
    hidden = hidden + module.self_attn.o_proj(mixed.transpose(1, 2).flatten(2))
    result: Tensor = hidden + module.mlp(_norm(module.post_attention_layernorm, hidden, dtype))
    return result


class Taps(NamedTuple):
    """What the decoder gives up.

    Attributes:
        states: one (B, S, d) per layer, behind it; the last one normalised.
        queries, keys: (B, S, D) of the first head of the tapped layer, rotated.
        visible: (B, S, S) which position may see which.
    """

    states: list[Tensor]
    queries: Tensor
    keys: Tensor
    visible: Tensor


class PackedDecoder:
    """Runs the decoder on packed sequences.

    Args:
        decoder: `model.model.language_model`.
        tap: the layer whose first head is looked into.
        compile_layers: compile the element-wise parts (worth it on a CPU after the first minute).
    """

    def __init__(self, decoder: Qwen2_5_VLTextModel, tap: int, *, compile_layers: bool = False) -> None:
        self.decoder, self._tap = decoder, tap
        self._heads, self._finish = _heads, _finish
        if compile_layers:
            self._heads, self._finish = torch.compile(_heads, dynamic=True), torch.compile(_finish, dynamic=True)

    def __call__(self, embeddings: Tensor, segments: Tensor, positions: Tensor) -> Taps:
        """Hidden states behind every layer, and what one head asks for.

        Args:
            embeddings: (B, S, d).
            segments: (B, S).
            positions: (3, B, S).
        """
        device = embeddings.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else embeddings.dtype
        visible = branch_mask(segments)
        mask = torch.zeros(visible.shape, dtype=dtype, device=embeddings.device).masked_fill(~visible, -30_000.0)
        prefix, used = (segments == 0).sum(1).tolist(), (segments >= 0).sum(1).tolist()
        lengths = list(zip(prefix, used, strict=True))
        cos, sin = (table[:, None].to(dtype) for table in self.decoder.rotary_emb(embeddings, positions))
        hidden, states = embeddings, []
        tapped: tuple[Tensor, Tensor] | None = None
        for number, layer in enumerate(self.decoder.layers):
            q, k, v = self._heads(layer, hidden, cos, sin, dtype)
            if number == self._tap:
                tapped = q[:, 0], k[:, 0]
            hidden = self._finish(layer, hidden, _attend(q, k, v, mask, lengths), dtype)
            states.append(hidden)
        states[-1] = self.decoder.norm(states[-1])
        assert tapped is not None
        return Taps(states, *tapped, visible[:, 0])
