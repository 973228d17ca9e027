"""The method once more, as plainly as it can be said: no cache, no batch, one full forward per candidate.

Read this to understand `loop.py`; tests hold both together (METHOD section 6). It shares nothing with the fast
path but the configuration, the noise and the data types: entropies, rewards, positions and updates are restated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch

from reason_iad.backbones.base import Backbone, Prefix, SuffixQuery
from reason_iad.config import ReasoningConfig
from reason_iad.reasoning.estimators import draw_noise
from reason_iad.reasoning.loop import Problem


@dataclass(frozen=True, slots=True)
class PlainThought:
    """What the plain loop found; compare with `loop.Thought`.

    Attributes:
        rewards: rewards of every candidate, step by step; entry 0 is the initial state's.
        latents, patches, reward, answer: of the best state, its reward against the last running mean.
    """

    rewards: tuple[tuple[float, ...], ...]
    latents: torch.Tensor
    patches: tuple[tuple[int, ...], ...]
    reward: float
    answer: tuple[float, ...]


def reason_plainly(backbone: Backbone, problem: Problem, config: ReasoningConfig, seed: int) -> PlainThought:
    """Same arguments and meaning as `loop.reason`, score-function estimator only."""
    generator = torch.Generator().manual_seed(seed)
    mean = torch.stack([backbone.think_embedding().float()] * config.latents)
    best_patches: list[list[int]] = [[] for _ in range(config.latents)]
    initial = best = _score(backbone, problem, config, mean, best_patches)
    start = best_latents = mean
    accepted, stale = [best.answer], 0
    history: list[tuple[float, ...]] = [(_reward(best, accepted, config),)]
    neutral = None
    if config.attention_correction == "neutral" and problem.neutral is not None:
        neutral = _attention(backbone, problem, config, problem.neutral, mean, [[]] * config.latents)
    for step in range(config.steps):
        # The mean moves when a state is accepted, so the best state is measured anew, as the candidates are.
        best_reward = _reward(best, accepted, config)
        if config.reward_threshold is not None and best_reward >= config.reward_threshold:
            break
        tried = [list(chosen) for chosen in best_patches]
        if config.inject:
            seen = _attention(backbone, problem, config, problem.prefix, mean, best_patches)
            _add_patches(tried, seen, neutral, problem.prior if config.map_prior else None, config)
        sigma = config.sigma * config.sigma_decay**step * backbone.embedding_rms
        noise = draw_noise((config.latents, backbone.hidden_size), config, sigma, generator).to(mean)
        candidates = [_score(backbone, problem, config, mean + eps, tried) for eps in noise]
        rewards = [_reward(candidate, accepted, config) for candidate in candidates]
        history.append(tuple(rewards))
        top = rewards.index(max(rewards))
        stale += 1
        if rewards[top] > best_reward:
            best_latents, best_patches = mean + noise[top], tried
            best = candidates[top]
            accepted = [*accepted, best.answer]
            stale = 0
        gradient = torch.zeros_like(mean)
        for i, eps in enumerate(noise):
            gradient += (rewards[i] - _baseline(rewards, i, config)) * eps / (len(noise) * sigma**2)
        mean = mean + config.learning_rate * backbone.embedding_rms**2 * gradient
        if config.patience is not None and stale >= config.patience:
            break
    if _reward(initial, accepted, config) > _reward(best, accepted, config):
        best, best_latents, best_patches = initial, start, [[] for _ in best_patches]
    patches = tuple(tuple(chosen) for chosen in best_patches)
    last_reward = _reward(best, accepted, config)
    return PlainThought(tuple(history), best_latents, patches, last_reward, tuple(best.answer))


def _sequence(problem: Problem, latents: torch.Tensor, patches: list[list[int]]) -> tuple[torch.Tensor, list[int]]:
    """T_1, V_1, T_2, V_2, ... and where each T_l stands."""
    rows: list[torch.Tensor] = []
    places: list[int] = []
    for latent, chosen in zip(latents, patches, strict=True):
        places.append(len(rows))
        rows.append(latent.to(problem.tokens.dtype))
        rows += [problem.tokens[i] for i in chosen]
    return torch.stack(rows), places


class _Seen(NamedTuple):
    """What one state shows: its confidence and its answer distribution."""

    confidence: float
    answer: list[float]


def _reward(state: _Seen, accepted: list[list[float]], config: ReasoningConfig) -> float:
    """Confidence, minus the divergence from the mean of the accepted answers."""
    running = [sum(column) / len(accepted) for column in zip(*accepted, strict=True)]
    return state.confidence - config.stability_weight * _divergence(state.answer, running)


def _score(
    backbone: Backbone, problem: Problem, config: ReasoningConfig,
    latents: torch.Tensor, patches: list[list[int]],
) -> _Seen:  # fmt: skip
    """Confidence and answer distribution of one state."""
    thoughts, places = _sequence(problem, latents, patches)
    rows = torch.cat((thoughts, problem.cue))
    out = backbone.evaluate_uncached(problem.prefix, rows[None], SuffixQuery((*places, len(rows) - 1)))
    at_latents, at_answer = out.logits[0, :-1], out.logits[0, -1]
    entropies = []
    for logits in at_latents:
        p = sorted(logits.double().softmax(-1).tolist(), reverse=True)[: config.top_k]
        entropies.append(_entropy([x / sum(p) for x in p]))
    if problem.option_tokens:
        answer = torch.stack([at_answer[i] for i in problem.option_tokens]).double().softmax(-1).tolist()
        answer_entropy = _entropy(answer)
    else:
        answer = at_answer.double().softmax(-1).tolist()
        p = sorted(answer, reverse=True)[: config.top_k]
        answer_entropy = _entropy([x / sum(p) for x in p])
    weight = config.latent_weight + config.answer_weight
    mean_latent = sum(entropies) / len(entropies)
    return _Seen(1 - (config.latent_weight * mean_latent + config.answer_weight * answer_entropy) / weight, answer)


def _entropy(p: list[float]) -> float:
    return -sum(x * math.log(x) for x in p if x > 0) / math.log(len(p))


def _divergence(p: list[float], q: list[float]) -> float:
    middle = [(x + y) / 2 for x, y in zip(p, q, strict=True)]
    total = 0.0
    for side in (p, q):
        total += sum(x * math.log2(x / m) for x, m in zip(side, middle, strict=True) if x > 0) / 2
    return total


def _attention(
    backbone: Backbone, problem: Problem, config: ReasoningConfig,
    prefix: Prefix, latents: torch.Tensor, patches: list[list[int]],
) -> torch.Tensor:  # fmt: skip
    """(L, n) from the full attention matrices."""
    rows, places = _sequence(problem, latents, patches)
    query = SuffixQuery((), tuple(places), problem.image, config.attention_layers, config.attention_heads)
    out = backbone.evaluate_uncached(prefix, rows[None], query)
    if out.attention is None:
        raise RuntimeError("the backbone returned no attention although it was asked for")
    return out.attention[0]


def _add_patches(
    tried: list[list[int]], seen: torch.Tensor, neutral: torch.Tensor | None,
    prior: torch.Tensor | None, config: ReasoningConfig,
) -> None:  # fmt: skip
    """Append the m best unchosen tokens to each latent's list."""
    for row, chosen in enumerate(tried):
        weights = seen[row].tolist()
        if neutral is not None:
            mean = sum(neutral[row].tolist()) / len(weights)
            weights = [w / (n + 0.1 * mean) for w, n in zip(weights, neutral[row].tolist(), strict=True)]
        if prior is not None and max(prior.tolist()) > 0:
            weights = [w * (0.05 + 0.95 * h) for w, h in zip(weights, prior.tolist(), strict=True)]
        ranked = sorted((i for i in range(len(weights)) if i not in chosen), key=lambda i: -weights[i])
        room = min(config.patches_per_step, config.max_patches - len(chosen))
        chosen += ranked[: max(room, 0)]


def _baseline(rewards: list[float], index: int, config: ReasoningConfig) -> float:
    """Mean reward of the candidates that were drawn independently of candidate `index`."""
    if not config.leave_one_out:
        return 0.0
    partner = index ^ 1 if config.antithetic else index
    others = [r for i, r in enumerate(rewards) if i not in (index, partner)]
    return sum(others) / len(others) if others else 0.0
