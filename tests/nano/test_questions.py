"""Everything a training answer says is true, and its letter gives nothing away."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from reason_iad.inspection.questions import (
    LETTERS,
    detection_question,
    explanation_question,
    place_question,
    type_question,
)
from reason_iad.schema import PLACES
from reason_iad_nano.explanation import Stated, explain_good, read_explanation
from reason_iad_nano.names import distinct_names
from reason_iad_nano.packing import TASKS
from reason_iad_nano.questions import explanation_text, make_items, object_varied
from reason_iad_nano.scene import SceneOdds, make_scene
from reason_iad_nano.type_questions import ALIKE, type_varied
from reason_iad_nano.wording import GENERIC_NORMAL


@pytest.fixture
def scenes(facts, vocabulary):
    return [make_scene(fact, vocabulary, random.Random(number)) for number, fact in enumerate(facts)]


@pytest.fixture
def asked(scenes, vocabulary):
    return [(s, i) for n, s in enumerate(scenes) for i in make_items(s, vocabulary, random.Random(n), 6)]


def ways_to_say(scene, kind, vocabulary):
    """Every option that may stand for a kind: its name here, its look, or both; in lower case, no full stop."""
    name = "no defect" if kind is None else scene.name(kind).lower()
    looks = [
        look.rstrip(".").lower() for look in (GENERIC_NORMAL if kind is None else vocabulary.kinds[kind].looks)
    ]
    return {name, *looks, *(f"{name}{joint}{look}" for joint in (": ", " - ", ", that is: ") for look in looks)}


def limits(option):
    """The range of an option such as 'between 0.3 % and 0.9 %'."""
    numbers = [float(word) for word in option.rstrip(".").split() if word[0].isdigit()]
    if option.lower().startswith("less"):
        return 0.0, numbers[0]
    return (numbers[0], 101.0) if option.lower().startswith("more") else tuple(numbers)


def test_every_fact_of_an_explanation_is_true(scenes, vocabulary):
    for scene in scenes:
        stated = read_explanation(explanation_text(scene, vocabulary.kinds))
        assert stated is not None
        if not scene.facts.defective:
            assert not stated.defect
            continue
        main = scene.facts.main
        kind = {name: kind for kind, name in scene.names.items()}[stated.names[0]]
        assert (kind, stated.places, stated.sizes) == (main.kind, (main.place,), (main.size,))
        assert stated.why == vocabulary.kinds[main.kind].why


def test_explanations_of_good_parts_are_read_back():
    assert read_explanation(explain_good("gear")) == Stated(defect=False)
    assert read_explanation("Something else.") is None


def test_right_options_are_right(asked, vocabulary):
    for scene, item in asked:
        if item.correct is None:
            continue
        option = item.question.options[item.correct].rstrip(".").lower()
        facts = scene.facts
        assert item.answer == LETTERS[item.correct]
        if item.task == "type":
            assert option in ways_to_say(scene, facts.main.kind if facts.defective else None, vocabulary)
            named = [place for place in PLACES if f"in the {place}" in item.question.text]
            assert named in ([], [facts.main.place] if facts.defective else [])
            present = {defect.kind for defect in facts.defects}
            assert not present & {k for n, k in enumerate(item.option_kinds) if n != item.correct}
        elif item.task == "place":
            assert option == facts.main.place
        elif item.task == "object":
            assert facts.object_name.lower() in option and scene.category is None
            assert sum(facts.object_name.lower() in one.lower() for one in item.question.options) == 1
        elif item.task == "size" and "%" in option:
            low, high = limits(option)
            assert low <= 100 * sum(defect.share for defect in facts.defects) < high
            assert (
                sorted(limits(one)[0] for one in item.question.options)[1:]
                == sorted(limits(one)[1] for one in item.question.options)[:-1]
            ), "the four ranges leave no gap"
        elif item.task == "size":
            assert option == facts.main.size
        elif item.task == "count":
            assert int(option) == len(facts.defects)
        elif item.task in ("why", "cause"):
            assert option == getattr(vocabulary.kinds[facts.main.kind], item.task).rstrip(".").lower()
        elif item.task == "lookup":
            names = {e.name: e.text for e, kind in zip(scene.entries, scene.entry_kinds, strict=True) if kind}
            (name,) = [name for name in names if name.rstrip(".").lower() == option]
            assert item.question.text.endswith(names[name])
        elif item.task == "normal":
            good = {text.rstrip(".").lower() for text in GENERIC_NORMAL}
            others = {one.rstrip(".").lower() for one in item.question.options} - {option}
            assert option in good and len(others) == 3 and not others & good
        else:
            assert item.task == "detection" and option in ("yes", "no")
        if item.question == detection_question():
            assert (option == "yes") == facts.defective


def test_every_kind_of_question_that_a_benchmark_asks_is_a_lesson(asked):
    tasks = Counter(item.task for _, item in asked)
    assert set(TASKS) <= set(tasks), f"never asked: {set(TASKS) - set(tasks)}"


def test_letters_are_balanced(scenes, vocabulary):
    asked = [
        (scene, item)
        for number, scene in enumerate(scenes)
        for again in range(5)
        for item in make_items(scene, vocabulary, random.Random(f"{number}/{again}"), 6)
    ]
    checked = 0
    for task in ("detection", "type", "object"):
        for count in (2, 3, 4):
            letters = Counter(
                item.answer
                for _, item in asked
                if item.task == task
                and len(item.question.options) == count
                and item.question != detection_question()
            )
            total = sum(letters.values())
            if total >= 200:
                assert max(letters.values()) / total < 1.35 / count, (task, count, letters)
                checked += 1
    assert checked >= 3


def test_renamed_knowledge_holds_the_answers_name_exactly_once(facts, vocabulary):
    for number, fact in enumerate(facts):
        if not fact.defective:
            continue
        scene = make_scene(fact, vocabulary, random.Random(number), SceneOdds(1.0, 1.0, 1.0, 0.0, shipped=0.0))
        name = scene.name(fact.main.kind)
        assert [entry.name for entry in scene.entries].count(name) == 1
        assert name not in {text.name for text in vocabulary.kinds.values()}
        assert sum(name in entry.text for entry in scene.entries) == 0
        assert scene.entry_kinds[[entry.name for entry in scene.entries].index(name)] == fact.main.kind


def test_the_products_own_questions_are_asked_word_for_word(asked):
    questions = [item.question for _, item in asked]
    assert detection_question() in questions and place_question() in questions
    assert explanation_question() in questions
    assert place_question().options == PLACES
    types = [(s, i) for s, i in asked if i.question.text == type_question(("a", "b")).text]
    assert types and all(set(i.question.options) <= {e.name for e in s.entries} for s, i in types)


def test_an_unknown_name_is_never_asked_for_without_knowledge(asked):
    for scene, item in asked:
        if scene.renamed and item.task == "type":
            said = {
                one.rstrip(".").lower(): kind
                for one, kind in zip(item.question.options, item.option_kinds, strict=True)
            }
            known = {entry.name for entry in scene.entries}
            assert all(
                kind is None or scene.name(kind) in known or one != scene.name(kind).lower()
                for one, kind in said.items()
            )


def test_types_are_asked_by_name_and_by_look_and_places_are_told(scenes, vocabulary):
    forms = Counter()
    for number, scene in enumerate(scenes):
        for again in range(3):
            item = type_varied(scene, random.Random(f"{number}/{again}"), vocabulary.kinds)
            if item is None:
                continue
            forms["placed"] += any(f"in the {place}" in item.question.text for place in PLACES)
            for option, kind in zip(item.question.options, item.option_kinds, strict=True):
                name = "no defect" if kind is None else scene.name(kind).lower()
                option = option.rstrip(".").lower()
                forms["named" if option == name else "both" if option.startswith(name) else "look"] += 1
    assert min(forms[form] for form in ("named", "both", "look", "placed")) > 5, forms


def test_no_question_takes_a_defect_for_granted_that_is_not_there(asked):
    for scene, item in asked:
        if item.task == "type" and not scene.facts.defective:
            assert not any(
                word in item.question.text for word in ("is defective.", "There is a defect", "Choose the")
            )


def test_descriptions_that_fit_each_other_are_never_offered_together(scenes, vocabulary):
    for number, scene in enumerate(scenes):
        for again in range(10):
            item = type_varied(scene, random.Random(f"{number}/{again}"), vocabulary.kinds)
            if item is None or not any(len(set(item.option_kinds) & alike) > 1 for alike in ALIKE):
                continue
            names = {"no defect" if kind is None else scene.name(kind).lower() for kind in item.option_kinds}
            assert {option.rstrip(".").lower() for option in item.question.options} == names


def test_objects_are_told_apart_by_the_image_alone(facts, vocabulary):
    """What tables measure: each of the wrong objects is right elsewhere, so names alone tell nothing."""
    for number, fact in enumerate(facts):
        scene = make_scene(fact, vocabulary, random.Random(number), SceneOdds(category=0.0))
        item = object_varied(scene, random.Random(number), vocabulary.objects)
        assert item is not None and len(item.question.options) == 4
        assert all(any(name in option.lower() for name in vocabulary.objects) for option in item.question.options)
        assert not any(
            f" {wrong}" in f" {option.lower()}" for option in item.question.options for wrong in ("a a", "a e")
        )


def test_invented_names_are_distinct_and_none_holds_another():
    for seed in range(50):
        names = [name.lower() for name in distinct_names(random.Random(seed), 7)]
        assert all(a == b or a not in b for a in names for b in names) and len(set(names)) == 7


def test_open_lookups_repeat_the_entry_that_is_asked_for(asked):
    seen = 0
    for scene, item in asked:
        if item.task == "lookup" and item.correct is None:
            (entry,) = [entry for entry in scene.entries if f"'{entry.name}'" in item.question.text]
            assert item.answer == entry.text
            seen += 1
    assert seen > 5
