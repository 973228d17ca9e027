"""Which patches are chosen, and what exactly is put where."""

from __future__ import annotations

import torch

from reason_iad.reasoning.injection import assemble, count_patches, select, selection_weights, union

ROWS = torch.arange(24.0).view(6, 4)  # six image tokens
CUE = torch.full((2, 4), -1.0)


def test_injected_rows_are_the_chosen_image_tokens() -> None:
    latents = 100 + torch.arange(24.0).view(2, 3, 4)
    suffix = assemble(latents, ((4, 1), (), (0,)), ROWS, CUE)
    assert suffix.rows.shape == (2, 3 + 3 + 2, 4)
    assert torch.equal(suffix.rows[1, 1:3], ROWS[[4, 1]])
    assert torch.equal(suffix.rows[0, 5], ROWS[0])
    assert torch.equal(suffix.rows[:, -2:], CUE.expand(2, -1, -1))


def test_positions_shift_with_the_patches() -> None:
    latents = torch.randn(1, 3, 4)
    suffix = assemble(latents, ((4, 1), (), (0,)), ROWS, CUE)
    assert suffix.latent_at == (0, 3, 4)
    assert torch.equal(suffix.rows[0, list(suffix.latent_at)], latents[0])
    assert suffix.answer_at == suffix.rows.shape[1] - 1


def test_select_takes_the_best_not_yet_chosen() -> None:
    weights = torch.tensor([[0.1, 0.9, 0.5, 0.7], [0.4, 0.4, 0.3, 0.4]])
    assert select(weights, ((), ()), 2, 16) == ((1, 3), (0, 1))
    assert select(weights, ((1,), (0, 1)), 2, 16) == ((3, 2), (3, 2))


def test_select_respects_the_limit_and_the_supply() -> None:
    weights = torch.rand(1, 5)
    assert select(weights, ((0, 1, 2),), 2, 3) == ((),)
    assert len(select(weights, ((0, 1),), 2, 3)[0]) == 1
    assert select(weights, ((0, 1, 2, 3, 4),), 2, 16) == ((),)


def test_union_keeps_the_order() -> None:
    assert union(((3,), ()), ((1, 2), (0,))) == ((3, 1, 2), (0,))
    assert count_patches(((3, 1, 2), (0,))) == 4


def test_a_sink_loses_to_a_token_the_question_looks_at() -> None:
    attention = torch.tensor([[0.50, 0.10, 0.02, 0.02]])
    neutral = torch.tensor([[0.50, 0.02, 0.02, 0.02]])
    assert int(selection_weights(attention, None, None).argmax()) == 0
    assert int(selection_weights(attention, neutral, None).argmax()) == 1


def test_the_experts_map_multiplies() -> None:
    attention = torch.tensor([[0.3, 0.2, 0.1]])
    assert int(selection_weights(attention, None, torch.tensor([0.0, 0.0, 1.0])).argmax()) == 2
    silent = selection_weights(attention, None, torch.zeros(3))
    assert torch.equal(silent, attention), "a silent map changes nothing"
