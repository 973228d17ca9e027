"""The knowledge in the package is held to what docs/knowledge.md asks of everybody's."""

from __future__ import annotations

import pytest

from reason_iad.config import InspectorConfig
from reason_iad.knowledge import open_knowledge, resolve_category, retrieve, scan
from reason_iad.knowledge.opening import BUILTIN

CATEGORIES = (
    "pcb", "metal surface", "magnetic tile", "molded commutator surface", "ball screw spindle", "fabric", "wood",
    "leather", "ceramic tile", "pill", "bottle", "label", "assembly", "gear", "glass", "cable", "grid",
)  # fmt: skip
PCB_DEFECTS = ("open circuit", "short circuit", "mousebite", "spur", "pin-hole", "spurious copper")


def test_no_problems_and_complete() -> None:
    documents, problems = scan([BUILTIN])
    assert problems == []
    for document in documents:
        assert document.entries[0].kind == "normal", document.file
        assert document.aliases, document.file
        for entry in document.entries:
            assert len(entry.text.split()) <= 25, entry.id  # a small model with a small window reads it
            assert entry.text.endswith("."), entry.id
            if entry.kind == "defect":
                assert entry.severity in ("minor", "major", "critical"), entry.id
                assert entry.cause, entry.id
                assert entry.action, entry.id


@pytest.mark.parametrize("name", CATEGORIES)
def test_every_category_of_the_demo_is_there(name: str) -> None:
    store = open_knowledge(None)
    category = resolve_category(store, name)
    assert any(entry.kind == "defect" for entry in store.entries(category))


COMPOSED = {"panel", "array", "flange"}
"""Shapes that stand for no product: anything can be wrong with them, and retrieval chooses what is shown."""


def test_every_defect_type_fits_one_prompt_with_the_normal_part() -> None:
    store = open_knowledge(None)
    for category in store.categories():
        count = sum(entry.kind == "defect" for entry in store.entries(category))
        assert count + 1 <= InspectorConfig().knowledge_entries or category in COMPOSED, category


def test_everything_the_procedural_world_draws_is_described() -> None:
    from reason_iad_nano.world import FAMILIES

    store = open_knowledge(None)
    for family in FAMILIES.values():
        entries = store.entries(resolve_category(store, family.category))
        assert {entry.name for entry in entries} >= set(family.defects), family.name
        resolve_category(store, family.name)


def test_the_kinds_of_bare_boards() -> None:
    names = {entry.name for entry in open_knowledge(None).entries("pcb") if entry.kind == "defect"}
    assert names == set(PCB_DEFECTS)


def test_a_whole_category_fits_a_small_window() -> None:
    store = open_knowledge(None)
    found = retrieve(
        store, category="circuit board", question="Is there a defect in the inspected image?",
        count_tokens=lambda text: len(text) // 3, budget=300, limit=8,
    )  # fmt: skip
    assert found[0].entry.kind == "normal"
    assert {each.entry.name for each in found} >= set(PCB_DEFECTS)
