"""One question about one scene, answered as the method says: directly, by chain of thought, or in latent space.

A scene is an image with its references and knowledge, run through the model once. Every question forks from it and
costs only its own tokens. Whatever the way, the answer is read from the same place: the distribution over the
option letters right after the answer cue, at exactly the state that earned the best reward.

A model behind an API keeps no state between questions: for it, a scene is what has to be sent each time.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch

from reason_iad.backbones.base import Backbone, ChatModel, ImageTokens, Prefix, SuffixQuery
from reason_iad.config import Method, ReasoningConfig
from reason_iad.prompt import (
    LETTERS,
    NEUTRAL_QUESTION,
    Data,
    Part,
    Prompt,
    Question,
    best_choice,
    build_prompt,
)
from reason_iad.reasoning import Problem, Thought, assemble, reason
from reason_iad.schema import Answer, Box, InjectedPatch

THINK_ALOUD = "Think step by step in a few short sentences."
CONCLUDE = "\nAnswer: "
BEGIN_WITH = "Begin your answer with these words: "
"""Asks a model for an opening where its answer cannot be begun for it."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that all questions about one image share.

    Attributes:
        backbone: the frozen model.
        parts: the head of the prompt.
        head: the same, run through the model.
        query: tokens of the inspected image.
        prior: (n,) calibrated anomaly map on the image tokens, or None.
        width, height: of the inspected image in pixels.
    """

    backbone: Backbone
    parts: tuple[Part, ...]
    head: Prefix
    query: ImageTokens
    prior: torch.Tensor | None
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class RemoteScene:
    """Everything that all questions about one image share, for a model behind an API.

    Attributes:
        model: the model.
        parts: the head of the prompt.
        images: references and inspected image, encoded once.
    """

    model: ChatModel
    parts: tuple[Part, ...]
    images: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer and the patches that were injected to get it."""

    answer: Answer
    patches: tuple[InjectedPatch, ...] = ()


def answer_question(
    scene: Scene | RemoteScene,
    question: Question,
    method: Method,
    reasoning: ReasoningConfig | None,
    seed: int,
    max_tokens: int,
) -> Answered:
    """Answer one question.

    Args:
        scene: the image, already run through the model, or ready to be sent to it.
        question: with options, or open.
        method: how to answer.
        reasoning: configuration of the latent loop, for methods that have one (never with a remote scene).
        seed: of the inspection; every question derives its own from it and from its key.
        max_tokens: length of generated text (answer of an open question, chain of thought).

    Raises:
        PromptError: the question does not fit the context window.
        ModelError: a remote model gave no usable answer.
    """
    if isinstance(scene, RemoteScene):
        return _by_chat(scene, question, method, max_tokens)
    if reasoning is not None:
        return _in_latent_space(scene, question, reasoning, seed, max_tokens)
    if method.chain_of_thought and question.options:
        return _by_thinking_aloud(scene, question, max_tokens)
    return _directly(scene, question, max_tokens)


