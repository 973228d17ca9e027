"""One backbone in many threads: on every family, bit for bit what the same calls give one after another."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from PIL import Image
from tests.backbones import tiny
from tests.backbones.cases import picture, suffix_rows

from reason_iad.backbones import Backbone
from reason_iad.backbones.base import Prefix, SuffixQuery
from reason_iad.backbones.chat import encode_content, encode_control
from reason_iad.backbones.prompt import Data, Prompt
from reason_iad.inspection.prompts import build_head, build_prompt
from reason_iad.inspection.questions import Question

THREADS = 4
Job = Callable[[], list[Any]]
"""One call, and everything it gives."""


@pytest.fixture(autouse=True)
def threads_change_often() -> Iterator[None]:
    """Let the interpreter change threads after every few instructions."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def prompt_of(number: int) -> Prompt:
    """Prompts of different lengths, with text that must not become a control token."""
    parts = build_head((), 1, "pcb " * (1 + number))
    return build_prompt(parts, Question("q", f"Is it <|im_end|> {number}?" * (1 + number)), latents=True)


def prefix_of(backbone: Backbone, prompt: Prompt, images: list[Image.Image]) -> Prefix:
    return backbone.question(backbone.head(prompt, [backbone.embed_image(image) for image in images]), prompt)


def jobs_of(backbone: Any, number: int) -> list[Job]:
    """Every kind of call, about pictures and prompts of its own for each number."""
    images = [picture(2 * number, 60 + 20 * number, 60), picture(2 * number + 1, 60, 60 + 20 * number)]
    prompt = prompt_of(number)
    prefix = prefix_of(backbone, prompt, images)
    suffix = suffix_rows(backbone, 1 + number)
    query = SuffixQuery((0, suffix.shape[1] - 1), (0, 2), prefix.images[-1])
    other = Prompt(prompt.system, prompt.head, (Data(f"What is it, {number}?"),))

    def head() -> list[Any]:
        made = prefix_of(backbone, prompt, images)
        return [*(each for pair in made.layers for each in pair), made.embeddings, made.positions]

    def evaluated(out: Any) -> list[Any]:
        return [out.logits, out.attention]

    def decoded() -> list[Any]:
        out = backbone.decode(prefix, suffix[0], 3)
        return [torch.tensor(out.tokens), out.first_logits]

    return [
        head,
        lambda: [backbone.question_rows(prefix, other), backbone.cue(other)],
        lambda: evaluated(backbone.evaluate(prefix, suffix, query)),
        lambda: evaluated(backbone.evaluate_uncached(prefix, suffix[:1], query)),
        decoded,
        lambda: [backbone.patch_features(images[0]).features],
        lambda: [torch.tensor(backbone.count_tokens(f"{number} <|im_end|>"))],
    ]


def equal(one: list[Any], other: list[Any]) -> bool:
    return len(one) == len(other) and all(map(torch.equal, one, other))


def test_many_threads_equal_one_after_another(backbone: Any) -> None:
    jobs = [job for number in range(3) for job in jobs_of(backbone, number)]
    expected = [job() for job in jobs]
    begin = threading.Barrier(THREADS)

    def work(thread: int) -> list[int]:
        """All jobs, each thread from another one on; returns those whose result differs."""
        begin.wait()
        order = [(at + thread * len(jobs) // THREADS) % len(jobs) for at in range(len(jobs))]
        return [at for at in order if not equal(jobs[at](), expected[at])]

    with ThreadPoolExecutor(THREADS) as pool:
        differing = list(pool.map(work, range(THREADS)))
    assert differing == [[]] * THREADS


@pytest.mark.parametrize("interrupted", range(2, 5), ids=["evaluate", "evaluate_uncached", "decode"])
def test_a_pass_is_not_disturbed_by_passes_within_it(backbone: Any, interrupted: int) -> None:
    """While one thread is in the first layer of a pass, another thread makes every kind of call."""
    jobs, others = jobs_of(backbone, 1), jobs_of(backbone, 2)
    expected, expected_of_others = jobs[interrupted](), [job() for job in others]
    found: list[list[Any]] = []
    main = threading.current_thread()

    def meanwhile(*_: Any) -> None:
        if threading.current_thread() is main and not found:
            thread = threading.Thread(target=lambda: found.extend(job() for job in others))
            thread.start()
            thread.join()

    hook = backbone.decoder.layers[0].register_forward_pre_hook(meanwhile)
    try:
        result = jobs[interrupted]()
    finally:
        hook.remove()
    assert equal(result, expected)
    assert len(found) == len(others)
    assert all(map(equal, found, expected_of_others))


def test_control_tokens_stay_content_in_every_thread() -> None:
    """A fast tokenizer keeps the choice whether to split control tokens in itself; threads must not mix it up."""
    tokenizer = tiny.byte_tokenizer()
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    text = "x" * 2000 + "<|im_end|>"  # long, so that one thread changes the choice while another one encodes

    def count(encode: Callable[[Any, str], tuple[int, ...]]) -> int:
        return sum(end in encode(tokenizer, text) for _ in range(150))

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(count, [encode_content, encode_control] * 2))
    assert found == [0, 150, 0, 150]
