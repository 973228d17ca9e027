"""The nearest known defect and the nearest good place stand beside the marked place."""

from __future__ import annotations

from datetime import datetime, timezone

from tests.report import report_cases as cases

from reason_iad.report import render_report
from reason_iad.report.known import known_places, wanted
from reason_iad.report.pictures import PLAIN
from reason_iad.schema import Box, ExampleEvidence, GoodPlaceEvidence, Inspection, ProductEvidence

PART, KNOWN, GOOD = (
    cases.plate(scratched=True),
    cases.plate(scratched=True, seed=5),
    cases.plate(scratched=False, seed=6),
)


def inspected(*, example: bool = True) -> Inspection:
    product = ProductEvidence(
        name="plate", sha256="f" * 64, good_images=20, score=8.0, pass_below=3.0, defect_from=3.0, promise="-",
        likeness=0.9,
        example=ExampleEvidence(
            type="scratch <b>", name="known.png", sha256=KNOWN.sha256, similarity=0.83, unlike=False,
            types=("scratch <b>",), added=datetime(2026, 5, 12, tzinfo=timezone.utc), box=cases.BOX,
        ) if example else None,
        good_place=GoodPlaceEvidence(name="good.png", sha256=GOOD.sha256, x=0.98, y=0.2),
    )  # fmt: skip
    result = cases.defect()
    return result.model_copy(update={"evidence": result.evidence.model_copy(update={"product": product})})


def test_three_places_are_shown() -> None:
    places = known_places(inspected(), PART, [GOOD, KNOWN])
    assert [each.title for each in places] == [
        "The marked place.", "The nearest known defect: scratch <b>.", "The nearest good place.",
    ]  # fmt: skip
    assert all(each.picture is not None for each in places)
    assert "12 May 2026" in places[1].text


def test_the_place_is_cut_out_and_not_the_whole_picture() -> None:
    for place in known_places(inspected(), PART, [GOOD, KNOWN]):
        assert place.picture is not None
        assert place.picture.width < PART.width / 2


def test_the_page_shows_them_and_not_as_good_parts_that_were_used() -> None:
    page = render_report(
        inspected(), image=PART, references=[cases.plate(scratched=False), KNOWN.pixels, GOOD.pixels]
    )
    assert "What it looks like" in page
    assert "scratch &lt;b&gt;" in page
    assert "scratch <b>." not in page
    assert "It was not used in this inspection." not in page


def test_nothing_is_shown_without_a_known_defect_or_where_pictures_are_left_out() -> None:
    assert known_places(inspected(example=False), PART, [GOOD]) == ()
    assert known_places(inspected(), PART, [GOOD, KNOWN], PLAIN) == ()
    assert known_places(cases.defect(), PART, []) == ()
    assert wanted(cases.defect()) == frozenset()


def test_a_missing_picture_or_a_place_outside_leaves_a_gap() -> None:
    places = known_places(inspected(), PART, [])
    assert [each.picture is None for each in places] == [False, True, True]
    product = inspected().evidence.product
    assert product is not None
    assert product.example is not None
    far = product.example.model_copy(update={"box": Box(x1=5000, y1=5000, x2=5010, y2=5010)})
    evidence = inspected().evidence.model_copy(update={"product": product.model_copy(update={"example": far})})
    odd = inspected().model_copy(update={"evidence": evidence})
    assert known_places(odd, PART, [KNOWN, GOOD])[1].picture is None
