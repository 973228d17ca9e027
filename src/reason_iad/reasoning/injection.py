"""Dynamic visual injection: which image patches enter the latent sequence, and where (METHOD section 3).

The latent sequence is T_1, V_1, T_2, V_2, ..., where V_l are rows of projected image tokens. Everything that reads
positions afterwards goes through `assemble`, which is the only place that knows where the latents have moved to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

Patches = tuple[tuple[int, ...], ...]
"""For each latent, the indices of its injected image tokens in the order they were chosen."""

NEUTRAL_SMOOTHING = 0.1
"""Share of the mean neutral attention added to the divisor, against division by almost nothing [ours]."""

PRIOR_FLOOR = 0.05
"""Least factor of the expert's map, so that attention still ranks the patches where the map is silent [ours]."""


@dataclass(frozen=True, slots=True)
class Suffix:
    """A latent sequence with its patches and the answer cue, ready to be evaluated.

    Attributes:
        rows: (B, T, d) embeddings.
        latent_at: position of each latent.
        answer_at: position whose next token is the first of the answer.
    """

    rows: torch.Tensor
    latent_at: tuple[int, ...]
    answer_at: int


def assemble(latents: torch.Tensor, patches: Patches, tokens: torch.Tensor, cue: torch.Tensor) -> Suffix:
    """Interleave latents and patches, and append the cue.

    Args:
        latents: (B, L, d).
        patches: per latent.
        tokens: (n, d) projected image tokens of the query.
        cue: (C, d).
    """
    batch, latents = latents.shape[0], latents.to(tokens.dtype)
    rows: list[torch.Tensor] = []
    latent_at: list[int] = []
    at = 0
    for index, chosen in enumerate(patches):
        rows.append(latents[:, index : index + 1])
        latent_at.append(at)
        at += 1
        if chosen:
            rows.append(tokens[list(chosen)].expand(batch, -1, -1))
            at += len(chosen)
    rows.append(cue.to(latents.dtype).expand(batch, -1, -1))
    return Suffix(torch.cat(rows, 1), tuple(latent_at), at + len(cue) - 1)


def selection_weights(
    attention: torch.Tensor, neutral: torch.Tensor | None, prior: torch.Tensor | None
) -> torch.Tensor:
    """Attention corrected for what has nothing to do with the question.

    Args:
        attention: (L, n) of the latents over the image tokens.
        neutral: (L, n) under a neutral prompt, or None. Sinks get attention under any prompt, so attention is
            divided by it (smoothed by `NEUTRAL_SMOOTHING`).
        prior: (n,) calibrated anomaly map in [0, 1], or None.

    Returns:
        (L, n), larger is better; only the order matters.
    """
    weights = attention
    if neutral is not None:
        weights = weights / (neutral + NEUTRAL_SMOOTHING * neutral.mean(-1, keepdim=True))
    if prior is not None and bool((prior > 0).any()):
        weights = weights * (PRIOR_FLOOR + (1 - PRIOR_FLOOR) * prior)
    return weights


def select(weights: torch.Tensor, chosen: Patches, count: int, limit: int) -> Patches:
    """The candidates Z_cand: for each latent the `count` best tokens not yet chosen for it.

    Args:
        weights: (L, n).
        chosen: V_best.
        count: m.
        limit: most patches per latent; candidates beyond it are not proposed.

    Returns:
        Only the new tokens, best first; ties go to the earlier token.
    """
    new: list[tuple[int, ...]] = []
    for row, have in zip(weights, chosen, strict=True):
        room = min(count, limit - len(have), len(row) - len(have))
        ranked = row.clone()
        ranked[list(have)] = float("-inf")
        order = torch.sort(ranked, descending=True, stable=True).indices[: max(room, 0)]
        new.append(tuple(int(i) for i in order))
    return tuple(new)


def union(chosen: Patches, new: Patches) -> Patches:
    """V_best with Z_cand appended."""
    return tuple((*have, *more) for have, more in zip(chosen, new, strict=True))


def count_patches(patches: Sequence[Sequence[int]]) -> int:
    """Number of patches over all latents."""
    return sum(len(chosen) for chosen in patches)
