"""Estimators against the true gradient, and against each other (FACTS: the gradient must reach the latents)."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests.reasoning.scenes import make_problem

from reason_iad.backbones import Backbone
from reason_iad.config import ReasoningConfig
from reason_iad.reasoning.estimators import baselines, draw_noise, pathwise, score_function
from reason_iad.reasoning.loop import _Loop

CONFIG = ReasoningConfig(candidates=4096)
CENTRE = torch.tensor([[0.3, -0.2, 0.5], [0.1, 0.4, -0.6]])


def quadratic(latents: torch.Tensor) -> torch.Tensor:
    """A reward with a known smoothed gradient: -2 (T - centre), whatever sigma is."""
    return 5.0 - (latents - CENTRE).pow(2).sum((-1, -2))


def test_antithetic_noise_comes_in_pairs_with_the_right_spread() -> None:
    noise = draw_noise((2, 3), CONFIG, 0.7, torch.Generator().manual_seed(0))
    assert torch.equal(noise[0::2], -noise[1::2])
    assert float(noise.std()) == pytest.approx(0.7, rel=0.03)


@pytest.mark.parametrize("antithetic", [True, False])
def test_the_score_function_finds_the_gradient(antithetic: bool) -> None:
    config = replace(CONFIG, antithetic=antithetic)
    sigma, latents = 0.3, torch.zeros(2, 3)
    noise = draw_noise((2, 3), config, sigma, torch.Generator().manual_seed(1))
    estimate = score_function(quadratic(latents + noise), noise, sigma, config)
    assert torch.nn.functional.cosine_similarity(estimate.flatten(), CENTRE.flatten(), dim=0) > 0.98
    assert torch.allclose(estimate, 2 * CENTRE, atol=0.15)


def test_both_estimators_agree() -> None:
    latents = torch.zeros(2, 3, requires_grad=True)
    noise = draw_noise((2, 3), CONFIG, 0.3, torch.Generator().manual_seed(2))
    rewards = quadratic(latents + noise)
    path = pathwise(rewards, latents)
    estimate = score_function(rewards.detach(), noise, 0.3, CONFIG)
    assert torch.allclose(path, 2 * CENTRE, atol=1e-2)
    assert torch.nn.functional.cosine_similarity(path.flatten(), estimate.flatten(), dim=0) > 0.98


def test_the_baseline_lowers_the_variance() -> None:
    def spread(config: ReasoningConfig) -> float:
        estimates = []
        for seed in range(200):
            noise = draw_noise((2, 3), config, 0.3, torch.Generator().manual_seed(seed))
            estimates.append(score_function(quadratic(noise), noise, 0.3, config))
        return float(torch.stack(estimates).var(0).mean())

    plain = replace(CONFIG, candidates=8, antithetic=False, leave_one_out=False)
    assert spread(replace(plain, leave_one_out=True)) < 0.2 * spread(plain)
    assert spread(replace(plain, antithetic=True)) < 0.2 * spread(plain)


def test_the_baseline_leaves_out_what_depends_on_the_candidate() -> None:
    rewards = torch.tensor([1.0, 2.0, 4.0, 8.0])
    single = replace(CONFIG, candidates=4, antithetic=False)
    assert torch.allclose(baselines(rewards, single), torch.tensor([14 / 3, 13 / 3, 11 / 3, 7 / 3]))
    pairs = replace(CONFIG, candidates=4, antithetic=True)
    assert torch.allclose(baselines(rewards, pairs), torch.tensor([6.0, 6.0, 1.5, 1.5]))
    assert not baselines(rewards, replace(single, leave_one_out=False)).any()
    assert not baselines(rewards[:2], pairs).any(), "one pair has nobody else to compare with"


def test_the_gradient_of_the_real_reward_equals_finite_differences(backbone: Backbone) -> None:
    """Through model, injection and reward, along random directions."""
    problem = make_problem(backbone)
    loop = _Loop(backbone, problem, ReasoningConfig(), 0)
    patches = ((0, 1), (2,), (), (3,))
    loop.accepted = torch.tensor([0.3, 0.7])
    torch.manual_seed(0)
    start = loop.latents + 0.1 * backbone.embedding_rms * torch.randn_like(loop.latents)

    def reward(latents: torch.Tensor) -> torch.Tensor:
        return loop._evaluate(latents[None], patches).scores.reward[0]

    latents = start.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(reward(latents), latents)
    assert gradient.abs().max() > 0, "the gradient must reach the latents"
    step = 2e-3 * backbone.embedding_rms
    for seed in range(3):
        direction = torch.randn(start.shape, generator=torch.Generator().manual_seed(seed))
        direction /= direction.norm()
        numeric = (reward(start + step * direction) - reward(start - step * direction)) / (2 * step)
        analytic = (gradient * direction).sum()
        assert float(analytic) == pytest.approx(float(numeric), rel=0.05, abs=0.02 * float(gradient.norm()))
