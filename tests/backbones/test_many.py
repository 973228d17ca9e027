"""Several inspections in one pass: on every family, what each gives alone, whatever the lengths."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from cases import PROMPT, picture, suffix_rows
from reason_iad.backbones import Backbone
from reason_iad.backbones.base import Prefix, SuffixQuery
from reason_iad.backbones.prompt import Data
from reason_iad.errors import PromptError
from reason_iad.inspection.prompts import build_head, build_prompt
from reason_iad.inspection.questions import Question
from reason_iad.reasoning import assemble


@pytest.fixture(scope="module")
def prefixes(backbone: Backbone, prefix: Prefix) -> list[Prefix]:
    """Three inspections with unlike images and prompts; one is longer than any window."""
    short = build_prompt((Data("x "), PROMPT.head[-2], Data("\n")), Question("q", "What?"), latents=True)
    short = replace(short, head=tuple(replace(p, index=0) if hasattr(p, "index") else p for p in short.head))
    one = backbone.question(backbone.head(short, [backbone.embed_image(picture(5, 60, 60))]), short)
    long = build_prompt(build_head((), 1, "a longer name " * 4), Question("q", "Why so? " * 5), latents=True)
    images = [backbone.embed_image(picture(seed, 120, 80)) for seed in (6, 7)]
    return [prefix, one, backbone.question(backbone.head(long, images), long)]


@pytest.fixture(scope="module")
def suffixes(backbone: Backbone) -> list[torch.Tensor]:
    """Other numbers of candidates and of rows, with injected patches in the second."""
    torch.manual_seed(1)
    latents = backbone.think_embedding() + 0.3 * torch.randn(2, 4, backbone.hidden_size)
    image = backbone.embed_image(picture(5, 60, 60)).tokens
    patched = assemble(latents, ((3, 1), (), (2,), ()), image, backbone.cue(PROMPT)).rows
    return [suffix_rows(backbone, 3), patched, suffix_rows(backbone, 1)[:, :5]]


def queries(backbone: Any, prefixes: list[Prefix], suffixes: list[torch.Tensor]) -> list[SuffixQuery]:
    wanted = [(0, 3), (), (1,)]
    return [
        SuffixQuery((0, rows.shape[1] - 1), at, prefix.images[-1], backbone.attention_layers[-2:])
        for prefix, rows, at in zip(prefixes, suffixes, wanted, strict=True)
    ]


def test_lengths_differ(prefixes: list[Prefix], suffixes: list[torch.Tensor]) -> None:
    assert len({prefix.length for prefix in prefixes}) == 3
    assert len({tuple(rows.shape) for rows in suffixes}) == 3


def test_a_batch_of_inspections_equals_each_alone(
    backbone: Backbone, prefixes: list[Prefix], suffixes: list[torch.Tensor]
) -> None:
    asked = queries(backbone, prefixes, suffixes)
    together = backbone.evaluate_many(prefixes, suffixes, asked)
    for out, prefix, rows, query in zip(together, prefixes, suffixes, asked, strict=True):
        for alone in (backbone.evaluate(prefix, rows, query), backbone.evaluate_uncached(prefix, rows, query)):
            assert (out.logits - alone.logits).abs().max() < 1e-4
            assert (out.attention is None) == (alone.attention is None)
            if out.attention is not None and alone.attention is not None:
                assert (out.attention - alone.attention).abs().max() < 1e-6


def test_a_batch_of_inspections_has_the_gradients_of_each(
    backbone: Backbone, prefixes: list[Prefix], suffixes: list[torch.Tensor]
) -> None:
    asked = queries(backbone, prefixes, suffixes)
    found = []
    for many in (True, False):
        rows = [suffix.clone().requires_grad_(True) for suffix in suffixes]
        if many:
            outs = backbone.evaluate_many(prefixes, rows, asked)
        else:
            outs = [backbone.evaluate(*each) for each in zip(prefixes, rows, asked, strict=True)]
        torch.stack([out.logits.log_softmax(-1)[..., 65].sum() for out in outs]).sum().backward()
        found.append([row.grad for row in rows])
    for together, alone in zip(*found, strict=True):
        assert (together - alone).norm() < 1e-4 * alone.norm()


def test_texts_written_together_equal_each_alone(
    backbone: Any, prefixes: list[Prefix], suffixes: list[torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [suffix[0] for suffix in suffixes]
    monkeypatch.setattr(backbone, "_stop_ids", frozenset)  # random weights may stop at once
    alone = [backbone.decode(prefix, row, 8) for prefix, row in zip(prefixes, rows, strict=True)]
    together = backbone.decode_many(prefixes, rows, 8)
    assert [text.tokens for text in together] == [text.tokens for text in alone]
    assert [len(text.tokens) for text in together] == [8, 8, 8]
    for one, other in zip(together, alone, strict=True):
        assert (one.first_logits - other.first_logits).abs().max() < 1e-4
    stop = alone[0].tokens[3]
    monkeypatch.setattr(backbone, "_stop_ids", lambda: frozenset({stop}))
    ended = backbone.decode_many(prefixes, rows, 8)
    expected = [text.tokens[: text.tokens.index(stop)] if stop in text.tokens else text.tokens for text in alone]
    assert [text.tokens for text in ended] == expected, "one that has ended leaves the others as they are"
    assert len({len(text.tokens) for text in ended}) > 1


def test_no_room_for_a_text_is_an_error(
    backbone: Any, prefixes: list[Prefix], suffixes: list[torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [suffix[0] for suffix in suffixes]
    longest = max(prefix.length + len(row) for prefix, row in zip(prefixes, rows, strict=True))
    monkeypatch.setattr(backbone, "context_length", longest)
    with pytest.raises(PromptError, match="no room"):
        backbone.decode_many(prefixes, rows, 8)


def test_prefixes_are_left_as_they_were(
    backbone: Backbone, prefixes: list[Prefix], suffixes: list[torch.Tensor]
) -> None:
    before = [[tensor.clone() for pair in prefix.layers for tensor in pair] for prefix in prefixes]
    backbone.evaluate_many(prefixes, suffixes, queries(backbone, prefixes, suffixes))
    backbone.decode_many(prefixes, [suffix[0] for suffix in suffixes], 3)
    after = [[tensor for pair in prefix.layers for tensor in pair] for prefix in prefixes]
    assert all(
        torch.equal(a, b) for old, new in zip(before, after, strict=True) for a, b in zip(old, new, strict=True)
    )
