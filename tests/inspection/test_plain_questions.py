"""Which free questions are weighed, and the many that are not."""

from __future__ import annotations

import pytest

from reason_iad.inspection.plain_questions import asks_plainly


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
