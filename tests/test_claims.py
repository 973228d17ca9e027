"""What an explanation claims: one name where it is clear, several where they cannot be told apart, or none."""

from __future__ import annotations

import pytest
import torch

from reason_iad.claims import claim, claims_of
from reason_iad.expert import AnomalyMap
from reason_iad.expert.fusion import DetectionWeights, Floors, LateFusion, PlaceWeights, SizeWeights, TypeWeights
from reason_iad.prompt import LETTERS, explanation_opening
from reason_iad.schema import PLACES, Answer, Claim, Region

NAMES = ("scratch", "crack", "dent", "hole", "stain", "chip")
DETECTION = DetectionWeights(bias=0.0, model=1.0, closer=1.0, map=1.0)
FUSION = LateFusion(
    one_reference=DETECTION, more_references=DETECTION, place=PlaceWeights(model=1.0, map=1.0),
    type=TypeWeights(model=1.0, closer=1.0), size=SizeWeights(model=1.0, map=4.0),
    floors=Floors(type=0.2, place=0.3, size=0.1), fitted_on="nothing",
)  # fmt: skip


def found(pixels: int) -> AnomalyMap:
    """A map of 100 x 100 pixels, as many of which differ clearly, at the top left."""
    differs = torch.zeros(100, 100)
    differs.view(-1)[:pixels] = 70.0
    distances = torch.full((10, 10), 0.1)
    distances[0, 0] = 0.9
    return AnomalyMap(
        distances, distances, 0.2, gate_passed=True, area=0.0, calibrated_on=1, pixels=differs.numpy()
    )


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
    region = Region(box=None, place="top left", place_probability=0.9, share=0.02)
    kind, place = answer("type", NAMES, 0.5, 0.4), answer("place", PLACES, 0.9)
    claims = claims_of(kind, place, region, found(270), FUSION)
    assert [(one.fact, one.names) for one in claims] == [
        ("type", ("scratch", "crack")), ("place", ("top left",)), ("size", ("medium",))
    ]  # fmt: skip
    assert explanation_opening(True, claims) == "Defect: scratch or crack at top left, medium."
    unsure = claims_of(answer("type", NAMES), place, region, found(270), FUSION.model_copy(update={"floors": Floors(
        type=0.1, place=0.3, size=0.1)}))  # fmt: skip
    assert explanation_opening(True, unsure) == "Defect: type not clear at top left, medium."


def test_a_size_near_a_limit_has_two_names() -> None:
    region = Region(box=None, place="top left", place_probability=0.9, share=0.016)
    claims = claims_of("scratch", answer("place", PLACES, 0.9), region, found(155), FUSION)
    assert claims[-1].fact == "size" and set(claims[-1].names) == {"small", "medium"}


def test_no_size_is_claimed_where_it_cannot_be_told() -> None:
    region = Region(box=None, place="top left", place_probability=0.9, share=None)
    claims = claims_of("scratch", answer("place", PLACES, 0.9), region, found(0), FUSION)
    assert [one.fact for one in claims] == ["type", "place"]


def test_without_weights_the_best_names_are_claimed() -> None:
    region = Region(box=None, place="center", place_probability=0.4, share=0.001)
    claims = claims_of(
        answer("type", NAMES, 0.3), answer("place", PLACES, *[0.1] * 4, 0.4), region, found(10), None
    )
    assert [one.names for one in claims] == [("scratch",), ("center",), ("tiny",)]
    assert claims[-1].probability is None, "nobody weighed it"
    alone = region.model_copy(update={"share": None})
    assert [one.fact for one in claims_of(None, answer("place", PLACES, 0.5), alone, None, FUSION)] == ["place"]


@pytest.mark.parametrize(
    ("names", "words"), [(("a",), "a"), (("a", "b"), "a or b"), (("a", "b", "c"), "a, b or c")]
)
def test_names_are_joined_as_people_do(names: tuple[str, ...], words: str) -> None:
    assert Claim(fact="type", names=names, probability=1.0).in_words() == words


def test_an_explanation_opens_with_what_was_decided() -> None:
    assert explanation_opening(False) == "No defect found."
    assert explanation_opening(True) == "Defect: type not clear."
    assert explanation_opening(True, types_known=False) == "Defect:", "what to say is left to the model"
    place = Claim(fact="place", names=("top left", "center"), probability=0.9)
    assert explanation_opening(True, [place]) == "Defect: type not clear at top left or center."
    assert explanation_opening(True, [place], types_known=False) == "Defect:"
