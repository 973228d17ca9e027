"""The type of a defect: by example where that can be stated, else as the model reads the knowledge."""

from __future__ import annotations

from datetime import datetime, timezone

from reason_iad.expert.normality.examples import Example, Resemblance
from reason_iad.inspection.by_example import Reading, said_of_type, type_claim, with_types
from reason_iad.schema import Box, ExampleEvidence, Finding

WHEN = datetime(2026, 5, 12, tzinfo=timezone.utc)


def resemblance(*types: str, unlike: bool = False) -> Resemblance:
    return Resemblance(Example("a" * 64, "a.png", "scratch", WHEN, (0, 0, 4, 4)), 0.8, types, unlike)


def evidence(*types: str, unlike: bool = False) -> ExampleEvidence:
    box = Box(x1=0, y1=0, x2=4, y2=4)
    return ExampleEvidence(
        type="scratch",
        name="a.png",
        sha256="a" * 64,
        added=WHEN,
        box=box,
        similarity=0.8,
        unlike=unlike,
        types=types,
    )


def finding() -> Finding:
    return Finding(
        box=Box(x1=0, y1=0, x2=4, y2=4), polygon=((0, 0), (4, 0), (4, 4)), place="center", area_px=8.0, share=0.1,
        length_px=5.0, score=1.0,
    )  # fmt: skip


def test_the_example_wins_where_it_states_a_type() -> None:
    found = with_types([finding(), finding()], [resemblance("scratch"), resemblance("dent")], Reading("burn", 0.9))
    assert [each.type for each in found] == ["scratch", "dent"]
    assert found[0].type_probability is None
    assert type_claim([resemblance("scratch", "dent")], Reading("burn", 0.9))[0].names == ("scratch", "dent")


def test_else_the_model_does() -> None:
    for alike in ([], [resemblance()], [resemblance(unlike=True)]):
        found = with_types([finding()], alike, Reading("burn", 0.9))
        assert (found[0].type, found[0].type_probability) == ("burn", 0.9)
        assert type_claim(alike, Reading("burn", 0.9))[0].names == ("burn",)


def test_without_a_model_a_likely_type_is_named_but_not_claimed() -> None:
    assert with_types([finding()], [resemblance()], None)[0].type == "scratch"
    assert type_claim([resemblance()], None) == ()
    assert with_types([finding()], [resemblance(unlike=True)], None)[0].type is None
    assert with_types([], [], None) == ()


def test_other_places_get_a_type_only_if_it_is_the_only_one() -> None:
    found = with_types([finding(), finding()], [resemblance("dent"), resemblance("scratch", "dent")], None)
    assert [each.type for each in found] == ["dent", None]


def test_the_words() -> None:
    assert said_of_type(evidence("scratch"), None) == "Looks like 'scratch', seen on 12 May 2026."
    assert evidence("scratch", "dent").in_words() == "Looks like 'scratch' or 'dent', seen on 12 May 2026."
    assert said_of_type(evidence(unlike=True), "burn") == "Unlike any known type of defect."
    assert "several types are about as similar" in evidence().in_words()
    assert said_of_type(None, "burn") == ""


def test_a_disagreement_is_said() -> None:
    assert said_of_type(evidence("scratch"), "Scratch").endswith("2026.")
    assert said_of_type(evidence("scratch"), "burn").endswith("2026. The model calls it 'burn'.")
