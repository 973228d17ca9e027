from __future__ import annotations

import pytest

from reason_iad.bench.retrieval import Probe, generated_probes, hits, look, probes_of
from reason_iad.bench.work import BenchQuestion, Unit
from reason_iad.knowledge import KnowledgeStore
from reason_iad.schema import Entry


def entry(category: str, kind: str, name: str, text: str) -> Entry:
    return Entry.model_validate(
        {"id": f"{category}/{kind}/{name}", "category": category, "kind": kind, "name": name, "text": text,
         "source": "test"}
    )  # fmt: skip


@pytest.fixture
def store() -> KnowledgeStore:
    made = KnowledgeStore.memory()
    made.add(
        [
            entry("cup", "normal", "normal", "A white cup."),
            entry("cup", "defect", "broken handle", "The handle is gone."),
            entry("cup", "defect", "crack", "A thin dark line."),
            entry("SetB spoon", "defect", "bend", "The shaft is crooked."),
        ]
    )
    return made


def unit(image: str, *questions: tuple[str, str], category: str = "cup", abnormal: bool = True) -> Unit:
    asked = tuple(
        BenchQuestion(i, kind, text, {"A": "Crack.", "B": "Broken handle."}, "B")
        for i, (kind, text) in enumerate(questions)
    )
    return Unit(0, image, "SetB", category, abnormal, None, (), asked)


def test_hits_and_mrr_are_what_the_ranks_say() -> None:
    result = hits([1, 2, 4, None], (1, 3, 5))
    assert result is not None
    assert (result.count, result.at) == (4, {1: 0.25, 3: 0.5, 5: 0.75})
    assert result.mrr == pytest.approx((1 + 1 / 2 + 1 / 4) / 4)


def test_nothing_looked_for_is_not_zero() -> None:
    assert hits([], (1,)) is None


def test_a_question_that_asks_for_the_category_is_not_asked_of_the_text(store: KnowledgeStore) -> None:
    image = unit(
        "SetB/cup/test/crack/1.png", ("Object Classification", "What?"), ("Anomaly Detection", "A cup ok?")
    )
    probes, unknown = probes_of([image], store)
    assert [probe.text for probe in probes] == ["A cup ok?"]
    assert unknown == []


def test_the_entry_is_the_one_named_like_the_images_folder(store: KnowledgeStore) -> None:
    image = unit("SetB/cup/test/broken_handle/1.png", ("Defect Classification", "Which defect?"))
    (probe,), _ = probes_of([image], store)
    assert probe.entry == "cup/defect/broken handle"
    assert not probe.named


def test_a_good_image_has_no_entry_to_find(store: KnowledgeStore) -> None:
    image = unit("SetB/cup/test/crack/1.png", ("Defect Classification", "Which?"), abnormal=False)
    assert probes_of([image], store)[0][0].entry is None


def test_categories_the_store_does_not_know_are_listed_and_can_be_renamed(store: KnowledgeStore) -> None:
    image = unit("SetB/mug/test/crack/1.png", ("Anomaly Detection", "Is it broken?"), category="mug")
    assert probes_of([image], store) == ([], ["mug"])
    assert probes_of([image], store, {"mug": "cup"})[0][0].category == "cup"


def test_a_category_that_two_sets_share_is_found_with_its_set(store: KnowledgeStore) -> None:
    image = unit("SetB/spoon/test/bend/1.png", ("Anomaly Detection", "Is it bent?"), category="spoon")
    assert probes_of([image], store)[0][0].category == "SetB spoon"


def test_ranks_are_of_the_right_category_and_entry(store: KnowledgeStore) -> None:
    probes = [
        Probe(
            "1",
            "Is the cup cracked?",
            "Is the cup cracked? Broken handle.",
            "cup",
            "cup/defect/broken handle",
            True,
        ),
        Probe("2", "Is the cup cracked?", "", "SetB spoon", None, False),
    ]
    first, second = look(store, probes)
    assert (first.category, first.entry) == (1, 1)
    assert (second.category, second.entry) == (None, None)
    assert first.first == ("cup",)


def test_made_up_questions_name_their_category_and_are_found(store: KnowledgeStore) -> None:
    probes = generated_probes(store)
    assert all(probe.named for probe in probes)
    assert {probe.entry for probe in probes if probe.entry} == {
        "cup/defect/broken handle", "cup/defect/crack", "SetB spoon/defect/bend",
    }  # fmt: skip
    assert all(found.category == 1 for found in look(store, probes))
