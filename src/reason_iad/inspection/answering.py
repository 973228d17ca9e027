"""One question about one scene, answered as the method says: directly, by chain of thought, or in latent space.

A scene is an image with its references and knowledge, run through the model once. Every question forks from it and
costs only its own tokens. Whatever the way, the answer is read from the same place: the distribution over the
option letters right after the answer cue, at exactly the state that earned the best reward.

A model behind an API keeps no state between questions: for it, a scene is what has to be sent each time.

Models prefer letters and places in a list. With `option_orders='cyclic'` every distribution over options is the
mean over all rotations of the options under the same letters (`option_orders.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from reason_iad.backbones.base import Backbone, ChatModel, ImageTokens, Prefix
from reason_iad.backbones.prompt import Data, Part, Prompt
from reason_iad.config import Method, Orders, ReasoningConfig, suffix_positions
from reason_iad.inspection.option_orders import averaged, ordered, read_options
from reason_iad.inspection.prompts import build_prompt
from reason_iad.inspection.questions import LETTERS, NEUTRAL_QUESTION, Question, best_choice
from reason_iad.reasoning import Problem, State, Thought, assemble, reason
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
    option_orders: Orders = "given",
) -> Answered:
    """Answer one question.

    Args:
        scene: the image, already run through the model, or ready to be sent to it.
        question: with options, or open.
        method: how to answer.
        reasoning: configuration of the latent loop, for methods that have one (never with a remote scene).
        seed: of the inspection; every question derives its own from it and from its key.
        max_tokens: length of generated text (answer of an open question, chain of thought).
        option_orders: 'cyclic' averages over the rotations of the options. Think tokens are optimised in the given
            order, and read in all; a chain of thought, and every request to an API, is one per order.

    Raises:
        PromptError: the question does not fit the context window.
        ModelError: a remote model gave no usable answer.
    """
    orders = ordered(question, option_orders)
    if isinstance(scene, RemoteScene):
        return _by_chat(scene, orders, method, max_tokens)
    if reasoning is not None:
        return _in_latent_space(scene, orders, reasoning, seed, max_tokens)
    if method.chain_of_thought and question.options:
        return _by_thinking_aloud(scene, orders, max_tokens)
    return _directly(scene, orders, max_tokens)


def room_for_answers(reasoning: ReasoningConfig | None, max_tokens: int) -> int:
    """Positions that the head of a prompt must leave free, so that its questions can be answered.

    What a question itself takes comes on top; it is checked when it is asked.

    Args:
        reasoning: configuration of the latent loop, if there is one.
        max_tokens: longest text that will be generated.
    """
    return suffix_positions(reasoning) + max_tokens


def question_seed(seed: int, key: str) -> int:
    """A seed for one question: the same whatever other questions are asked."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{key}".encode()).digest()[:7], "big")


def _directly(scene: Scene, orders: Sequence[Question], max_tokens: int) -> Answered:
    question, backbone = orders[0], scene.backbone
    prompts = [build_prompt(scene.parts, each, latents=False) for each in orders]
    cue = backbone.cue(prompts[0])
    if not question.options:
        reserve = len(cue) + _written(backbone, question, max_tokens)
        prefix = backbone.question(scene.head, prompts[0], reserve=reserve)
        return Answered(_open_answer(question, _write(backbone, prefix, cue, question, max_tokens)))
    (probabilities,) = read_options(backbone, scene.head, prompts, [cue], _letters(backbone, question))
    return Answered(_answer(question, probabilities))


def _by_thinking_aloud(scene: Scene, orders: Sequence[Question], max_tokens: int) -> Answered:
    """Generate a chain of thought, then read the options after it."""
    backbone = scene.backbone
    thoughts, distributions = [], []
    for question in orders:
        prompt = _followed(build_prompt(scene.parts, question, latents=False), THINK_ALOUD)
        cue = backbone.cue(prompt)
        # The thought, and after it the words that lead to the letter.
        reserve = len(cue) + max_tokens + backbone.count_tokens(CONCLUDE) + 1
        prefix = backbone.question(scene.head, prompt, reserve=reserve)
        thoughts.append(backbone.decode(prefix, cue, max_tokens).text)
        rows = torch.cat((cue, backbone.embed_text([Data(thoughts[-1] + CONCLUDE)])))
        distributions += read_options(backbone, scene.head, [prompt], [rows], _letters(backbone, question))
    return _aloud(orders[0], distributions, thoughts)


