"""Properties of the loop. The first eight are those that the closest public code lacks; see docs/method.md."""

from __future__ import annotations

import gc
from dataclasses import replace

import pytest
import torch
from tests.reasoning.scenes import make_problem, picture

from reason_iad.backbones import Backbone
from reason_iad.backbones.base import Decoded, Prefix, SuffixOutput, SuffixQuery
from reason_iad.config import METHODS, ReasoningConfig
from reason_iad.inspection.questions import explanation_question
from reason_iad.reasoning import Problem, Thought, assemble, reason
from reason_iad.reasoning.reference import reason_plainly

FULL = ReasoningConfig(steps=6, sigma=0.3, reward_threshold=None, patience=None)
PAPER = replace(METHODS["paper"].reasoning or FULL, steps=6, sigma=0.3)
VARIANTS = {
    "ours": FULL,
    "paper": PAPER,
    "no injection": replace(FULL, inject=False),
    "one pair": replace(FULL, candidates=2),
    "no pairs": replace(FULL, antithetic=False, candidates=3),
    "early stop": replace(FULL, patience=2, steps=12),
    "few patches": replace(FULL, max_patches=3),
    "chosen layers": replace(FULL, attention_layers=(0, 2)),
    "chosen heads": replace(FULL, attention_heads=(1,)),
}


class Spy:
    """Passes everything on to a backbone and remembers each evaluation."""

    def __init__(self, backbone: Backbone) -> None:
        self.backbone = backbone
        self.seen: list[tuple[torch.Tensor, SuffixQuery, SuffixOutput]] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self.backbone, name)

    def evaluate(self, prefix: Prefix, suffix: torch.Tensor, query: SuffixQuery) -> SuffixOutput:
        out = self.backbone.evaluate(prefix, suffix, query)
        self.seen.append((suffix.detach().clone(), query, out))
        return out


def rewarded(backbone: Backbone, problem: Problem, thought: Thought) -> torch.Tensor:
    """The answer distribution of the best state, evaluated afresh."""
    best = thought.best
    suffix = assemble(best.latents[None], best.patches, problem.tokens, problem.cue)
    out = backbone.evaluate(problem.prefix, suffix.rows, SuffixQuery((suffix.answer_at,)))
    return out.logits[0, 0, list(problem.option_tokens)].softmax(-1)


# -- the eight properties ------------------------------------------------------------------------------------------


def test_1_the_reward_depends_on_the_image(backbone: Backbone) -> None:
    one = reason(backbone, make_problem(backbone, picture(2)), FULL, seed=0)
    two = reason(backbone, make_problem(backbone, picture(3)), FULL, seed=0)
    assert one.initial.reward != two.initial.reward
    assert one.steps[1].reward != two.steps[1].reward


def test_2_injected_rows_are_projected_image_tokens(backbone: Backbone) -> None:
    problem, spy = make_problem(backbone), Spy(backbone)
    reason(spy, problem, FULL, seed=0)  # type: ignore[arg-type]
    suffix, query, _ = max(spy.seen, key=lambda call: call[0].shape[1])
    cue = len(problem.cue)
    between = [i for i in range(suffix.shape[1] - cue) if i not in query.logits_at]
    assert between
    for row in suffix[0, between]:
        assert (problem.tokens == row).all(-1).any()
    thought = reason(backbone, problem, FULL, seed=0)
    best = assemble(thought.best.latents[None], thought.best.patches, problem.tokens, problem.cue)
    chosen = [token for tokens in thought.best.patches for token in tokens]
    places = [i for i in range(best.rows.shape[1] - cue) if i not in best.latent_at]
    assert chosen
    assert torch.equal(best.rows[0, places], problem.tokens[chosen]), "exactly the tokens that were chosen"
    assert len({tuple(row.tolist()) for row in suffix[0, between]}) > 1, "not all the same placeholder"


def test_3_rewards_are_read_where_the_latents_are(backbone: Backbone) -> None:
    problem, spy = make_problem(backbone), Spy(backbone)
    thought = reason(spy, problem, FULL, seed=0)  # type: ignore[arg-type]
    calls = [call for call in spy.seen if call[0].shape[0] == FULL.candidates]
    best = thought.best.latents
    found = 0
    for suffix, query, _ in calls:
        assert query.logits_at[-1] == suffix.shape[1] - 1
        at_latents = suffix[:, list(query.logits_at[:-1])]
        found += int((at_latents == best).all(-1).all(-1).any())
    assert thought.best.reward > thought.initial.reward, "the test needs a search that found something"
    assert found == 1, "the best latents stand exactly where a reward was read, once"
    moved = [query.logits_at for _, query, _ in calls]
    assert moved[-1][:-1] != tuple(range(FULL.latents)), "patches must have shifted the positions"


