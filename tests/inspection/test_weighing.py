"""Which questions the map has a say in, and that all others are left alone."""

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
from reason_iad.inspection.questions import LETTERS, Question, detection_question, place_question, type_question
from reason_iad.inspection.weighing import asks_type, place_named, places_of, ranges_of, weigh, yes_means_defect
from reason_iad.schema import PLACES, Answer
from reason_iad_nano import wording

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


@pytest.mark.parametrize(
    "text",
    [
        detection_question().text, "Is there any defect in the object?", "Is anything wrong with the board?",
        "Would you reject this tile because of a visible defect?", "Does the image show an anomaly?",
        "Judging by this image, does the commutator surface have a defect?", "Is the part damaged?",
    ],
)  # fmt: skip
@pytest.mark.parametrize("options", [("Yes", "No"), ("No.", "Yes."), ("yes", "NO")])
def test_questions_for_a_defect_are_known_in_any_order(text: str, options: tuple[str, ...]) -> None:
    letter = yes_means_defect(Question("q", text, options))
    assert letter == LETTERS[[option.lower().rstrip(".") for option in options].index("yes")]


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("Is the part free of defects?", ("Yes", "No")), ("Is there no defect?", ("Yes", "No")),
        ("Isn't there a defect?", ("Yes", "No")), ("Is the part good?", ("Yes", "No")),
        ("Is the part red?", ("Yes", "No")), ("Is there a defect?", ("Yes", "No", "Perhaps")),
        ("Is this part non-defective?", ("Yes", "No")), ("Is the product faultless?", ("Yes", "No")),
        ("Is it defectless?", ("Yes", "No")), ("Is the surface clear of defects?", ("Yes", "No")),
        ("Are defects absent?", ("Yes", "No")), ("Is the part devoid of anomalies?", ("Yes", "No")),
        ("Does the object lack any defects?", ("Yes", "No")), ("Has the part zero defects?", ("Yes", "No")),
        ("Is it undamaged?", ("Yes", "No")), ("Does it not have a defect?", ("Yes", "No")),
        ("Is the defect in the top left?", ("Yes", "No")), ("Is the defect a scratch?", ("Yes", "No")),
        ("Is there a defect in the top left corner?", ("Yes", "No")), ("Is the damage severe?", ("Yes", "No")),
        ("Does the defect affect the function of the part?", ("Yes", "No")),
        ("Is there more than one defect?", ("Yes", "No")), ("Is this a fault-tolerant connector?", ("Yes", "No")),
        ("Is there a defect in the center of the image?", ("Yes", "No")),
        ("Are there any defects in the reference image?", ("Yes", "No")),
        ("Does the image show any damage caused by overheating?", ("Yes", "No")),
        ("Do parts like this often have defects?", ("Yes", "No")),
        ("Is there a defect on the edge?", ("Yes", "No")),
        ("Is there a defect?", ("Yes", "Yes.")), ("Is there a defect?", ("Defective", "Good")), ("A defect?", ()),
    ],
)  # fmt: skip
def test_others_are_not(text: str, options: tuple[str, ...]) -> None:
    assert yes_means_defect(Question("q", text, options)) is None


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("Does the part never show defects?", ("Yes", "No")),
        ("Is it false that the part is damaged?", ("Yes", "No")),
        ("Do most parts have defects?", ("Yes", "No")), ("Is there a defect besides the dent?", ("Yes", "No")),
        ("Is there a defect of type scratch?", ("Yes", "No")), ("Are there defects except rust?", ("Yes", "No")),
        ("Is only the screw damaged?", ("Yes", "No")), ("Are both pins damaged?", ("Yes", "No")),
        ("Where is there no defect?", ("Top left", "Center")),
        ("Which place is free of defects?", ("Top left", "Center")),
        ("Where is the hole nearest the defect?", ("Top left", "Center")),
        ("Where is the logo, not the defect?", ("Top left", "Center")),
        ("How much of the image is free of defects?", ("Less than 10 %", "More than 10 %")),
        ("What share of the image is not defective?", ("Less than 10 %", "More than 10 %")),
        ("What percentage of the surface around the defect is dark?", ("Less than 10 %", "More than 10 %")),
        ("Which defect is not shown?", ("scratch", "dent")),
        ("Which defects can occur on this part?", ("scratch", "dent")),
        ("Which defect is more common?", ("scratch", "dent")),
        ("Which defect type is excluded?", ("scratch", "dent")),
    ],
)  # fmt: skip
def test_turned_round_or_about_something_else_they_are_left_alone(text: str, options: tuple[str, ...]) -> None:
    question = Question("q", text, options)
    assert yes_means_defect(question) is None and places_of(question) is None and ranges_of(question) is None
    assert not asks_type(question)


