"""What a latent state earns (METHOD section 2).

R = R_conf + w_s * R_stability, where R_conf averages the confidence at the latent positions [paper] and at the
answer position [ours] by their weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from reason_iad.config import ReasoningConfig
from reason_iad.reasoning.entropy import jensen_shannon, normalised_entropy, truncated_entropy


@dataclass(frozen=True, slots=True)
class Observation:
    """What the model said in one evaluation of B candidates.

    Attributes:
        latent_logits: (B, L, V) at the latent positions, where they are after injection.
        answer_logits: (B, O) over the options, or (B, V) for an open question.
        lettered: whether answer_logits are restricted to the options.
        accepted_mean: (O,) or (V,) running mean of the accepted states' answer distributions; None at the start.
    """

    latent_logits: torch.Tensor
    answer_logits: torch.Tensor
    lettered: bool
    accepted_mean: torch.Tensor | None

    @property
    def answer_distribution(self) -> torch.Tensor:
        """(B, O) or (B, V)."""
        return self.answer_logits.softmax(-1)


@dataclass(frozen=True, slots=True)
class Scores:
    """Rewards of B candidates and what they are made of.

    Attributes:
        reward: (B,).
        confidence: (B,), R_conf in [0, 1].
        divergence: (B,), Jensen-Shannon divergence to the accepted mean in [0, 1].
        latent_entropy: (B, L), H_k in [0, 1].
        answer_entropy: (B,), in [0, 1].
    """

    reward: torch.Tensor
    confidence: torch.Tensor
    divergence: torch.Tensor
    latent_entropy: torch.Tensor
    answer_entropy: torch.Tensor


def latent_entropy(seen: Observation, config: ReasoningConfig) -> torch.Tensor:
    """H_k at each latent position, (B, L) [paper]."""
    return truncated_entropy(seen.latent_logits, config.top_k)


def answer_entropy(seen: Observation, config: ReasoningConfig) -> torch.Tensor:
    """Entropy at the answer position, over the options or truncated over the vocabulary, (B,) [ours]."""
    if seen.lettered:
        return normalised_entropy(seen.answer_logits)
    return truncated_entropy(seen.answer_logits, config.top_k)


def divergence(seen: Observation) -> torch.Tensor:
    """Divergence of the answer from the running mean over accepted states, (B,) [ours]."""
    if seen.accepted_mean is None:
        return torch.zeros(len(seen.answer_logits), device=seen.answer_logits.device)
    return jensen_shannon(seen.answer_distribution, seen.accepted_mean)


def score(seen: Observation, config: ReasoningConfig) -> Scores:
    """Reward of each candidate.

    Args:
        seen: one evaluation.
        config: weights and k.
    """
    latent, answer, drift = latent_entropy(seen, config), answer_entropy(seen, config), divergence(seen)
    weights = config.latent_weight + config.answer_weight
    mean = config.latent_weight * latent.mean(-1) + config.answer_weight * answer
    confidence = 1 - mean / weights
    reward = confidence - config.stability_weight * drift
    return Scores(reward, confidence, drift, latent, answer)