def test_4_the_answer_is_decoded_from_the_state_that_earned_the_reward(backbone: Backbone) -> None:
    problem = make_problem(backbone)
    thought = reason(backbone, problem, FULL, seed=0)
    best = assemble(thought.best.latents[None], thought.best.patches, problem.tokens, problem.cue)
    decoded: Decoded = backbone.decode(problem.prefix, best.rows[0], 1)
    from_decoding = decoded.first_logits[list(problem.option_tokens)].softmax(-1)
    assert torch.allclose(from_decoding, thought.best.answer, atol=1e-5)


def test_5_what_is_kept_is_what_was_scored(backbone: Backbone) -> None:
    problem = make_problem(backbone)
    thought = reason(backbone, problem, replace(FULL, learning_rate=5.0), seed=0)
    assert thought.best.reward > thought.initial.reward, "the test needs a search that found something"
    assert torch.allclose(rewarded(backbone, problem, thought), thought.best.answer, atol=1e-5)


def test_6_the_gradient_estimator_climbs(backbone: Backbone) -> None:
    """With hardly any noise left, only the gradient can raise the mean reward."""
    config = replace(FULL, estimator="gradient", sigma=1e-3, inject=False, stability_weight=0.0, steps=8)
    problem = make_problem(backbone)
    still = reason(backbone, problem, replace(config, learning_rate=0.0), seed=0)
    moving = reason(backbone, problem, replace(config, learning_rate=0.5), seed=0)
    assert moving.steps[-1].mean_reward > still.steps[-1].mean_reward + 1e-3


# 7 (three-dimensional positions) is tests/backbones/test_parity.py::test_explicit_positions_equal_the_models_own


def test_8_sigma_is_relative_to_the_embeddings(backbone: Backbone) -> None:
    problem, spy = make_problem(backbone), Spy(backbone)
    reason(spy, problem, replace(FULL, steps=1, candidates=64, inject=False), seed=0)  # type: ignore[arg-type]
    suffix, query, _ = spy.seen[-1]
    noise = suffix[:, list(query.logits_at[:-1])] - backbone.think_embedding()
    assert float(noise.std()) == pytest.approx(0.3 * backbone.embedding_rms, rel=0.1)


# -- parity with the plain statement -------------------------------------------------------------------------------


@pytest.mark.parametrize("config", VARIANTS.values(), ids=VARIANTS.keys())
@pytest.mark.parametrize("prior", [True, False], ids=["map", "no map"])
def test_the_loop_equals_the_plain_statement(backbone: Backbone, config: ReasoningConfig, prior: bool) -> None:
    problem = make_problem(backbone, prior=prior)
    fast, plain = reason(backbone, problem, config, 1), reason_plainly(backbone, problem, config, 1)
    assert len(fast.steps) == len(plain.rewards)
    for record, rewards in zip(fast.steps, plain.rewards, strict=True):
        assert record.reward == pytest.approx(max(rewards), abs=1e-4)
        assert record.mean_reward == pytest.approx(sum(rewards) / len(rewards), abs=1e-4)
    assert fast.best.patches == plain.patches
    assert fast.best.reward == pytest.approx(plain.reward, abs=1e-4)
    assert fast.best.answer.tolist() == pytest.approx(list(plain.answer), abs=1e-4)
    assert torch.allclose(fast.best.latents, plain.latents, atol=1e-4)


def test_an_open_question_equals_the_plain_statement(backbone: Backbone) -> None:
    problem = make_problem(backbone, question=explanation_question())
    fast, plain = reason(backbone, problem, FULL, 1), reason_plainly(backbone, problem, FULL, 1)
    assert fast.best.patches == plain.patches
    assert fast.best.reward == pytest.approx(plain.reward, abs=1e-4)


# -- what users rely on --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", VARIANTS.values(), ids=VARIANTS.keys())
def test_nothing_beats_the_best_state(backbone: Backbone, config: ReasoningConfig) -> None:
    """By the mean of its step, no candidate scores above the best state; by the last mean, nor does the start."""
    thought = reason(backbone, make_problem(backbone), config, seed=3)
    assert all(record.best_reward >= record.reward for record in thought.steps)
    assert thought.best.reward >= thought.initial.reward


class Scripted(Spy):
    """Answers the n-th question about an answer with the n-th row of a list of distributions over two options."""

    def __init__(
        self, backbone: Backbone, answers: list[list[tuple[float, float]]], options: tuple[int, ...]
    ) -> None:
        super().__init__(backbone)
        self.answers, self.options = answers, options

    def evaluate(self, prefix: Prefix, suffix: torch.Tensor, query: SuffixQuery) -> SuffixOutput:
        out = super().evaluate(prefix, suffix, query)
        out.logits[:, -1, list(self.options)] = torch.tensor(self.answers[len(self.seen) - 1]).log()
        return out

    evaluate_uncached = evaluate


SURE, LESS_SURE = (0.05, 0.95), (0.06, 0.94)
"""The second is worse: less confident, and as far from the initial answer (0.6, 0.4)."""


