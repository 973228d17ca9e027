"""Entropy-driven latent reasoning: optimise the think tokens at test time, injecting image patches on the way.

States are compared by one yardstick: the running mean of the accepted answers, which moves whenever a state is
accepted. So the best state is scored anew at every step, against the mean that the candidates are scored against.
At the end the initial state and the best one are scored against the last mean, and the better one gives the answer.

One step (METHOD sections 2 and 3): read where the latents look, propose patches, evaluate N perturbed candidates
with them in one batch on the shared prefix, keep the candidate that earned the best reward together with its
patches, and move the mean along the estimated gradient. A step costs its suffix; the prefix is never run again.
`reference.py` states the same without cache or batch; tests hold the two together.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import torch

from reason_iad.backbones.base import Backbone, Prefix, Span, SuffixQuery
from reason_iad.config import ReasoningConfig
from reason_iad.reasoning.entropy import jensen_shannon
from reason_iad.reasoning.estimators import draw_noise, pathwise, score_function
from reason_iad.reasoning.injection import (
    Patches,
    assemble,
    count_patches,
    select,
    selection_weights,
    union,
)
from reason_iad.reasoning.rewards import Observation, Scores, score
from reason_iad.schema import StepRecord


@dataclass(frozen=True, slots=True)
class Problem:
    """One question about one image, ready to be reasoned about.

    Attributes:
        prefix: the prompt up to the first latent position.
        cue: (C, d) embeddings from the end of the latents to the answer.
        tokens: (n, d) projected image tokens of the query.
        image: their range in the prefix.
        option_tokens: token of each option letter; empty for an open question.
        neutral: the neutral prompt up to its first latent position, for the attention correction.
        prior: (n,) calibrated anomaly map on the image tokens, in [0, 1].
    """

    prefix: Prefix
    cue: torch.Tensor
    tokens: torch.Tensor
    image: Span
    option_tokens: tuple[int, ...]
    neutral: Prefix | None = None
    prior: torch.Tensor | None = None


@dataclass(frozen=True, slots=True)
class Injected:
    """A patch that was kept: after which latent, at which step, which image token, with which weight."""

    latent: int
    step: int
    token: int
    weight: float


@dataclass(frozen=True, slots=True)
class State:
    """A latent state exactly as it was scored.

    Attributes:
        latents: (L, d).
        patches: injected with it.
        confidence: R_conf, which depends on nothing but the state.
        reward: what it earned. In a `Thought`, measured against the last running mean.
        answer: (O,) distribution over the options, or (V,) for an open question.
    """

    latents: torch.Tensor
    patches: Patches
    confidence: float
    reward: float
    answer: torch.Tensor


@dataclass(frozen=True, slots=True)
class Thought:
    """Result of the loop: the best state, the initial one, and the record of the way.

    Both states are measured against the same running mean, and the best one never scores below the initial one.
    """

    best: State
    initial: State
    steps: tuple[StepRecord, ...]
    injected: tuple[Injected, ...]
    stopped: str


@dataclass(frozen=True, slots=True)
class _Evaluated:
    scores: Scores
    answers: torch.Tensor  # (B, O) or (B, V)
    attention: torch.Tensor | None  # (B, L, n)


@dataclass(frozen=True, slots=True)
class _Step:
    candidates: torch.Tensor  # (N, L, d)
    seen: _Evaluated


def reason(backbone: Backbone, problem: Problem, config: ReasoningConfig, seed: int) -> Thought:
    """Optimise the latent think tokens for one question.

    Args:
        backbone: frozen model.
        problem: prefix, cue, image tokens.
        config: see `ReasoningConfig`; `steps = 0` only evaluates the initial state.
        seed: of the noise; the same seed gives the same thought bit for bit.

    Returns:
        A thought whose best reward is never below the initial one.
    """
    return _Loop(backbone, problem, config, seed).run()


class _Loop:
    """The state of one run. Memory does not grow with steps: only scalars are recorded per step."""

    def __init__(self, backbone: Backbone, problem: Problem, config: ReasoningConfig, seed: int) -> None:
        self.backbone, self.problem, self.config = backbone, problem, config
        self.started = time.perf_counter()
        self.generator = torch.Generator().manual_seed(seed)
        # In float32 whatever the model runs in: an update is far smaller than a step of bfloat16.
        self.latents = backbone.think_embedding().float().expand(config.latents, -1).clone()
        self.accepted: torch.Tensor | None = None
        self.accepted_count = 0
        self.injected: list[Injected] = []
        self.records: list[StepRecord] = []

    def run(self) -> Thought:
        config = self.config
        none: Patches = ((),) * config.latents
        start = self._evaluate(self.latents[None], none, attention=config.inject)
        initial = best = self._state(start, 0, self.latents, none)
        self._accept(initial)
        self._record(0, start, 0, best, 0.0)
        attention = start.attention
        neutral = self._neutral_attention()
        stale, stopped = 0, "steps"
        for step in range(1, config.steps + 1):
            best = self._rescored(best)
            if self._certain(best):
                stopped = "threshold"
                break
            if config.budget_ms is not None and self._elapsed_ms() >= config.budget_ms:
                stopped = "budget"
                break
            sigma = config.sigma * config.sigma_decay ** (step - 1)
            if config.inject and attention is None and self._has_room(best.patches):
                attention = self._attention(best.patches, self.problem.prefix)
            new, weights = self._propose(attention, neutral, best.patches)
            attention = None  # the latents move below, so it is read again at the next step
            patches = union(best.patches, new)
            tried = self._step(patches, sigma)
            evaluated = tried.seen
            winner = int(evaluated.scores.reward.argmax())
            improved = float(evaluated.scores.reward[winner]) > best.reward
            if improved:
                best = self._state(evaluated, winner, tried.candidates[winner], patches)
                self._accept(best)
                self._keep(new, weights, step)
            self._record(step, evaluated, winner, best, sigma)
            stale = 0 if improved else stale + 1
            if config.patience is not None and stale >= config.patience:
                stopped = "patience"
                break
        else:
            stopped = "threshold" if self._certain(self._rescored(best)) else "steps"
        initial, best = self._rescored(initial), self._rescored(best)
        if initial.reward > best.reward:  # the mean has moved, and the initial state competes to the end
            best, self.injected = initial, []
        return Thought(best, initial, tuple(self.records), tuple(self.injected), stopped)

    # -- one step ------------------------------------------------------------------------------------------------

    def _step(self, patches: Patches, sigma: float) -> _Step:
        """Evaluate N candidates around the mean and move the mean."""
        rms = self.backbone.embedding_rms
        noise = draw_noise(
            (self.latents.shape[0], self.latents.shape[1]), self.config, sigma * rms, self.generator
        ).to(self.latents)
        if self.config.estimator == "gradient":
            mean = self.latents.detach().requires_grad_(True)
            candidates = mean + noise
            evaluated = self._evaluate(candidates, patches)
            gradient = pathwise(evaluated.scores.reward, mean)
            evaluated = _detach(evaluated)
        else:
            candidates = self.latents + noise
            evaluated = self._evaluate(candidates, patches)
            gradient = score_function(evaluated.scores.reward, noise, sigma * rms, self.config)
        self.latents = (self.latents + self.config.learning_rate * rms**2 * gradient.to(noise)).detach()
        return _Step(candidates.detach(), evaluated)

    def _evaluate(self, latents: torch.Tensor, patches: Patches, attention: bool = False) -> _Evaluated:
        """Score (B, L, d) latents with the same patches in one batch."""
        problem = self.problem
        suffix = assemble(latents, patches, problem.tokens, problem.cue)
        query = SuffixQuery(
            (*suffix.latent_at, suffix.answer_at),
            suffix.latent_at if attention else (),
            problem.image if attention else None,
            self.config.attention_layers,
            self.config.attention_heads,
        )
        out = self.backbone.evaluate(problem.prefix, suffix.rows, query)
        answer = out.logits[:, -1]
        if problem.option_tokens:
            answer = answer[:, list(problem.option_tokens)]
        seen = Observation(out.logits[:, :-1], answer, bool(problem.option_tokens), self.accepted)
        return _Evaluated(score(seen, self.config), seen.answer_distribution, out.attention)

    # -- injection -----------------------------------------------------------------------------------------------

    def _attention(self, patches: Patches, prefix: Prefix) -> torch.Tensor:
        """(1, L, n) attention of the current latents over the image; nothing else is computed."""
        problem = self.problem
        no_cue = problem.cue[:0]
        suffix = assemble(self.latents[None], patches, problem.tokens, no_cue)
        query = SuffixQuery(
            (), suffix.latent_at, problem.image, self.config.attention_layers, self.config.attention_heads
        )
        out = self.backbone.evaluate(prefix, suffix.rows, query)
        if out.attention is None:
            raise RuntimeError("the backbone returned no attention although it was asked for")
        return out.attention

    def _has_room(self, chosen: Patches) -> bool:
        """Whether any latent may still get a patch; if not, nobody needs to know where it looks."""
        most = min(self.config.max_patches, len(self.problem.tokens))
        return any(len(tokens) < most for tokens in chosen)

    def _neutral_attention(self) -> torch.Tensor | None:
        wanted = self.config.inject and self.config.attention_correction == "neutral"
        if not wanted or self.problem.neutral is None:
            return None
        return self._attention(((),) * self.config.latents, self.problem.neutral)[0]

    def _propose(
        self, attention: torch.Tensor | None, neutral: torch.Tensor | None, chosen: Patches
    ) -> tuple[Patches, torch.Tensor | None]:
        if attention is None:
            return ((),) * len(chosen), None
        prior = self.problem.prior if self.config.map_prior else None
        weights = selection_weights(attention[0], neutral, prior)
        return select(weights, chosen, self.config.patches_per_step, self.config.max_patches), weights

    def _keep(self, new: Patches, weights: torch.Tensor | None, step: int) -> None:
        if weights is not None:
            self.injected += [
                Injected(latent, step, token, float(weights[latent, token]))
                for latent, tokens in enumerate(new)
                for token in tokens
            ]

    # -- bookkeeping ---------------------------------------------------------------------------------------------

    def _state(self, seen: _Evaluated, index: int, latents: torch.Tensor, patches: Patches) -> State:
        scores = seen.scores
        confidence, reward = float(scores.confidence[index]), float(scores.reward[index])
        return State(latents.detach(), patches, confidence, reward, seen.answers[index].detach())

    def _rescored(self, state: State) -> State:
        """The state with its reward against the running mean as it is now."""
        if self.accepted is None:
            return state
        drift = float(jensen_shannon(state.answer, self.accepted))
        return replace(state, reward=state.confidence - self.config.stability_weight * drift)

    def _accept(self, state: State) -> None:
        """Running mean of the answer distributions of accepted states (stability reward)."""
        self.accepted_count += 1
        if self.accepted is None:
            self.accepted = state.answer
        else:
            self.accepted = self.accepted + (state.answer - self.accepted) / self.accepted_count

    def _elapsed_ms(self) -> float:
        return (time.perf_counter() - self.started) * 1000

    def _certain(self, best: State) -> bool:
        threshold = self.config.reward_threshold
        return threshold is not None and best.reward >= threshold

    def _record(self, step: int, seen: _Evaluated, index: int, best: State, sigma: float) -> None:
        scores = seen.scores
        self.records.append(
            StepRecord(
                step=step,
                reward=float(scores.reward[index]),
                best_reward=best.reward,
                mean_reward=float(scores.reward.mean()),
                confidence=float(scores.confidence[index]),
                stability=float(scores.divergence[index]),
                entropy=tuple(scores.latent_entropy[index].tolist()),
                answer_entropy=float(scores.answer_entropy[index]),
                patches=count_patches(best.patches),
                sigma=sigma,
            )
        )


def _detach(seen: _Evaluated) -> _Evaluated:
    scores = seen.scores
    return replace(
        seen,
        scores=Scores(
            scores.reward.detach(), scores.confidence.detach(), scores.divergence.detach(),
            scores.latent_entropy.detach(), scores.answer_entropy.detach(),
        ),
        answers=seen.answers.detach(),
    )  # fmt: skip
