"""Targets inside the decoder say what they claim: here, where in the knowledge an option is found again."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reason_iad.nano.training.decoder_heads import MATCH, Found
from reason_iad.nano.training.heads import coverage_loss, extent_loss

WIDTH = MATCH
LINES = np.array([[0, 1, 4], [0, 2, 5], [0, 3, 6], [1, 1, 5], [1, 2, 4]])  # (sequence, position, kind)


@pytest.fixture
def found() -> Found:
    found = Found(WIDTH)
    for head in (found.option, found.row):
        torch.nn.init.eye_(head[1].weight)
        torch.nn.init.zeros_(head[1].bias)
    return found


def states_of(options: np.ndarray, named: list[int]) -> torch.Tensor:
    """(2, 12, d): every line carries a vector of its kind, every option one of the kind it `named`."""
    vectors = 100 * torch.eye(WIDTH)
    states = torch.zeros(2, 12, WIDTH)
    for sequence, position, kind in LINES:
        states[sequence, position] = vectors[kind]
    for (sequence, position, *_), kind in zip(options, named, strict=True):
        states[sequence, position] = vectors[kind]
    return states


def loss_of(found: Found, options: np.ndarray, named: list[int]) -> float:
    loss = found(states_of(options, named), options, LINES)
    assert loss is not None
    return float(loss.detach())


def test_options_are_found_in_the_line_that_names_them(found: Found) -> None:
    options = np.array([[0, 7, 1, 4], [0, 8, 0, 6], [1, 7, 1, 5]])  # (sequence, position, right, meaning)
    assert loss_of(found, options, [4, 6, 5]) < 0.01
    assert loss_of(found, options, [5, 4, 4]) > 3


def test_a_line_of_another_sequence_neither_helps_nor_disturbs(found: Found) -> None:
    assert loss_of(found, np.array([[1, 7, 1, 4]]), [4]) < 0.01
    elsewhere = np.array([[1, 7, 1, 6]])
    assert found(states_of(elsewhere, [6]), elsewhere, LINES) is None, "its line is in the other sequence"


def test_options_that_no_line_names_are_left_out(found: Found) -> None:
    options = np.array([[0, 7, 1, 4], [0, 8, 0, 20], [0, 9, 0, -1]])
    assert loss_of(found, options, [4, 5, 5]) < 0.01


def test_extent_tells_small_from_large_where_the_cover_says_defective_of_both() -> None:
    small, large = torch.tensor([[0.02, 0.0]]), torch.tensor([[0.5, 0.0]])
    said = torch.logit(large.sqrt().clamp(1e-4, 1 - 1e-4))
    assert extent_loss(said, large) < extent_loss(said, small)
    sure = torch.tensor([[9.0, -9.0]])
    assert coverage_loss(sure, torch.tensor([[1.0, 0.0]])) < 0.01, "16 pixels are enough for a defective cell"
