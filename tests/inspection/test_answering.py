"""The product's own way from a question to an answer: what reaches the loop, and what is decoded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from reason_iad.backbones import Backbone, load_backbone
from reason_iad.backbones.base import ImageTokens, Prefix, SuffixQuery
from reason_iad.config import METHODS, ReasoningConfig, suffix_positions
from reason_iad.errors import PromptError
from reason_iad.inspection import answering
from reason_iad.inspection.answering import Scene, answer_question
from reason_iad.inspection.prompts import build_head, build_prompt
from reason_iad.inspection.questions import NEUTRAL_QUESTION, Question, detection_question, explanation_question
from reason_iad.reasoning import Problem, Thought, assemble, reason

CONFIG = ReasoningConfig(steps=6, sigma=0.3, reward_threshold=None, patience=None)
FULL = METHODS["full"]


@pytest.fixture(scope="module", params=["fake", "qwen2_5_vl"])
def backbone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    if request.param == "fake":
        return load_backbone("fake")
    from tests.backbones import tiny

    return load_backbone(str(tiny.qwen2_5_vl(tmp_path_factory.mktemp("answering"))), device="cpu")


@pytest.fixture
def scene(backbone: Backbone) -> Scene:
    from tests.reasoning.scenes import picture

    images = [backbone.embed_image(picture(1)), backbone.embed_image(picture(2))]
    parts = build_head((), 1, "pcb")
    head = backbone.head(build_prompt(parts, detection_question(), latents=False), images)
    prior = torch.linspace(0, 1, len(images[1].tokens))
    return Scene(backbone, parts, head, images[1], prior, 120, 150)


class Watched:
    """Remembers the problem and the thought of one call of the loop."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.problem: Problem | None = None
        self.thought: Thought | None = None
        self.seed = -1
        monkeypatch.setattr(answering, "reason", self.reason)

    def reason(self, backbone: Backbone, problem: Problem, config: ReasoningConfig, seed: int) -> Thought:
        self.problem, self.seed = problem, seed
        self.thought = reason(backbone, problem, config, seed)
        return self.thought


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(monkeypatch)


def test_the_problem_is_this_scene(scene: Scene, watched: Watched) -> None:
    answer_question(scene, detection_question(), FULL, CONFIG, 0, 8)
    problem = watched.problem
    assert problem is not None
    assert problem.image == scene.head.images[-1], "attention is read over the query, not over the reference"
    assert problem.image != scene.head.images[0]
    assert problem.tokens is scene.query.tokens
    assert problem.prior is scene.prior
    assert problem.neutral is not None
    neutral = build_prompt(scene.parts, answering.Question("n", NEUTRAL_QUESTION), latents=True)
    expected = scene.backbone.question(scene.head, neutral)
    assert torch.equal(problem.neutral.embeddings, expected.embeddings)
    assert problem.neutral.length != problem.prefix.length


def test_papers_settings_have_no_neutral_prompt(scene: Scene, watched: Watched) -> None:
    answer_question(scene, detection_question(), FULL, replace(CONFIG, attention_correction="none"), 0, 8)
    assert watched.problem is not None
    assert watched.problem.neutral is None


def test_the_answer_is_that_of_the_best_state(scene: Scene, watched: Watched) -> None:
    answered = answer_question(scene, detection_question(), FULL, CONFIG, 0, 8)
    thought, problem = watched.thought, watched.problem
    assert thought is not None
    assert problem is not None
    assert thought.best.reward > thought.initial.reward, "the test needs a search that found something"
    suffix = assemble(thought.best.latents[None], thought.best.patches, problem.tokens, problem.cue)
    out = scene.backbone.evaluate(problem.prefix, suffix.rows, SuffixQuery((suffix.answer_at,)))
    fresh = out.logits[0, 0, list(problem.option_tokens)].softmax(-1).tolist()
    assert list(answered.answer.probabilities.values()) == pytest.approx(fresh, abs=1e-5)
    initial = list(answered.answer.initial_probabilities.values())
    assert initial == pytest.approx(thought.initial.answer.tolist(), abs=1e-6)
    assert initial != pytest.approx(fresh, abs=1e-4)
    assert len(answered.patches) == sum(map(len, thought.best.patches))


