"""Two ways to follow the reward from the same candidates (METHOD section 2).

Both estimate the gradient of the smoothed reward E[R(T + eps)], eps ~ N(0, sigma^2): `score` from rewards alone
(REINFORCE for a Gaussian policy), `gradient` by backpropagating through the suffix. Lengths are in units of the
embedding RMS r, so that the same configuration means the same on every model: sigma and eps are multiplied by r,
and the step is eta * r^2 times the gradient.
"""

from __future__ import annotations

import torch

from reason_iad.config import ReasoningConfig


def draw_noise(
    shape: tuple[int, int], config: ReasoningConfig, sigma: float, generator: torch.Generator
) -> torch.Tensor:
    """Perturbations of the latents.

    Args:
        shape: (L, d).
        config: number of candidates, antithetic or not.
        sigma: absolute standard deviation.
        generator: on the CPU, so that every device sees the same noise.

    Returns:
        (N, L, d) float32 on the CPU; antithetic pairs are neighbours (+eps, -eps).
    """
    if not config.antithetic:
        return sigma * torch.randn(config.candidates, *shape, generator=generator)
    half = sigma * torch.randn(config.candidates // 2, *shape, generator=generator)
    return torch.stack((half, -half), 1).flatten(0, 1)


def baselines(rewards: torch.Tensor, config: ReasoningConfig) -> torch.Tensor:
    """Baseline b_i of each candidate, (N,): the mean reward of the candidates drawn independently of it.

    Under antithetic pairs the partner is not independent, so the whole pair is left out; both members then share
    one baseline, which cancels in their difference.
    """
    count = len(rewards)
    group = 2 if config.antithetic else 1
    if not config.leave_one_out or count <= group:
        return torch.zeros_like(rewards)
    sums = rewards.view(-1, group).sum(-1).repeat_interleave(group)
    return (rewards.sum() - sums) / (count - group)


def score_function(
    rewards: torch.Tensor, noise: torch.Tensor, sigma: float, config: ReasoningConfig
) -> torch.Tensor:
    """Gradient estimate 1/(N sigma^2) * sum_i (R_i - b_i) eps_i.

    Args:
        rewards: (N,).
        noise: (N, L, d), absolute.
        sigma: absolute.

    Returns:
        (L, d).
    """
    advantage = rewards - baselines(rewards, config)
    return (advantage[:, None, None] * noise).sum(0) / (len(rewards) * sigma**2)


def pathwise(rewards: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
    """Gradient of the mean reward over the candidates with respect to the latents they were made from.

    Args:
        rewards: (N,), computed from `latents` with autograd on.
        latents: (L, d), requires grad.

    Returns:
        (L, d).
    """
    (gradient,) = torch.autograd.grad(rewards.mean(), latents)
    return gradient
