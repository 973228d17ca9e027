"""Truncated entropy and divergence: how sure, and how steady (METHOD section 2)."""

from __future__ import annotations

import math

import torch


def truncated_entropy(logits: torch.Tensor, k: int) -> torch.Tensor:
    """Entropy over the k most probable tokens, renormalised and divided by log k.

    Args:
        logits: (..., V).
        k: tokens kept; at most V are there.

    Returns:
        (...), in [0, 1]: 0 when one token has all the mass, 1 when k tokens share it evenly.
        Source: Reason-IAD, truncated entropy of the confidence reward.
    """
    kept = min(k, logits.shape[-1])
    top = logits.float().topk(kept, dim=-1).values
    return normalised_entropy(top)


def normalised_entropy(logits: torch.Tensor) -> torch.Tensor:
    """Entropy of softmax(logits) divided by the log of the number of entries, in [0, 1]. Shape (...)."""
    if logits.shape[-1] < 2:
        return torch.zeros(logits.shape[:-1], device=logits.device)
    log_p = logits.float().log_softmax(-1)
    return -(log_p.exp() * log_p).sum(-1) / math.log(logits.shape[-1])


def jensen_shannon(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """Jensen-Shannon divergence in bits, in [0, 1].

    Args:
        p: (..., O) distributions.
        q: (O,) or (..., O) distributions.
    """
    middle = (p + q) / 2
    return ((_kl(p, middle) + _kl(q.expand_as(p), middle)) / 2).clamp(0, 1)


def _kl(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    tiny = torch.finfo(p.dtype).tiny
    return (p * (p.clamp_min(tiny).log2() - q.clamp_min(tiny).log2())).sum(-1)
