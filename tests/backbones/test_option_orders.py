"""Averaging over the orders of the options, on every family: exact, in one forward, and blind to letters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch
from PIL import Image
from tests.backbones.cases import PROMPT

from reason_iad.backbones import Backbone
from reason_iad.backbones.base import SuffixQuery
from reason_iad.config import METHODS, ReasoningConfig
from reason_iad.inspection.answering import Scene, answer_question
from reason_iad.inspection.prompts import build_prompt
from reason_iad.inspection.questions import Question
from reason_iad.reasoning import assemble

QUESTION = Question("question", "What is it?", ("gap", "a long scratch", "dent"))
LATENT = ReasoningConfig(steps=4, sigma=0.3, reward_threshold=None, patience=None)
DIRECT, FULL = METHODS["direct"], METHODS["full"]


@pytest.fixture(scope="module")
def scene(backbone: Backbone, images: list[Image.Image]) -> Scene:
    tokens = [backbone.embed_image(image) for image in images]
    head = backbone.head(PROMPT, tokens)
    return Scene(backbone, PROMPT.head, head, tokens[-1], None, 168, 100)


def turned(question: Question, turn: int) -> Question:
    return replace(question, options=(*question.options[turn:], *question.options[:turn]))


def plainly(scene: Scene, rows: torch.Tensor, *, latents: bool) -> list[float]:
    """Each order as a full forward of its own, averaged option by option."""
    backbone, total = scene.backbone, dict.fromkeys(QUESTION.options, 0.0)
    for turn in range(3):
        asked = turned(QUESTION, turn)
        prefix = backbone.question(scene.head, build_prompt(scene.parts, asked, latents=latents))
        out = backbone.evaluate_uncached(prefix, rows[None], SuffixQuery((len(rows) - 1,))).logits[0, 0]
        letters = out[backbone.option_tokens("ABC")].softmax(-1).tolist()
        for option, probability in zip(asked.options, letters, strict=True):
            total[option] += probability / 3
    return list(total.values())


def test_all_orders_in_one_forward_equal_each_alone(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[torch.Size] = []
    evaluate = scene.backbone.evaluate

    def spy(prefix: Any, suffix: torch.Tensor, query: SuffixQuery) -> Any:
        calls.append(suffix.shape)
        return evaluate(prefix, suffix, query)

    monkeypatch.setattr(scene.backbone, "evaluate", spy)
    answer = answer_question(scene, QUESTION, DIRECT, None, 0, 8, "cyclic").answer
    cue = scene.backbone.cue(build_prompt(scene.parts, QUESTION, latents=False))
    assert list(answer.probabilities.values()) == pytest.approx(plainly(scene, cue, latents=False), abs=1e-4)
    assert [shape[0] for shape in calls] == [3]


def test_think_tokens_are_read_in_every_order(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    from reason_iad.inspection import answering

    seen: list[Any] = []

    def spy(backbone: Backbone, problem: Any, config: ReasoningConfig, seed: int) -> Any:
        seen.extend((problem, answering_reason(backbone, problem, config, seed)))
        return seen[-1]

    answering_reason = answering.reason
    monkeypatch.setattr(answering, "reason", spy)
    answer = answer_question(scene, QUESTION, FULL, LATENT, 0, 8, "cyclic").answer
    problem, thought = seen
    for state, found in (
        (thought.best, answer.probabilities),
        (thought.initial, answer.initial_probabilities),
    ):
        rows = assemble(state.latents[None], state.patches, problem.tokens, problem.cue).rows[0]
        assert list(found.values()) == pytest.approx(plainly(scene, rows, latents=True), abs=1e-4)
    assert list(answer.probabilities.values()) != pytest.approx(thought.best.answer.tolist(), abs=1e-3)


@contextmanager
def preferring(backbone: Any, letter: str, logit: float) -> Iterator[None]:
    """A model that likes a letter, whatever stands there."""
    token = backbone.option_tokens([letter])[0]

    def push(_: Any, __: Any, logits: torch.Tensor) -> torch.Tensor:
        pushed = logits.clone()
        pushed[..., token] += logit
        return pushed

    hook = backbone.model.lm_head.register_forward_hook(push)
    try:
        yield
    finally:
        hook.remove()


@pytest.mark.parametrize("method", ["direct", "cot"])
def test_a_liking_for_a_letter_cancels(scene: Scene, method: str) -> None:
    def by_option(turn: int, orders: Any) -> list[float]:
        asked = turned(QUESTION, turn)
        answer = answer_question(scene, asked, METHODS[method], None, 0, 3, orders).answer
        found = dict(zip(asked.options, answer.probabilities.values(), strict=True))
        return [found[option] for option in QUESTION.options]

    with preferring(scene.backbone, "A", 6.0):
        given = [by_option(turn, "given") for turn in (0, 1)]
        cyclic = [by_option(turn, "cyclic") for turn in (0, 1, 2)]
    assert given[0] != pytest.approx(given[1], abs=0.1), "the liking must show without the switch"
    assert cyclic[1] == pytest.approx(cyclic[0], abs=1e-5)
    assert cyclic[2] == pytest.approx(cyclic[0], abs=1e-5)
    assert sum(cyclic[0]) == pytest.approx(1.0, abs=1e-5)