def _aloud(question: Question, distributions: Sequence[Sequence[float]], thoughts: Sequence[str]) -> Answered:
    """The answer over all orders, with the thoughts in the given one."""
    answer = _answer(question, averaged(distributions))
    return Answered(answer.model_copy(update={"reasoning_text": thoughts[0] if thoughts else None}))


def _followed(prompt: Prompt, text: str) -> Prompt:
    return Prompt(prompt.system, prompt.head, (*prompt.tail, Data(text)))


def _by_chat(scene: RemoteScene, orders: Sequence[Question], method: Method, max_tokens: int) -> Answered:
    """Directly or by chain of thought, each in requests of their own."""
    model, images, question = scene.model, scene.images, orders[0]
    if not question.options:
        prompt = build_prompt(scene.parts, question, latents=False)
        if question.opening:
            prompt = _followed(prompt, BEGIN_WITH + question.opening)
        return Answered(_open_answer(question, _joined(question.opening, model.write(prompt, images, max_tokens))))
    thoughts, distributions = [], []
    for each in orders:
        prompt = build_prompt(scene.parts, each, latents=False)
        if method.chain_of_thought:
            prompt = _followed(prompt, THINK_ALOUD)
            thoughts.append(model.write(prompt, images, max_tokens))
        thought = thoughts[-1] if thoughts else None
        distributions.append(model.choose(prompt, images, LETTERS[: len(each.options)], thought))
    return _aloud(question, distributions, thoughts)


def _in_latent_space(
    scene: Scene, orders: Sequence[Question], config: ReasoningConfig, seed: int, max_tokens: int
) -> Answered:
    """Optimise the think tokens, then answer from the best state."""
    backbone, question = scene.backbone, orders[0]
    prompts = [build_prompt(scene.parts, each, latents=True) for each in orders]
    cue = backbone.cue(prompts[0])
    reserve = suffix_positions(config) + len(cue) + _written(backbone, question, max_tokens)
    for prompt in prompts[1:]:  # refused now rather than after the search
        backbone.question_rows(scene.head, prompt, reserve=reserve)
    prefix = backbone.question(scene.head, prompts[0], reserve=reserve)
    neutral = None
    if config.inject and config.attention_correction == "neutral":
        asked = build_prompt(scene.parts, Question("neutral", NEUTRAL_QUESTION), latents=True)
        neutral = backbone.question(scene.head, asked, reserve=config.latents)  # read before there are patches
    problem = Problem(
        prefix=prefix,
        cue=cue,
        tokens=scene.query.tokens,
        image=scene.head.images[-1],
        option_tokens=_letters(backbone, question),
        neutral=neutral,
        prior=scene.prior,
    )
    thought = reason(backbone, problem, config, question_seed(seed, question.key))
    if question.options:
        best, initial = thought.best.answer.tolist(), thought.initial.answer.tolist()
        if len(orders) > 1:
            states = [_rows(problem, state) for state in (thought.best, thought.initial)]
            best, initial = read_options(backbone, scene.head, prompts, states, problem.option_tokens)
        answer = _answer(question, best, initial)
    else:
        text = _write(backbone, problem.prefix, _rows(problem, thought.best), question, max_tokens)
        answer = _open_answer(question, text)
    answer = answer.model_copy(update={"steps": thought.steps, "stopped": thought.stopped})
    return Answered(answer, _patches(scene, question.key, thought))


def _letters(backbone: Backbone, question: Question) -> tuple[int, ...]:
    """The token of each option letter; none for an open question."""
    return tuple(backbone.option_tokens(LETTERS[: len(question.options)])) if question.options else ()


def _written(backbone: Backbone, question: Question, max_tokens: int) -> int:
    """Positions that the answer takes after the cue: one letter, or an opening and a text."""
    return 1 if question.options else backbone.count_tokens(question.opening) + max_tokens


def _rows(problem: Problem, state: State) -> torch.Tensor:
    """(T, d) think tokens with their patches and the cue, as they were scored."""
    return assemble(state.latents[None], state.patches, problem.tokens, problem.cue).rows[0]


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
