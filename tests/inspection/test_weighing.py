"""What becomes of an answer when the map and further looks have their say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from reason_iad.expert import AnomalyMap
from reason_iad.inspection.fusion import (
    DetectionWeights,
    Floors,
    LateFusion,
    PlaceWeights,
    SizeWeights,
    TypeWeights,
)
from reason_iad.inspection.intents import of_benchmark
from reason_iad.inspection.questions import LETTERS, Question, type_question
from reason_iad.inspection.weighing import Looks, weigh
from reason_iad.schema import PLACES, Answer

FUSION = LateFusion(
    one_reference=DetectionWeights(bias=0.0, model=1.0, closer=1.0, map=3.0),
    more_references=DetectionWeights(bias=0.0, model=1.0, closer=1.0, map=3.0),
    place=PlaceWeights(model=1.0, map=3.0),
    type=TypeWeights(model=1.0, closer=2.0),
    size=SizeWeights(model=1.0, map=2.0),
    floors=Floors(),
    fitted_on="nothing",
)
DISTANCES = torch.full((9, 9), 0.1).index_put(
    (torch.tensor([1]), torch.tensor([7])), torch.tensor(0.8)
)  # top right
FOUND = AnomalyMap(DISTANCES, DISTANCES, 0.2, gate_passed=False, area=0.0, calibrated_on=1)


def answered(question: Question, *probabilities: float) -> Answer:
    by_letter = dict(zip(LETTERS, probabilities, strict=False))
    best = max(by_letter, key=by_letter.__getitem__)
    return Answer(
        key=question.key, question=question.text, options=question.lettered, choice=best, probabilities=by_letter,
        text=question.lettered[best], initial_probabilities=by_letter,
    )  # fmt: skip


def weighed(question: Question, answer: Answer, found: AnomalyMap = FOUND, *, near: Answer | None = None) -> Answer:
    intent = of_benchmark(question).intent
    assert intent is not None
    return weigh(answer, intent, FUSION, found, Looks(near=None if near is None else near.probabilities))


AREA = "About how much of the image area does the defect cover?"
RANGES = ("Between 0.3 % and 0.9 %.", "More than 10 %.", "Less than 0.3 %.", "Between 0.9 % and 10 %.")


def test_the_map_says_how_much_differs() -> None:
    pixels = np.zeros((100, 100), np.float32)
    pixels[10:16, 70:80] = 60.0  # .6 %
    question = Question("q", AREA, RANGES)
    found = weighed(question, answered(question, 0.2, 0.4, 0.2, 0.2), replace(FOUND, pixels=pixels))
    assert found.choice == "A" and sum(found.probabilities.values()) == pytest.approx(1)


def test_both_looks_make_the_type() -> None:
    question = type_question(["hole", "scratch", "dent"])
    near = answered(question, 0.1, 0.8, 0.1)
    found = weighed(question, answered(question, 0.5, 0.4, 0.1), near=near)
    assert found.text == "scratch" and found.choice == "B"
    assert list(found.probabilities.values()) == pytest.approx(FUSION.types([0.5, 0.4, 0.1], [0.1, 0.8, 0.1]))


def test_a_closer_look_has_its_say_in_the_verdict() -> None:
    question = Question("q", "Is there a defect?", ("No", "Yes"))
    answer = answered(question, 0.5, 0.5)
    low, high = (
        weighed(question, answer, near=answered(question, 1 - p, p)).probabilities["B"] for p in (0.01, 0.9)
    )
    assert low < high and high == pytest.approx(FUSION.probability(0.5, 0.9, FOUND))


def test_the_map_turns_an_undecided_answer() -> None:
    question = Question("q", "Is anything wrong with it?", ("No.", "Yes."))
    answer = answered(question, 0.6, 0.4)
    found = weighed(question, answer, near=answered(question, 0.5, 0.5))
    assert found.choice == "B" and found.text == "Yes." and found.probabilities["B"] > 0.9
    assert sum(found.probabilities.values()) == pytest.approx(1)
    assert found.initial_probabilities == found.probabilities, "of the same answer before reasoning"
    where = Question("q", "Where is the defect?", ("Bottom left.", "Top right.", "Center."))
    found = weighed(where, answered(where, 0.5, 0.3, 0.2))
    assert found.choice == "B" and PLACES[2] == "top right"


def test_a_type_is_read_from_what_changed_where_the_pixels_say_it() -> None:
    question = type_question(("dent", "hole"))
    assert question.intent is not None
    fusion = FUSION.model_copy(update={"type": TypeWeights(model=1.0, closer=0.0, described=2.0)})
    answer, even = answered(question, 0.6, 0.4), {"A": 0.5, "B": 0.5}
    same = weigh(answer, question.intent, fusion, FOUND, Looks(near=even))
    assert same.probabilities == pytest.approx({"A": 0.6, "B": 0.4})
    read = weigh(answer, question.intent, fusion, FOUND, Looks(near=even, read={"A": 0.2, "B": 0.8}))
    odds = 0.6 / 0.4 * (0.2 / 0.8) ** 2
    assert read.probabilities["A"] == pytest.approx(odds / (1 + odds)) and read.text == "hole"
