from __future__ import annotations

import pytest

from reason_iad.knowledge import KnowledgeStore, names_category, rank_categories
from reason_iad.schema import Entry


def entry(category: str, name: str, text: str) -> Entry:
    return Entry(
        id=f"{category.replace(' ', '-')}/defect/{name.replace(' ', '-')}",
        category=category,
        kind="defect",
        name=name,
        text=text,
        source="test",
    )


@pytest.fixture
def store() -> KnowledgeStore:
    made = KnowledgeStore.memory()
    made.add(
        [
            entry("drink can", "dent", "The metal is pressed in."),
            entry("food box", "crush", "It can, as a can can, be crushed; drink spills look like a drink."),
            entry("pcb1", "short", "Copper joins two traces."),
            entry("pcb2", "open", "A gap in a trace."),
        ],
        aliases={"drink can": ["soda tin"]},
    )
    return made


@pytest.mark.parametrize(
    ("text", "names", "words"),
    [
        ("Is the drink can dented?", ("drink can",), 2),
        ("Two drink cans are shown.", ("drink can",), 2),
        ("What can I drink?", ("drink can",), 0),
        ("A SODA TIN?", ("drink can", "soda tin"), 2),
        ("Is the pcb broken?", ("pcb1",), 1),
        ("Is glass broken?", ("glass",), 1),
        ("Is the glasses case broken?", ("glass",), 0),
        ("Is something broken?", ("pcb1",), 0),
    ],
)
def test_a_name_counts_only_whole_and_in_order(text: str, names: tuple[str, ...], words: int) -> None:
    assert names_category(text, names) == words


def test_a_named_category_comes_before_one_that_repeats_its_words(store: KnowledgeStore) -> None:
    question = "What does the defect on the drink can look like?"
    assert store.search(question)[0].entry.category == "food box"  # what BM25 alone says
    assert rank_categories(store, question)[0] == "drink can"


def test_an_alias_names_too(store: KnowledgeStore) -> None:
    assert rank_categories(store, "Where is the defect on the soda tin?")[0] == "drink can"


def test_names_that_differ_by_a_number_share_the_first_places(store: KnowledgeStore) -> None:
    assert rank_categories(store, "Is the pcb fine?")[:2] == ["pcb1", "pcb2"]


def test_words_of_the_entries_find_a_category_that_is_not_named(store: KnowledgeStore) -> None:
    assert rank_categories(store, "Are two copper traces joined?")[0] == "pcb1"


def test_a_category_that_nothing_speaks_for_is_left_out(store: KnowledgeStore) -> None:
    assert set(rank_categories(store, "Are two copper traces joined?")) == {"pcb1", "pcb2"}
