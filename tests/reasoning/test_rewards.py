"""The reward is what the method says, and each weight switches its part."""

from __future__ import annotations

from dataclasses import replace

import torch

from reason_iad.config import ReasoningConfig
from reason_iad.reasoning.entropy import jensen_shannon, truncated_entropy
from reason_iad.reasoning.rewards import Observation, score

CONFIG = ReasoningConfig(latent_weight=1.0, answer_weight=3.0, stability_weight=0.5, top_k=5)


def seen(accepted: torch.Tensor | None = None) -> Observation:
    torch.manual_seed(0)
    return Observation(torch.randn(3, 4, 20), torch.randn(3, 2), True, accepted)


def test_confidence_is_the_weighted_mean() -> None:
    observation = seen()
    scores = score(observation, CONFIG)
    expected = 1 - (truncated_entropy(observation.latent_logits, 5).mean(-1) + 3 * scores.answer_entropy) / 4
    assert torch.allclose(scores.confidence, expected)
    assert torch.equal(scores.reward, scores.confidence), "no accepted state yet: no stability term"


def test_the_papers_reward_ignores_the_answer() -> None:
    observation = seen(torch.tensor([0.9, 0.1]))
    paper = replace(CONFIG, answer_weight=0.0, stability_weight=0.0)
    expected = 1 - truncated_entropy(observation.latent_logits, 5).mean(-1)
    assert torch.allclose(score(observation, paper).reward, expected)


def test_drifting_from_the_accepted_answers_costs() -> None:
    accepted = torch.tensor([0.9, 0.1])
    observation = seen(accepted)
    scores = score(observation, CONFIG)
    drift = jensen_shannon(observation.answer_logits.softmax(-1), accepted)
    assert torch.allclose(scores.reward, scores.confidence - 0.5 * drift)
    assert (drift > 0).all()


def test_an_open_question_truncates_over_the_vocabulary() -> None:
    torch.manual_seed(1)
    observation = Observation(torch.randn(2, 1, 30), torch.randn(2, 30), False, None)
    expected = truncated_entropy(observation.answer_logits, 5)
    assert torch.allclose(score(observation, CONFIG).answer_entropy, expected)