def test_no_wording_of_the_drawn_questions_is_taken_for_its_opposite() -> None:
    for text in wording.IS_GOOD:
        assert yes_means_defect(Question("q", text.format(part="cable"), ("Yes", "No"))) is None, text
    asked = {text: Question("q", text.format(part="cable"), ("Yes", "No")) for text in wording.IS_DEFECTIVE}
    left = [text for text, question in asked.items() if yes_means_defect(question) != "A"]
    assert left == ["Does the {part} differ from a good one?"], "'good' may turn a question round"


def test_places_are_known_by_their_names() -> None:
    assert places_of(place_question()) == list(range(9))
    assert places_of(Question("q", "Where is it wrong?", ("Bottom right.", "Center.", "Top  left"))) == [8, 4, 0]
    for options in (("Top left", "Top left."), ("Top left", "elsewhere"), ("top", "left"), ()):
        assert places_of(Question("q", "Where is the defect?", options)) is None
    assert places_of(Question("q", "Where is the barcode?", ("Top left", "Center"))) is None
    for text in wording.WHICH_PLACE:
        assert places_of(Question("q", text.format(part="cable"), ("Top left", "Center"))) == [0, 4], text


def unsure(question: Question) -> Answer:
    """A closer look that tells nothing."""
    return answered(question, *[1 / len(question.options)] * len(question.options))


def never(question: Question) -> Answer:
    raise AssertionError(f"nobody has to look again for '{question.text}'")


@pytest.mark.parametrize(
    "text",
    [
        type_question(["hole", "scratch"]).text, "What is the type of the defect?", "Which defect is it?",
        "What kind of defect does the part have?", "Which of these defects is present?", "Name the defect.",
        "There is a defect in the object. What is its type?", "The part is defective. Of which kind is the defect?",
        "Choose the defect that the image shows.", "Which kind of defect can be seen on this magnetic tile?",
        "One defect lies in the top left part of the image. What kind is it?",
        "Look at the bottom right part of the image. Which kind of defect is there?",
        "The magnetic tile in this image is defective. Which of these defects does it have?",
        "The part has a defect in the top left. Of which type?", "What type of surface defect is it?",
        "What is the defect in the image?", "What is the name of the defect?", "What specific defect is visible?",
        "How would you classify the defect?", "What kind of anomaly has been detected on the large gear?",
        "What kind of defect does the product have?",
        "There is a defect in the object. What is the type of the defect?",
    ],
)  # fmt: skip
def test_questions_for_the_type_are_known(text: str) -> None:
    assert asks_type(Question("q", text, ("Hole: an opening.", "scratch", "no defect")))


