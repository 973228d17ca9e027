"""Targets inside the decoder say what they claim: here, which line of the knowledge names an option."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from reason_iad.nano.training.decoder_heads import MATCH, DecoderHeads

WIDTH = MATCH
LINES = np.array([[0, 1, 4], [0, 2, 5], [0, 3, 6], [1, 1, 5], [1, 2, 4]])  # (sequence, position, kind)


@pytest.fixture
def heads() -> DecoderHeads:
    heads = DecoderHeads(WIDTH, 6)
    for head in (heads.match_line, heads.match_option):
        torch.nn.init.eye_(head[1].weight)
        torch.nn.init.zeros_(head[1].bias)
    return heads


def states_of(options: np.ndarray, named: list[int]) -> torch.Tensor:
    """(2, 12, d): every line carries a vector of its kind, every option one of the kind it `named`."""
    vectors = 100 * torch.eye(WIDTH)
    states = torch.zeros(2, 12, WIDTH)
    for sequence, position, kind in LINES:
        states[sequence, position] = vectors[kind]
    for (sequence, position, *_), kind in zip(options, named, strict=True):
        states[sequence, position] = vectors[kind]
    return states


def match(heads: DecoderHeads, options: np.ndarray, named: list[int]) -> float:
    packed = SimpleNamespace(options=options, lines=LINES)
    return heads._match(states_of(options, named), packed)["match"].item()  # type: ignore[arg-type]


def test_options_are_matched_with_the_line_that_names_them(heads: DecoderHeads) -> None:
    options = np.array([[0, 7, 1, 4], [0, 8, 0, 6], [1, 7, 1, 5]])  # (sequence, position, right, meaning)
    assert match(heads, options, [4, 6, 5]) < 0.01
    assert match(heads, options, [5, 4, 4]) > 3


def test_a_line_of_another_sequence_neither_helps_nor_disturbs(heads: DecoderHeads) -> None:
    options = np.array([[1, 7, 1, 4]])
    assert match(heads, options, [4]) < 0.01
    packed = SimpleNamespace(options=np.array([[1, 7, 1, 6]]), lines=LINES)
    assert heads._match(states_of(options, [6]), packed) == {}, "its line is in the other sequence"  # type: ignore[arg-type]


def test_options_that_no_line_names_are_left_out(heads: DecoderHeads) -> None:
    options = np.array([[0, 7, 1, 4], [0, 8, 0, 20], [0, 9, 0, -1]])
    assert match(heads, options, [4, 5, 5]) < 0.01