def test_states_are_compared_by_one_yardstick(backbone: Backbone) -> None:
    """A later, worse state must not win because the running mean has moved towards it in the meantime."""
    problem = make_problem(backbone)
    answers = [[(0.6, 0.4)], [SURE, (0.6, 0.4)], [LESS_SURE, (0.6, 0.4)]]
    config = ReasoningConfig(
        steps=2, candidates=2, inject=False, latent_weight=0.0, stability_weight=1.0, reward_threshold=None
    )
    scripted = Scripted(backbone, answers, problem.option_tokens)
    thought = reason(scripted, problem, config, seed=0)  # type: ignore[arg-type]
    assert thought.best.answer.tolist() == pytest.approx(SURE)
    first, second = thought.steps[1:]
    assert first.reward == first.best_reward > 0.3, "the first winner is taken, although it is far from the start"
    assert second.reward > first.reward, "the second one looks better than the first one did"
    assert second.best_reward > second.reward, "but not by the same mean"


def test_the_plain_statement_compares_by_one_yardstick_too(backbone: Backbone) -> None:
    problem = make_problem(backbone)
    one_by_one = [[(0.6, 0.4)], [SURE], [(0.6, 0.4)], [LESS_SURE], [(0.6, 0.4)]]
    config = ReasoningConfig(
        steps=2, candidates=2, inject=False, latent_weight=0.0, stability_weight=1.0, reward_threshold=None,
        attention_correction="none",
    )  # fmt: skip
    scripted = Scripted(backbone, one_by_one, problem.option_tokens)
    plain = reason_plainly(scripted, problem, config, seed=0)  # type: ignore[arg-type]
    assert plain.answer == pytest.approx(SURE)


def test_reasoning_changes_the_answer(backbone: Backbone) -> None:
    thought = reason(backbone, make_problem(backbone), FULL, seed=0)
    assert (thought.best.answer - thought.initial.answer).abs().max() > 1e-4


def test_the_same_seed_gives_the_same_thought_bit_for_bit(backbone: Backbone) -> None:
    one, two = (reason(backbone, make_problem(backbone), FULL, seed=5) for _ in range(2))
    assert torch.equal(one.best.latents, two.best.latents)
    assert (one.steps, one.injected) == (two.steps, two.injected)
    other = reason(backbone, make_problem(backbone), FULL, seed=6)
    assert one.steps[1:] != other.steps[1:]


def test_dropped_candidates_leave_no_patch(backbone: Backbone) -> None:
    """Patches grow only at steps that raised the best reward, and only by what those steps proposed."""
    thought = reason(backbone, make_problem(backbone), replace(FULL, steps=10), seed=0)
    improved = {record.step for record in thought.steps[1:] if record.reward == record.best_reward}
    assert {patch.step for patch in thought.injected} == improved
    assert [patch.token for patch in thought.injected if patch.latent == 0] == list(thought.best.patches[0])


def test_never_more_patches_than_allowed(backbone: Backbone) -> None:
    thought = reason(backbone, make_problem(backbone), replace(FULL, steps=30, max_patches=5), seed=0)
    assert max(map(len, thought.best.patches)) <= 5
    assert all(len(set(chosen)) == len(chosen) for chosen in thought.best.patches)


def test_early_stopping(backbone: Backbone) -> None:
    problem = make_problem(backbone)
    assert reason(backbone, problem, replace(FULL, reward_threshold=-1.0), 0).stopped == "threshold"
    still = replace(FULL, inject=False, sigma=1e-9, learning_rate=0.0, patience=2, stability_weight=0.0)
    thought = reason(backbone, problem, replace(still, steps=50), 0)
    assert thought.stopped == "patience"
    assert len(thought.steps) < 50
    assert reason(backbone, problem, replace(FULL, steps=0), 0).stopped == "steps"


def test_a_budget_ends_the_search_at_the_best_state_so_far(backbone: Backbone) -> None:
    problem = make_problem(backbone)
    thought = reason(backbone, problem, replace(FULL, steps=1000, budget_ms=30.0), 0)
    assert thought.stopped == "budget"
    assert 1 <= len(thought.steps) < 1000
    assert thought.best.reward >= thought.initial.reward


def test_a_step_costs_its_suffix_only(backbone: Backbone) -> None:
    problem, spy = make_problem(backbone), Spy(backbone)
    reason(spy, problem, FULL, seed=0)  # type: ignore[arg-type]
    assert max(suffix.shape[1] for suffix, _, _ in spy.seen) < 4 * 17 + len(problem.cue)
    assert len(spy.seen) <= 2 + 2 * FULL.steps


@pytest.mark.slow  # it looks at all objects of the process again and again
def test_memory_does_not_grow_with_steps(backbone: Backbone) -> None:
    """No tensor outlives its step: the number of live tensors after 4 and after 24 steps is the same."""
    problem = make_problem(backbone)

    def live(steps: int) -> int:
        thought = reason(backbone, problem, replace(FULL, steps=steps, max_patches=4), seed=0)
        gc.collect()
        count = sum(isinstance(thing, torch.Tensor) for thing in gc.get_objects())
        del thought
        return count

    live(4)
    assert abs(live(24) - live(4)) <= 2