@pytest.mark.parametrize(
    "text",
    [
        "Where is the defect?", "What is the cause of this type of defect?", "How severe is the defect?",
        "What effect does the defect have?", "What does the defect look like?", "What kind of part is it?",
        "How many defects are there?", "Which part holds the defect?", "About how large is the defect?",
        "What colour is the defect?", "Why does this kind of defect matter?", "Describe the defect.",
        "Which damaged component is shown?", "Which defective area is the largest?",
        "What type of defective product is in the image?", "What fault can this defect lead to?",
        "There is a defect in the object. What kind of object is this?", "What is the appearance of the defect?",
        "The object has a defect. What type of material is it made of?", "What defect characteristics are visible?",
        "There is a defect in the object. What type of repair is needed?", "What is the cause of the defect?",
        "What damage would result if this part were used?", "Which defect detection method is suitable?",
        "Which defect would most affect the function of the object?",
        "Which statement about the defect is correct?",
        "Which of the following best describes the defect?", "What is the potential effect of the defect?",
    ],
)  # fmt: skip
def test_questions_for_something_else_of_it_are_not(text: str) -> None:
    assert not asks_type(Question("q", text, ("one", "two", "three")))
    assert not asks_type(Question("q", "Which defect is it?", ("Yes", "No")))
    assert not asks_type(Question("q", "Which defect is it?", ()))


def test_the_one_place_that_a_question_names_is_found() -> None:
    named = {
        "Look at the bottom right part of the image.": "bottom right",
        "One defect lies in the center part of the image.": "center",
        "What is wrong at the top center?": "top center",
    }
    for text, place in named.items():
        assert place_named(Question("q", text)) == PLACES.index(place), text
    assert place_named(Question("q", "Is it in the top left or in the center?")) is None
    assert place_named(Question("q", "Which defect is it?")) is None


AREA = "About how much of the image area does the defect cover?"
RANGES = ("Between 0.3 % and 0.9 %.", "More than 10 %.", "Less than 0.3 %.", "Between 0.9 % and 10 %.")


def test_ranges_of_the_image_are_read() -> None:
    limits = [(0.003, 0.009), (0.1, 1.0), (0.0, 0.003), (0.009, 0.1)]
    for text in (
        AREA,
        *wording.WHICH_SHARE,
        "Which share of the image does the defective area of the tile take up?",
    ):
        read = ranges_of(Question("q", text, RANGES))
        assert read == [pytest.approx(each) for each in limits], text
    assert ranges_of(Question("q", AREA, ("about 1%", "1%-5%", ">5%"))) is None, "one of them cannot be read"
    assert ranges_of(Question("q", AREA, ("up to 1%", "from 1% to 5%", "over 5%"))) is not None
    assert ranges_of(Question("q", AREA, ("less than .5 %", "more than .5 %"))) == [(0.0, 0.005), (0.005, 1.0)]


def test_the_four_sizes_are_ranges_too() -> None:
    for text in wording.WHICH_SIZE:
        read = ranges_of(Question("q", text.format(part="cable"), ("Medium.", "Tiny.", "Large.", "Small.")))
        assert read == [(0.015, 0.05), (0.0, 0.004), (0.05, 1.0), (0.004, 0.015)], text
    assert ranges_of(Question("q", "How large is the defect?", ("Small", "Large"))) is None, "small for whom?"
    for text in (
        "How large is the part that has the defect?", "How large is the hole next to the defect?",
        "What is the size of the object with the defect?", "How much does the defect matter?",
    ):  # fmt: skip
        assert ranges_of(Question("q", text, ("Medium", "Tiny", "Large", "Small"))) is None, text
    assert ranges_of(Question("q", "How large is the part?", ("Medium", "Tiny", "Large", "Small"))) is None


@pytest.mark.parametrize(
    ("text", "options"),
    [
        (AREA, ("Less than 5 %", "Less than 9 %")), (AREA, ("small", "large")), (AREA, ()),
        (AREA, ("Between 0.9 % and 0.3 %", "More than 10 %")), (AREA, ("Less than 0 %", "More than 100 %")),
        ("By how much is the image brighter?", RANGES), ("How likely is a defect?", RANGES),
        ("How confident are you that the image shows a defect?", RANGES),
        ("What is the probability that this surface is defective?", RANGES),
        ("How much of the image does the bottle cover?", RANGES),
        ("By how much does surface damage reduce the strength?", RANGES),
        (AREA, ("Less than 0,3 %", "Between 0,3 % and 0,9 %", "More than 0,9 %")),
    ],
)  # fmt: skip
def test_other_ranges_are_not(text: str, options: tuple[str, ...]) -> None:
    assert ranges_of(Question("q", text, options)) is None


