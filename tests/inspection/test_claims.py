"""What an explanation claims: one name where it is clear, several where they cannot be told apart, or none."""

from __future__ import annotations

import pytest

from reason_iad.inspection.claims import claim, claims_of
from reason_iad.inspection.fusion import (
    DetectionWeights,
    Floors,
    LateFusion,
    PlaceWeights,
    SizeWeights,
    TypeWeights,
)
from reason_iad.inspection.prompts import explanation_opening
from reason_iad.inspection.questions import LETTERS
from reason_iad.schema import PLACES, Answer, Claim

NAMES = ("scratch", "crack", "dent", "hole", "stain", "chip")
DETECTION = DetectionWeights(bias=0.0, model=1.0, closer=1.0, map=1.0)
FUSION = LateFusion(
    one_reference=DETECTION, more_references=DETECTION, place=PlaceWeights(model=1.0, map=1.0),
    type=TypeWeights(model=1.0, closer=1.0), size=SizeWeights(model=1.0, map=4.0),
    floors=Floors(type=0.2, place=0.3, size=0.1), fitted_on="nothing",
)  # fmt: skip


def answer(key: str, options: tuple[str, ...], *probabilities: float) -> Answer:
    rest = (1 - sum(probabilities)) / max(len(options) - len(probabilities), 1)
    likely = (*probabilities, *[rest] * (len(options) - len(probabilities)))
    by_letter = dict(zip(LETTERS, likely, strict=False))
    best = max(by_letter, key=by_letter.__getitem__)
    lettered = dict(zip(LETTERS, options, strict=False))
    return Answer(
        key=key, question="?", options=lettered, choice=best, probabilities=by_letter, text=lettered[best]
    )


@pytest.mark.parametrize(
    ("probabilities", "floor", "names"),
    [
        ((0.9, 0.1, 0.0, 0.0, 0.0, 0.0), 0.2, ("scratch",)),
        ((0.3, 0.6, 0.1, 0.0, 0.0, 0.0), 0.2, ("crack", "scratch")),
        ((0.3, 0.6, 0.1, 0.0, 0.0, 0.0), 0.05, ("crack", "scratch", "dent")),
        ((0.3, 0.6, 0.1, 0.0, 0.0, 0.0), None, ("crack",)),
        ((0.2, 0.1, 0.1, 0.1, 0.4, 0.1), 0.9, ("stain",)),
        ((0.25, 0.25, 0.25, 0.25, 0.0, 0.0), 0.2, None),
    ],
)
def test_what_is_as_probable_as_the_floor_is_named(
    probabilities: tuple[float, ...], floor: float | None, names: tuple[str, ...] | None
) -> None:
    made = claim("type", NAMES, probabilities, floor)
    assert (None if made is None else made.names) == names
    if made is not None:
        assert made.probability == pytest.approx(sum(probabilities[NAMES.index(name)] for name in made.names))


def test_more_than_half_of_all_options_say_nothing() -> None:
    assert claim("type", NAMES[:2], (0.5, 0.5), 0.2) is None
    assert claim("type", NAMES[:3], (0.4, 0.4, 0.2), 0.3) is None
    assert claim("type", NAMES[:4], (0.4, 0.4, 0.1, 0.1), 0.3) is not None
    assert claim("type", NAMES[:4], (0.3, 0.3, 0.3, 0.1), 0.3) is None
    assert claim("type", NAMES[:1], (1.0,), 0.2) == Claim(fact="type", names=("scratch",), probability=1.0)


def test_type_place_and_size_are_claimed_where_they_are_clear() -> None:
    kind, place = answer("type", NAMES, 0.5, 0.4), answer("place", PLACES, 0.9)
    claims = claims_of(kind, place, 0.027, FUSION)
    assert [(one.fact, one.names) for one in claims] == [
        ("type", ("scratch", "crack")), ("place", ("top left",)), ("size", ("medium",))
    ]  # fmt: skip
    assert explanation_opening(True, claims) == "Defect: scratch or crack at top left, medium."
    unsure = claims_of(answer("type", NAMES), place, 0.027, FUSION.model_copy(update={"floors": Floors(
        type=0.1, place=0.3, size=0.1)}))  # fmt: skip
    assert explanation_opening(True, unsure) == "Defect: type not clear at top left, medium."


def test_a_size_near_a_limit_has_two_names() -> None:
    claims = claims_of("scratch", answer("place", PLACES, 0.9), 0.0155, FUSION)
    assert claims[-1].fact == "size" and set(claims[-1].names) == {"small", "medium"}


def test_no_size_is_claimed_where_it_cannot_be_told() -> None:
    claims = claims_of("scratch", answer("place", PLACES, 0.9), None, FUSION)
    assert [one.fact for one in claims] == ["type", "place"]


def test_without_weights_the_best_names_are_claimed() -> None:
    claims = claims_of(answer("type", NAMES, 0.3), answer("place", PLACES, *[0.1] * 4, 0.4), 0.001, None)
    assert [one.names for one in claims] == [("scratch",), ("center",), ("tiny",)]
    assert claims[-1].probability is None, "nobody weighed it"
    assert [one.fact for one in claims_of(None, answer("place", PLACES, 0.5), None, None)] == ["place"]


@pytest.mark.parametrize(
    ("names", "words"), [(("a",), "a"), (("a", "b"), "a or b"), (("a", "b", "c"), "a, b or c")]
)
def test_names_are_joined_as_people_do(names: tuple[str, ...], words: str) -> None:
    assert Claim(fact="type", names=names, probability=1.0).in_words() == words


def test_an_explanation_opens_with_what_was_decided() -> None:
    assert explanation_opening(False) == "No defect found."
    assert explanation_opening(True) == "Defect: type not clear."
    assert explanation_opening(True, types_known=False) == "Defect."
    place = Claim(fact="place", names=("top left", "center"), probability=0.9)
    assert explanation_opening(True, [place]) == "Defect: type not clear at top left or center."
    assert explanation_opening(True, [place], types_known=False) == "Defect at top left or center."
