"""What a question asks for: recognised in the words of benchmarks and of people, set by the inspection itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reason_iad.inspection.intents import advice, asks_plainly, of_benchmark, of_person
from reason_iad.inspection.questions import (
    LETTERS,
    Question,
    detection_question,
    explanation_question,
    place_question,
    type_question,
)
from reason_iad.schema import PLACES
from reason_iad_nano import wording


def yes_means_defect(question: Question) -> str | None:
    intent = of_benchmark(question).intent
    return intent.yes if intent is not None and intent.asks == "whether" else None


def places_of(question: Question) -> list[int] | None:
    intent = of_benchmark(question).intent
    return list(intent.places) if intent is not None and intent.asks == "place" else None


def ranges_of(question: Question) -> list[tuple[float, float]] | None:
    intent = of_benchmark(question).intent
    return list(intent.ranges) if intent is not None and intent.asks == "size" else None


def asks_type(question: Question) -> bool:
    intent = of_benchmark(question).intent
    return intent is not None and intent.asks == "type"


def place_named(question: Question) -> int | None:
    intent = of_benchmark(replace(question, options=("scratch", "dent"))).intent
    assert intent is not None
    return intent.at


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
        "Look at the bottom right part of the image. Which defect is it?": "bottom right",
        "One defect lies in the center part of the image. What kind of defect is it?": "center",
        "What is the defect in the top center part?": "top center",
    }
    for text, place in named.items():
        assert place_named(Question("q", text)) == PLACES.index(place), text
    assert place_named(Question("q", "Which defect is it, in the top left or in the center?")) is None
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


@pytest.mark.parametrize(
    "question",
    [
        "Is there any defect?",
        "is there a  visible flaw in this image",
        "Are there defects on the part?",
        "Does this part have any damage?",
        "Is the product defective?",
        "Is anything wrong with the part?",
        "Is something wrong?",
        "Where is the defect?",
        "Where is the defect located in the image?",
        "Which defect is it?",
        "Which type of defect is it?",
        "What kind of defect does this part have?",
        "What is the type of the defect?",
        "What is the defect?",
        "How large is the defect?",
        "How much of the image does the defect cover?",
    ],
)
def test_plain_questions(question: str) -> None:
    assert asks_plainly(question)


@pytest.mark.parametrize(
    "question",
    [
        "Does the part never show defects?",
        "Is it false that the part is defective?",
        "Do most parts have defects?",
        "Is there a defect of type scratch?",
        "Is there any defect on the connector?",
        "Is there anything wrong with the lighting?",
        "Is there a defect besides the dent?",
        "Are there defects except rust?",
        "Is only the screw damaged?",
        "Are both pins damaged?",
        "Is there a defect detector in the picture?",
        "Does the camera have a defect?",
        "Is there no defect?",
        "Is the part free of defects?",
        "Where is there no defect?",
        "Which corner is free of defects?",
        "Where is the logo, not the defect?",
        "Where is the hole nearest the defect?",
        "Which defect is not shown?",
        "Which defects can occur on this part?",
        "Which defect is more common?",
        "Which defect type can be excluded?",
        "How much of the image is free of defects?",
        "What share of the image is not defective?",
        "What percentage of the surface around the defect is dark?",
        "Is there any defect? If so, is it harmless?",
        "What is it?",
        "",
    ],
)
def test_all_others_are_left_to_the_model(question: str) -> None:
    assert not asks_plainly(question)


def test_what_the_inspection_asks_itself_carries_its_intent_and_is_read_alike() -> None:
    for question in (detection_question(), type_question(["hole", "scratch"]), place_question()):
        assert question.intent is not None
        assert of_benchmark(replace(question, intent=None)).intent == question.intent
    assert explanation_question().intent is None and of_benchmark(explanation_question()).intent is None


def test_people_are_read_more_strictly_than_benchmarks() -> None:
    loose = Question("q", "Judging by this image, does the part have a defect?", ("Yes", "No"))
    assert of_benchmark(loose).intent is not None and of_person(loose).intent is None
    plain = of_person(Question("q", "Is there any defect?", ("no", "yes"))).intent
    assert plain is not None and (plain.asks, plain.yes) == ("whether", "B")


@pytest.mark.parametrize(
    ("question", "suggested"),
    [
        ("Is the part ok?", "Is there any defect?"),
        ("Do you see the location of the crack?", "Where is the defect?"),
        ("Which kind of flaw do you see?", "Which type of defect is it?"),
        ("How much is broken?", "How large is the defect?"),
    ],
)
def test_a_question_that_is_not_recognised_gets_a_wording_that_is(question: str, suggested: str) -> None:
    said = advice(Question("q", question, ("yes", "no")))
    assert said.startswith("The good parts help only with these questions") and f'"{suggested}"' in said
    assert asks_plainly(suggested), "what is suggested has to work"


def test_a_question_about_something_else_gets_no_wording() -> None:
    said = advice(Question("q", "How many pins are there?", ("4", "8")))
    assert said.endswith("This answer is the model's alone.")


def test_a_plain_question_without_fitting_options_is_told_which_fit() -> None:
    assert "no options" in advice(Question("q", "Is there any defect?"))
    assert "do not fit" in advice(Question("q", "Is there any defect?", ("perhaps", "no idea")))
