from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.knowledge.conftest import METAL, WOOD, entry

from reason_iad.errors import ConfigError, KnowledgeError
from reason_iad.inspection.questions import detection_question, explanation_question, place_question, type_question
from reason_iad.knowledge import KnowledgeStore, resolve_category, retrieve
from reason_iad.knowledge.text import knowledge_line


def words(text: str) -> int:
    return len(text.split())


@pytest.fixture(scope="module")
def both() -> KnowledgeStore:
    store = KnowledgeStore.memory()
    store.add([*WOOD, *METAL], aliases={"wood": ["timber", "wooden board"]})
    return store


def ids(
    store: KnowledgeStore, category: str | None, question: str, budget: int = 1000, limit: int = 20
) -> list[str]:
    found = retrieve(store, category=category, question=question, count_tokens=words, budget=budget, limit=limit)
    return [each.entry.id for each in found]


def test_normal_first_then_matches_then_all_other_defects_then_tolerances(both: KnowledgeStore) -> None:
    found = retrieve(
        both, category="wood", question="Is there an opening?", count_tokens=words, budget=1000, limit=20
    )
    assert found[0].entry.id == "wood/normal/normal"
    assert {each.entry.id for each in found[1:3]} == {"wood/defect/hole", "wood/defect/crack"}
    assert [each.scorer for each in found] == ["category", "bm25", "bm25", "category", "category"]
    assert [each.score > 0 for each in found] == [False, True, True, False, False]
    assert [each.entry.id for each in found[3:]] == [
        "wood/defect/scratch", "wood/tolerance/tolerance",
    ]  # fmt: skip


def test_a_question_without_matching_words_still_sees_the_defect_types(both: KnowledgeStore) -> None:
    assert ids(both, "wood", "zebra?") == [
        "wood/normal/normal", "wood/defect/scratch", "wood/defect/hole", "wood/defect/crack",
        "wood/tolerance/tolerance",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "question",
    [
        detection_question().text, type_question(("a", "b")).text, place_question().text,
        explanation_question().text, "wood defect", "Is there any defect in the Timber?",
    ],
)  # fmt: skip
def test_words_that_every_question_has_favour_no_entry(question: str) -> None:
    store = KnowledgeStore.memory()
    wordy = entry("wood", "stain", "The image shows where a defect matters; inspect and explain the verdict.")
    store.add([*WOOD, wordy], aliases={"wood": ["timber"]})
    assert ids(store, "wood", question) == [
        "wood/normal/normal", "wood/defect/scratch", "wood/defect/hole", "wood/defect/crack", "wood/defect/stain",
        "wood/tolerance/tolerance",
    ]  # fmt: skip
    assert ids(store, "wood", question + " A crack?")[1] == "wood/defect/crack"


def test_without_a_category_a_standard_question_finds_nothing_rather_than_anything(both: KnowledgeStore) -> None:
    assert ids(both, None, detection_question().text) == []


def test_only_the_category_is_used(both: KnowledgeStore) -> None:
    assert all(each.startswith("metal/") for each in ids(both, "METAL", "a dark opening along the grain"))


def test_without_a_category_only_matches_count(both: KnowledgeStore) -> None:
    assert set(ids(both, None, "thin line")) == {"wood/defect/scratch", "metal/defect/scratch"}
    assert ids(both, None, "zebra") == []


def test_an_entry_that_does_not_fit_is_skipped_whole(both: KnowledgeStore) -> None:
    normal = words(knowledge_line(WOOD[0]))
    tolerance = words(knowledge_line(WOOD[1]))
    assert all(tolerance < words(knowledge_line(each)) for each in WOOD[2:])
    assert ids(both, "wood", "zebra", budget=normal) == ["wood/normal/normal"]
    assert ids(both, "wood", "zebra", budget=normal + tolerance) == [
        "wood/normal/normal",
        "wood/tolerance/tolerance",
    ]
    assert ids(both, "wood", "zebra", budget=tolerance) == ["wood/tolerance/tolerance"]  # nothing before it fits
    assert ids(both, "wood", "zebra", budget=tolerance - 1) == []


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(budget=st.integers(0, 80), limit=st.integers(0, 6), category=st.sampled_from(["wood", None]))
def test_budget_and_limit_hold(both: KnowledgeStore, budget: int, limit: int, category: str | None) -> None:
    found = retrieve(
        both, category=category, question="thin line in the grain", count_tokens=len, budget=budget, limit=limit
    )
    assert len(found) <= limit
    assert len("\n".join(knowledge_line(each.entry) for each in found)) <= budget


def test_negative_budget_or_limit(both: KnowledgeStore) -> None:
    for budget, limit in ((-1, 1), (1, -1)):
        with pytest.raises(ConfigError, match="must not be negative"):
            retrieve(both, category=None, question="x", count_tokens=words, budget=budget, limit=limit)


@pytest.mark.parametrize("name", ["wood", "WOOD", " w-o_o.d ", "Timber", "wooden-board", "Wooden Board"])
def test_names_and_aliases_resolve(both: KnowledgeStore, name: str) -> None:
    assert resolve_category(both, name) == "wood"


def test_an_unknown_category_lists_the_nearest(both: KnowledgeStore) -> None:
    with pytest.raises(KnowledgeError, match=r"The category 'wod' is not known\. Did you mean 'wood'\?"):
        resolve_category(both, "wod")
    with pytest.raises(KnowledgeError, match="Did you mean 'wood'"):
        ids(both, "timbr", "x")
    with pytest.raises(KnowledgeError, match="knowledge about it: metal, wood\\."):
        resolve_category(both, "zzz")
    with pytest.raises(KnowledgeError, match="is empty"):
        resolve_category(KnowledgeStore.memory(), "wood")
