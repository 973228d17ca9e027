"""Truncated entropy and divergence against plain arithmetic and their limits."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reason_iad.reasoning.entropy import jensen_shannon, normalised_entropy, truncated_entropy


def plain(logits: list[float], k: int) -> float:
    top = sorted((math.exp(x - max(logits)) for x in logits), reverse=True)[:k]
    p = [x / sum(top) for x in top]
    return -sum(x * math.log(x) for x in p if x > 0) / math.log(len(p))


@given(st.lists(st.floats(-20, 20), min_size=3, max_size=40), st.integers(2, 12))
def test_truncated_entropy_equals_its_definition(logits: list[float], k: int) -> None:
    value = float(truncated_entropy(torch.tensor(logits, dtype=torch.float64), k))
    assert value == pytest.approx(plain(logits, k), abs=1e-5)
    assert -1e-6 <= value <= 1 + 1e-6


def test_the_limits() -> None:
    assert float(truncated_entropy(torch.zeros(100), 10)) == pytest.approx(1.0)
    sure = torch.zeros(100)
    sure[3] = 50.0
    assert float(truncated_entropy(sure, 10)) == pytest.approx(0.0, abs=1e-6)


def test_tokens_beyond_k_do_not_count() -> None:
    logits = torch.cat((torch.tensor([5.0, 4.0, 3.0]), torch.zeros(50)))
    assert torch.equal(truncated_entropy(logits, 3), truncated_entropy(logits[:3], 3))


def test_one_option_has_no_entropy() -> None:
    assert float(normalised_entropy(torch.tensor([1.0]))) == 0.0


def test_jensen_shannon_is_zero_for_equals_and_one_for_opposites() -> None:
    p, q = torch.tensor([[1.0, 0.0], [0.5, 0.5]]), torch.tensor([0.0, 1.0])
    assert jensen_shannon(p, q)[0] == pytest.approx(1.0)
    assert 0 < float(jensen_shannon(p, q)[1]) < 1
    assert float(jensen_shannon(p[1:], p[1])) == pytest.approx(0.0, abs=1e-7)
    assert torch.isfinite(jensen_shannon(p, q)).all()
