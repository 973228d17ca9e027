"""Writing a text from a state: it ends at a stop token, and there must be room for it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.backbones.cases import suffix_rows

from reason_iad.backbones.base import Prefix
from reason_iad.errors import PromptError


def test_a_text_ends_at_a_stop_token(backbone: Any, prefix: Prefix, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = suffix_rows(backbone, 1)[0]
    monkeypatch.setattr(backbone, "_stop_ids", frozenset)  # random weights may stop at once
    whole = backbone.decode(prefix, rows, 8)
    assert len(whole.tokens) == 8
    stop = whole.tokens[3]
    monkeypatch.setattr(backbone, "_stop_ids", lambda: frozenset({stop}))
    ended = backbone.decode(prefix, rows, 8)
    assert ended.tokens == whole.tokens[: whole.tokens.index(stop)]
    assert (ended.first_logits == whole.first_logits).all()


def test_no_room_for_a_text_is_an_error(backbone: Any, prefix: Prefix, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = suffix_rows(backbone, 1)[0]
    monkeypatch.setattr(backbone, "_stop_ids", frozenset)
    monkeypatch.setattr(backbone, "context_length", prefix.length + len(rows) + 2)
    assert len(backbone.decode(prefix, rows, 8).tokens) == 2
    monkeypatch.setattr(backbone, "context_length", prefix.length + len(rows))
    with pytest.raises(PromptError, match="no room"):
        backbone.decode(prefix, rows, 8)