def test_text_is_decoded_from_the_best_state_with_its_patches(
    scene: Scene, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Tensor] = []
    decode = scene.backbone.decode

    def spy(prefix: Prefix, rows: torch.Tensor, max_new_tokens: int) -> Any:
        seen.append(rows)
        return decode(prefix, rows, max_new_tokens)

    monkeypatch.setattr(scene.backbone, "decode", spy)
    for seed in range(12):  # some searches find nothing on random weights
        answered = answer_question(scene, explanation_question("Defect: x"), FULL, CONFIG, seed, 4)
        thought, problem = watched.thought, watched.problem
        assert thought is not None
        assert problem is not None
        if any(thought.best.patches):
            break
    best = assemble(thought.best.latents[None], thought.best.patches, problem.tokens, problem.cue).rows[0]
    assert sum(map(len, thought.best.patches)) > 0, "the test needs injected patches"
    assert torch.equal(seen[-1][: len(best)], best)
    assert len(seen[-1]) > len(best), "the opening of the answer follows"
    assert answered.answer.text.startswith("Defect: x")


def test_the_seed_and_the_question_decide_the_noise(scene: Scene, watched: Watched) -> None:
    seeds = []
    for seed, question in ((0, detection_question()), (1, detection_question()), (0, explanation_question())):
        answer_question(scene, question, FULL, CONFIG, seed, 4)
        seeds.append(watched.seed)
    assert len(set(seeds)) == 3


def test_a_map_changes_what_is_looked_at(scene: Scene) -> None:
    tokens = len(scene.query.tokens)
    first = torch.zeros(tokens)
    first[0] = 1.0
    last = first.flip(0)
    config = replace(CONFIG, patches_per_step=1, steps=10)
    looked = [
        {(p.row, p.column) for p in answer_question(
            replace(scene, prior=prior), detection_question(), FULL, config, 0, 4).patches}
        for prior in (first, last)
    ]  # fmt: skip
    assert looked[0] != looked[1]


# -- room in the context window ------------------------------------------------------------------------------------

MANY = ReasoningConfig(
    latents=8, steps=3, patches_per_step=10, max_patches=30, patience=None, reward_threshold=None
)


def exact_room(scene: Scene, question: Question, written: int) -> int:
    """Positions of the head, the question, eight think tokens with 30 patches each, the cue, and the answer."""
    prompt = build_prompt(scene.parts, question, latents=True)
    asked = len(scene.backbone.question_rows(scene.head, prompt, reserve=0))
    return scene.head.length + asked + 8 * 31 + len(scene.backbone.cue(prompt)) + written


@pytest.mark.parametrize("question", [detection_question(), explanation_question("It is")], ids=["options", "open"])
def test_a_configuration_that_just_fits_runs_to_its_end(
    scene: Scene, question: Question, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = 1 if question.options else scene.backbone.count_tokens("It is") + 8
    monkeypatch.setattr(scene.backbone, "context_length", exact_room(scene, question, written))
    answer = answer_question(scene, question, METHODS["full"], MANY, 0, 8).answer
    assert len(answer.steps) == MANY.steps + 1
    assert answer.text


@pytest.mark.parametrize("question", [detection_question(), explanation_question("It is")], ids=["options", "open"])
def test_one_position_less_is_refused_before_anything_runs(
    scene: Scene, question: Question, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = 1 if question.options else scene.backbone.count_tokens("It is") + 8
    room = exact_room(scene, question, written) - 1
    monkeypatch.setattr(scene.backbone, "context_length", room)
    monkeypatch.setattr(scene.backbone, "evaluate", None)
    with pytest.raises(
        PromptError, match=f"reads at most {room}. Use fewer references.*fewer think tokens"
    ) as caught:
        answer_question(scene, question, METHODS["full"], MANY, 0, 8)
    reserve = 8 * 31 + len(scene.backbone.cue(build_prompt(scene.parts, question, latents=True))) + written
    assert f"needs {reserve} more" in str(caught.value)


def test_the_head_is_refused_when_no_question_could_be_answered(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [ImageTokens(scene.query.tokens, scene.query.rows, scene.query.columns)] * 2
    prompt = build_prompt(scene.parts, detection_question(), latents=True)
    room = answering.room_for_answers(MANY, 96)
    assert room == 8 * 31 + 96
    assert answering.room_for_answers(None, 96) == 96
    length = scene.backbone.head(prompt, images).length
    monkeypatch.setattr(scene.backbone, "context_length", length + room)
    scene.backbone.head(prompt, images, reserve=room)
    with pytest.raises(PromptError, match=f"takes {length} tokens and needs {room + 1} more"):
        scene.backbone.head(prompt, images, reserve=room + 1)


def test_positions_of_a_configuration() -> None:
    assert suffix_positions(None) == 0
    assert suffix_positions(ReasoningConfig()) == 4 * 17
    assert suffix_positions(ReasoningConfig(inject=False)) == 4
    assert suffix_positions(ReasoningConfig(steps=3, patches_per_step=2)) == 4 * 7, "no more than the steps propose"
