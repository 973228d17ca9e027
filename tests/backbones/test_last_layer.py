"""What is thrown away is not computed: the feed-forward part of the last layer runs on the rows that are read."""

from __future__ import annotations

from typing import Any

import pytest
from tests.backbones.cases import PROMPT, picture, suffix_rows

from reason_iad.backbones.base import SuffixQuery


@pytest.fixture
def rows_run(qwen: Any) -> Any:
    """Rows that enter the last layer's feed-forward part, per pass."""
    seen: list[int] = []
    hook = qwen.decoder.layers[-1].mlp.gate_proj.register_forward_hook(
        lambda _, args, __: seen.append(args[0].numel() // args[0].shape[-1])
    )
    yield seen
    hook.remove()


def test_only_rows_that_are_read_are_run(qwen: Any, rows_run: list[int]) -> None:
    head = qwen.head(PROMPT, [qwen.embed_image(picture(0, 90, 60)), qwen.embed_image(picture(1, 60, 60))])
    prefix = qwen.question(head, PROMPT)
    assert rows_run == [0, 0], "nothing is read of a prompt"
    suffix = suffix_rows(qwen, 3)
    qwen.evaluate(prefix, suffix, SuffixQuery((0, 1, -1)))
    qwen.evaluate(prefix, suffix, SuffixQuery((), (0,), prefix.images[-1]))
    assert rows_run[2:] == [9, 0]
    del rows_run[:]
    text = qwen.decode(prefix, suffix[0], 3)
    assert set(rows_run) == {1} and len(rows_run) >= len(text.tokens)
    del rows_run[:]
    qwen.evaluate_uncached(prefix, suffix[:1], SuffixQuery((0,)))
    assert rows_run == [prefix.length + suffix.shape[1]], "the reference leaves nothing out"


def test_a_failed_pass_leaves_nothing_behind(qwen: Any, rows_run: list[int]) -> None:
    head = qwen.head(PROMPT, [qwen.embed_image(picture(0, 90, 60)), qwen.embed_image(picture(1, 60, 60))])
    suffix = suffix_rows(qwen, 1)
    with pytest.raises(RuntimeError):
        qwen.evaluate(head, suffix[..., :3], SuffixQuery((0,)))
    del rows_run[:]
    qwen.evaluate_uncached(head, suffix, SuffixQuery((0,)))
    assert rows_run == [head.length + suffix.shape[1]]
