"""The fused arithmetic equals the plain one, whatever the shapes, and steps aside where it cannot serve."""

from __future__ import annotations

import pytest
import torch

from reason_iad.backbones import shared_prefix
from reason_iad.backbones.shared_prefix import SuffixPlan, attend

SHAPES = {
    "one candidate": (1, 4, 4, 5, 5),
    "candidates": (6, 4, 4, 5, 5),
    "grouped heads": (3, 6, 2, 5, 5),
    "one token after others": (2, 6, 2, 1, 7),
    "tokens after others": (2, 4, 2, 3, 7),
}
"""B, heads, key-value heads, T, S."""


def drawn(
    shape: tuple[int, ...], dtype: torch.dtype
) -> tuple[SuffixPlan, torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
    batch, heads, kv_heads, length, own = shape
    torch.manual_seed(0)
    prefix = (torch.randn(1, kv_heads, 40, 16, dtype=dtype), torch.randn(1, kv_heads, 40, 16, dtype=dtype))
    plan = SuffixPlan((prefix,), rows=(0, length - 1), image=(7, 31), capture_layers=frozenset({0}))
    query = torch.randn(batch, length, heads, 16, dtype=dtype).transpose(1, 2)
    key, value = (torch.randn(batch, own, kv_heads, 16, dtype=dtype).transpose(1, 2) for _ in range(2))
    return plan, query, (key, value)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-5), (torch.bfloat16, 3e-2)])
@pytest.mark.parametrize("heads", [None, (1, 3)], ids=["all heads", "chosen heads"])
def test_fused_equals_plain(
    shape: tuple[int, ...],
    dtype: torch.dtype,
    close: float,
    heads: tuple[int, ...] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outs, seen = [], []
    for fuse in (False, True):
        monkeypatch.setattr(shared_prefix, "_can_fuse", lambda *_, fuse=fuse: fuse)
        plan, query, own = drawn(shape, dtype)
        plan.heads = heads
        outs.append(attend(plan, 0, query, own, 0.4, None))
        seen.append(plan.mean_attention())
    assert outs[0].shape == outs[1].shape
    assert (outs[0] - outs[1]).abs().max() < close
    assert seen[0] is not None and seen[1] is not None
    assert seen[0].shape == seen[1].shape == (shape[0], 2, 24)
    assert seen[1].dtype == torch.float32
    assert (seen[0] - seen[1]).abs().max() < close


@pytest.mark.parametrize(("window", "grad", "expected"), [(None, False, "fused"), (20, False, "plain"),
                                                          (60, False, "fused"), (None, True, "plain")])  # fmt: skip
def test_windows_and_gradients_go_the_plain_way(
    window: int | None, grad: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways: list[str] = []
    for name in ("plain", "fused"):
        way = getattr(shared_prefix, name)
        monkeypatch.setattr(shared_prefix, name, lambda *_, name=name, way=way: ways.append(name) or way(*_))
    plan, query, own = drawn(SHAPES["candidates"], torch.float32)
    attend(plan, 0, query.requires_grad_(grad), own, 0.4, window)
    assert ways == [expected]


@pytest.mark.parametrize("fuse", [True, False], ids=["fused", "plain"])
@pytest.mark.parametrize("window", [None, 20])
def test_rows_that_are_read_are_as_if_all_were(
    fuse: bool, window: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_prefix, "_can_fuse", lambda *_: fuse)
    plan, query, own = drawn(SHAPES["grouped heads"], torch.float32)
    every = attend(plan, 0, query, own, 0.4, window)
    wanted = plan.mean_attention()
    some, query, own = drawn(SHAPES["grouped heads"], torch.float32)
    some.read, some.last = (3, 1), 0
    out = attend(some, 0, query, own, 0.4, window)
    rows = [0, 1, 3, 4]  # those read, and those whose weights are asked for
    assert (out[:, rows] - every[:, rows]).abs().max() < 1e-6
    assert (out[:, 2] == 0).all()
    assert wanted is not None
    assert (some.mean_attention() - wanted).abs().max() < 1e-6
