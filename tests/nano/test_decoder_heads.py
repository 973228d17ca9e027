"""Targets inside the decoder say what they claim: here, where in the knowledge an option is found again."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reason_iad_nano.decoder import PackedDecoder, Taps
from reason_iad_nano.training.decoder_heads import MATCH, Found, looked_up
from reason_iad_nano.training.heads import coverage_loss, extent_loss

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


def taps_of(queries: torch.Tensor, visible: torch.Tensor | None = None) -> Taps:
    """A head that looks from every position where its query says: keys are the axes, one per position."""
    keys = torch.eye(12, WIDTH).expand(2, -1, -1)
    everything = torch.ones(12, 12, dtype=torch.bool).tril().expand(2, -1, -1)
    return Taps([], queries, keys, everything if visible is None else visible)


def looking(option: tuple[int, int], at: int) -> torch.Tensor:
    queries = torch.zeros(2, 12, WIDTH)
    queries[option[0], option[1], at] = 100.0
    return queries


def test_attention_from_an_option_has_to_go_to_the_end_of_its_line() -> None:
    options = np.array([[0, 7, 1, 5]])  # its line ends at 2
    there = looked_up(taps_of(looking((0, 7), 2)), options, LINES)
    elsewhere = looked_up(taps_of(looking((0, 7), 3)), options, LINES)
    nowhere = looked_up(taps_of(torch.zeros(2, 12, WIDTH)), options, LINES)
    assert there is not None and elsewhere is not None and nowhere is not None
    assert there < 0.01 and elsewhere > 5
    assert nowhere == pytest.approx(np.log(8)), "evenly over the eight positions that it sees"


def test_attention_is_told_apart_in_half_precision_as_well() -> None:
    """Large logits that differ by little: rounded to half precision they would be the same, or steps apart."""
    options, queries = np.array([[0, 7, 1, 5]]), torch.zeros(2, 12, WIDTH)
    queries[0, 7, :8] = 400.0 * WIDTH**0.5
    queries[0, 7, 2] += 1.5 * WIDTH**0.5
    plain = looked_up(taps_of(queries), options, LINES)
    with torch.autocast("cpu", torch.bfloat16):
        half = looked_up(taps_of(queries), options, LINES)
    assert plain is not None and half is not None
    assert float(half) == pytest.approx(float(plain), abs=1e-4)
    assert float(plain) == pytest.approx(np.log(np.exp(1.5) + 7) - 1.5, abs=1e-3)


def test_what_an_option_cannot_see_takes_no_attention() -> None:
    options, queries = np.array([[0, 7, 1, 5]]), looking((0, 7), 3)
    visible = torch.ones(12, 12, dtype=torch.bool).tril()
    visible[:, 3] = False
    hidden = looked_up(taps_of(queries, visible.expand(2, -1, -1)), options, LINES)
    assert hidden is not None and hidden == pytest.approx(np.log(7))
    assert looked_up(taps_of(queries), np.array([[0, 7, 1, 20], [1, 7, 1, 6]]), LINES) is None


def test_the_tap_is_the_attention_of_that_layer(model) -> None:
    """The first head's weights, from the tap and from the class's own eager attention."""
    decoder = model.model.language_model
    hidden = torch.randn(1, 9, decoder.config.hidden_size, generator=torch.Generator().manual_seed(0))
    positions = torch.arange(9).expand(3, 1, 9)
    with torch.no_grad():
        taps = PackedDecoder(decoder, 1)(hidden, torch.zeros(1, 9, dtype=torch.long), positions)
        logits = taps.queries @ taps.keys.mT * taps.queries.shape[-1] ** -0.5
        mine = logits.masked_fill(~taps.visible, float("-inf")).softmax(-1)
        used = model.config.text_config._attn_implementation
        model.set_attn_implementation({"text_config": "eager"})
        theirs = decoder(
            inputs_embeds=hidden, position_ids=positions, use_cache=False, output_attentions=True
        ).attentions[1][:, 0]
        model.set_attn_implementation({"text_config": used})
    torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-4)
