"""What the comparison alone says of the places that differ."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from reason_iad.inspection.saying import explanation_alone
from reason_iad.schema import Box, Finding

PLACE = Finding(
    box=Box(x1=0, y1=0, x2=9, y2=9), polygon=((0, 0), (9, 0), (9, 9)), place="top left", area_px=40.0, share=0.01,
    length_px=9.0, score=3.0,
)  # fmt: skip


def said(places: int, *, template: bool = False, finer: bool = True) -> str:
    judgement: Any = SimpleNamespace(
        nothing_compared=False,
        verdict="defect",
        change=None,
        seen=SimpleNamespace(score=5.0, likeness=SimpleNamespace(reason=None)),
    )
    kind: Any = SimpleNamespace(
        templates=object() if template else None,
        where=object() if finer else None,
        limits=SimpleNamespace(pass_below=2.0, defect_from=2.0),
        expert=SimpleNamespace(turning=SimpleNamespace(steps=1)),
    )
    return explanation_alone(kind, judgement, (PLACE,) * places)


@pytest.mark.parametrize(
    ("places", "template", "words"),
    [
        (1, False, "At a finer look it differs most at the top left."),
        (2, False, "1 other place differs nearly as much."),
        (3, False, "2 other places differ nearly as much."),
        (1, True, "limit 2.0. It differs most at the top left."),
        (3, True, "2 other places differ at least half as much."),
    ],
)
def test_other_places_are_compared_with_what_differs_most(places: int, template: bool, words: str) -> None:
    assert said(places, template=template).endswith(words)


def test_there_is_no_finer_look_without_a_finer_memory() -> None:
    assert "limit 2.0. It differs most" in said(1, finer=False)