def test_the_map_says_how_much_differs() -> None:
    pixels = np.zeros((100, 100), np.float32)
    pixels[10:16, 70:80] = 60.0  # .6 %
    question = Question("q", AREA, RANGES)
    weighed = weigh(question, answered(question, 0.2, 0.4, 0.2, 0.2), replace(FOUND, pixels=pixels), FUSION, never)
    assert weighed.choice == "A" and sum(weighed.probabilities.values()) == pytest.approx(1)


def test_both_looks_make_the_type() -> None:
    question = type_question(["hole", "scratch", "dent"])
    answer = answered(question, 0.5, 0.4, 0.1)
    asked = []

    def near(again: Question) -> Answer:
        asked.append(again)
        return answered(again, 0.1, 0.8, 0.1)

    weighed = weigh(question, answer, FOUND, FUSION, near)
    assert asked == [question] and weighed.text == "scratch" and weighed.choice == "B"
    assert list(weighed.probabilities.values()) == pytest.approx(FUSION.types([0.5, 0.4, 0.1], [0.1, 0.8, 0.1]))


def test_a_closer_look_has_its_say_in_the_verdict() -> None:
    question = Question("q", "Is there a defect?", ("No", "Yes"))
    answer = answered(question, 0.5, 0.5)
    low, high = (
        weigh(question, answer, FOUND, FUSION, lambda q, p=p: answered(q, 1 - p, p)).probabilities["B"]
        for p in (0.01, 0.9)
    )
    assert low < high and high == pytest.approx(FUSION.probability(0.5, 0.9, FOUND))


def test_the_map_turns_an_undecided_answer() -> None:
    question = Question("q", "Is anything wrong with it?", ("No.", "Yes."))
    answer = answered(question, 0.6, 0.4)
    weighed = weigh(question, answer, FOUND, FUSION, unsure)
    assert weighed.choice == "B" and weighed.text == "Yes." and weighed.probabilities["B"] > 0.9
    assert sum(weighed.probabilities.values()) == pytest.approx(1)
    assert weighed.initial_probabilities == weighed.probabilities, "of the same answer before reasoning"
    where = Question("q", "Where is the defect?", ("Bottom left.", "Top right.", "Center."))
    weighed = weigh(where, answered(where, 0.5, 0.3, 0.2), FOUND, FUSION, never)
    assert weighed.choice == "B" and PLACES[2] == "top right"


def test_what_is_neither_stays_the_same_answer() -> None:
    for text in ("Is the part good?", "What colour is it?"):
        question = Question("q", text, ("Yes", "No"))
        answer = answered(question, 0.6, 0.4)
        assert weigh(question, answer, FOUND, FUSION, never) is answer


def test_a_type_is_read_from_what_changed_where_the_pixels_say_it() -> None:
    question, whether = type_question(("dent", "hole")), detection_question()
    fusion = FUSION.model_copy(update={"type": TypeWeights(model=1.0, closer=0.0, described=2.0)})
    answer = answered(question, 0.6, 0.4)

    def even(asked: Question) -> Answer:
        return answered(asked, 0.5, 0.5)

    def never(asked: Question) -> Answer:
        raise AssertionError("what changed says nothing about the verdict")

    same = weigh(question, answer, FOUND, fusion, even, lambda asked: None)
    assert same.probabilities == pytest.approx({"A": 0.6, "B": 0.4})
    read = weigh(question, answer, FOUND, fusion, even, lambda asked: answered(asked, 0.2, 0.8))
    odds = 0.6 / 0.4 * (0.2 / 0.8) ** 2
    assert read.probabilities["A"] == pytest.approx(odds / (1 + odds)) and read.text == "hole"
    weigh(whether, answered(whether, 0.5, 0.5), FOUND, fusion, even, never)
