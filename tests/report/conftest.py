"""Plots take most of the time of a page, and nearly all pages of these tests show the same: each is drawn once."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from reason_iad.report.plots import steps_plot
from reason_iad.schema import StepRecord

Drawn = dict[tuple[str, str], str]
_DRAWN: Drawn = {}


@pytest.fixture(autouse=True)
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    """The plots so far, by their steps and name. Clear it to have them drawn anew."""

    def once(steps: Sequence[StepRecord], name: str) -> str:
        key = (repr(tuple(steps)), name)
        if key not in _DRAWN:
            _DRAWN[key] = steps_plot(steps, name)
        return _DRAWN[key]

    monkeypatch.setattr("reason_iad.report.questions.steps_plot", once)
    return _DRAWN