def question_seed(seed: int, key: str) -> int:
    """A seed for one question: the same whatever other questions are asked."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{key}".encode()).digest()[:7], "big")


def _directly(scene: Scene, question: Question, max_tokens: int) -> Answered:
    prompt = build_prompt(scene.parts, question, latents=False)
    prefix = scene.backbone.question(scene.head, prompt)
    cue = scene.backbone.cue(prompt)
    if not question.options:
        return Answered(_open_answer(question, _write(scene.backbone, prefix, cue, question, max_tokens)))
    return Answered(_answer(question, _options_after(scene, prefix, cue, question)))


def _by_thinking_aloud(scene: Scene, question: Question, max_tokens: int) -> Answered:
    """Generate a chain of thought, then read the options after it."""
    backbone = scene.backbone
    prompt = _followed(build_prompt(scene.parts, question, latents=False), THINK_ALOUD)
    prefix = backbone.question(scene.head, prompt)
    cue = backbone.cue(prompt)
    thoughts = backbone.decode(prefix, cue, max_tokens).text
    rows = torch.cat((cue, backbone.embed_text([Data(thoughts + CONCLUDE)])))
    probabilities = _options_after(scene, prefix, rows, question)
    return Answered(_answer(question, probabilities).model_copy(update={"reasoning_text": thoughts}))


def _followed(prompt: Prompt, text: str) -> Prompt:
    return Prompt(prompt.system, prompt.head, (*prompt.tail, Data(text)))


def _by_chat(scene: RemoteScene, question: Question, method: Method, max_tokens: int) -> Answered:
    """Directly or by chain of thought, each in requests of their own."""
    model, images = scene.model, scene.images
    prompt = build_prompt(scene.parts, question, latents=False)
    if not question.options:
        if question.opening:
            prompt = _followed(prompt, BEGIN_WITH + question.opening)
        return Answered(_open_answer(question, _joined(question.opening, model.write(prompt, images, max_tokens))))
    thoughts = None
    if method.chain_of_thought:
        prompt = _followed(prompt, THINK_ALOUD)
        thoughts = model.write(prompt, images, max_tokens)
    probabilities = model.choose(prompt, images, LETTERS[: len(question.options)], thoughts)
    return Answered(_answer(question, probabilities).model_copy(update={"reasoning_text": thoughts}))


def _in_latent_space(
    scene: Scene, question: Question, config: ReasoningConfig, seed: int, max_tokens: int
) -> Answered:
    """Optimise the think tokens, then answer from the best state."""
    backbone = scene.backbone
    prompt = build_prompt(scene.parts, question, latents=True)
    neutral = None
    if config.inject and config.attention_correction == "neutral":
        asked = build_prompt(scene.parts, Question("neutral", NEUTRAL_QUESTION), latents=True)
        neutral = backbone.question(scene.head, asked)
    letters = LETTERS[: len(question.options)]
    problem = Problem(
        prefix=backbone.question(scene.head, prompt),
        cue=backbone.cue(prompt),
        tokens=scene.query.tokens,
        image=scene.head.images[-1],
        option_tokens=tuple(backbone.option_tokens(letters)) if letters else (),
        neutral=neutral,
        prior=scene.prior,
    )
    thought = reason(backbone, problem, config, question_seed(seed, question.key))
    if question.options:
        answer = _answer(question, thought.best.answer.tolist(), thought.initial.answer.tolist())
    else:
        best = assemble(thought.best.latents[None], thought.best.patches, problem.tokens, problem.cue)
        answer = _open_answer(question, _write(backbone, problem.prefix, best.rows[0], question, max_tokens))
    answer = answer.model_copy(update={"steps": thought.steps, "stopped": thought.stopped})
    return Answered(answer, _patches(scene, question.key, thought))


def _write(backbone: Backbone, prefix: Prefix, rows: torch.Tensor, question: Question, max_tokens: int) -> str:
    """Text that continues from (prefix, rows) and the opening of the answer."""
    if question.opening:
        rows = torch.cat((rows, backbone.embed_text([Data(question.opening)]).to(rows.dtype)))
    return _joined(question.opening, backbone.decode(prefix, rows, max_tokens).text)


def _joined(opening: str, text: str) -> str:
    """The opening and what follows it; a model that repeats the opening is not quoted twice."""
    text = text.strip()
    if not opening or text.startswith(opening):
        return text
    return f"{opening}{'' if text[:1] in ('', '.', ',', ';', ':') else ' '}{text}"


def _options_after(scene: Scene, prefix: Prefix, rows: torch.Tensor, question: Question) -> list[float]:
    """Distribution over the options right after `rows` (T, d)."""
    tokens = scene.backbone.option_tokens(LETTERS[: len(question.options)])
    out = scene.backbone.evaluate(prefix, rows[None], SuffixQuery((len(rows) - 1,)))
    probabilities: list[float] = out.logits[0, 0, tokens].softmax(-1).tolist()
    return probabilities


def _answer(question: Question, probabilities: list[float], initial: list[float] | None = None) -> Answer:
    by_letter = dict(zip(LETTERS, probabilities, strict=False))
    choice = best_choice(by_letter)
    return Answer(
        key=question.key,
        question=question.text,
        options=question.lettered,
        choice=choice,
        probabilities=by_letter,
        text=question.lettered[choice],
        initial_probabilities={} if initial is None else dict(zip(LETTERS, initial, strict=False)),
    )


def _open_answer(question: Question, text: str) -> Answer:
    return Answer(key=question.key, question=question.text, text=text)


def _patches(scene: Scene, key: str, thought: Thought) -> tuple[InjectedPatch, ...]:
    """The patches of the best state, with their places in the image."""
    rows, columns = scene.query.rows, scene.query.columns

    def box(token: int) -> Box:
        row, column = divmod(token, columns)
        return Box(
            x1=column * scene.width // columns,
            y1=row * scene.height // rows,
            x2=(column + 1) * scene.width // columns,
            y2=(row + 1) * scene.height // rows,
        )

    return tuple(
        InjectedPatch(
            question=key,
            latent=patch.latent,
            step=patch.step,
            row=patch.token // columns,
            column=patch.token % columns,
            box=box(patch.token),
            attention=patch.weight,
        )
        for patch in thought.injected
    )
