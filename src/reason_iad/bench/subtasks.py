"""MMAD's seven subtasks (Jiang et al., ICLR 2025), and the question types that are folded into them."""

from __future__ import annotations

DETECTION = "Anomaly Detection"

SUBTASKS: tuple[str, ...] = (
    DETECTION,
    "Defect Classification",
    "Defect Localization",
    "Defect Description",
    "Defect Analysis",
    "Object Classification",
    "Object Analysis",
)
"""In the order of the published tables."""

_FOLDED = {"Object Structure": "Object Analysis", "Object Details": "Object Analysis"}

NAMING_SUBTASKS = frozenset({"Object Classification"})
"""Subtasks that ask for what the category's name and its knowledge would give away; both are withheld from them."""


KINDS = (*SUBTASKS, *_FOLDED)
"""Question types that a file may state."""


def subtask_of(kind: str) -> str | None:
    """The subtask a question type counts for; None if MMAD has no such type."""
    folded = _FOLDED.get(kind, kind)
    return folded if folded in SUBTASKS else None
