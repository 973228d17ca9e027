"""The published JSON: its schemas are those of the models, and what the models write follows them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from pydantic import ValidationError
from tests.cli.stub import StubInspector

from reason_iad.cli.schema import NAMES, schema_text
from reason_iad.inspection.many import Failure
from reason_iad.schema import (
    PLACES,
    SCHEMA_VERSION,
    Answer,
    CategoryEvidence,
    Claim,
    Evidence,
    FusionEvidence,
    Inspection,
    Reply,
    Usual,
)
from reason_iad.schema.verdict import ALONE

DOCS = Path(__file__).parent.parent / "docs"


@pytest.mark.parametrize("name", NAMES)
def test_published_schema_equals_the_model(name: str) -> None:
    published = (DOCS / f"{name}.schema.json").read_text(encoding="utf-8")
    assert published == schema_text(name), "the models changed: run `make schema`, and see SCHEMA_VERSION"


@pytest.mark.parametrize("name", NAMES)
def test_schema_is_valid_and_versioned(name: str) -> None:
    schema = json.loads(schema_text(name))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"].endswith(f":{SCHEMA_VERSION}")


def test_what_is_written_follows_the_schema(make_image: Callable[..., Path]) -> None:
    part, stub = make_image(brightness=200), StubInspector()
    written = {
        "inspection": stub.inspect(part, references=[part], category="plate", question="Why?").to_json(),
        "summary": stub.inspect(part, category="plate").summary().to_json(),
        "reply": stub.ask(part, "Which?", options=("one", "two")).to_json(),
        "failure": Failure(image="part.png", error="It is broken.").model_dump_json(),
    }
    for name, text in written.items():
        jsonschema.validate(json.loads(text), json.loads(schema_text(name)))


def test_results_survive_the_round_trip(make_image: Callable[..., Path]) -> None:
    part, stub = make_image(brightness=200), StubInspector()
    inspection, reply = stub.inspect(part), stub.ask(part, "What?")
    assert Inspection.model_validate_json(inspection.to_json()) == inspection
    assert Reply.model_validate_json(reply.to_json(indent=2)) == reply


def test_a_result_is_shown_in_one_line(make_image: Callable[..., Path]) -> None:
    part, stub = make_image("part.png", brightness=200), StubInspector()
    defect, good = stub.inspect(part), stub.inspect(make_image("good.png", 60))
    shown = f"Inspection('part.png', defect, probability={defect.probability:.2g}, type='glare', place='top left')"
    assert repr(defect) == str(defect) == shown
    assert repr(good) == f"Inspection('good.png', pass, probability={good.probability:.2g})"
    assert repr(stub.ask(part, "What?")) == "Reply('part.png', 'What?', 'A plate.')"
    assert repr(stub.ask(part, "Which?", options=("one", "two"))).endswith("'two', probability=0.9)")


def test_a_summary_has_the_result_and_no_evidence(make_image: Callable[..., Path]) -> None:
    part, stub = make_image("part.png", brightness=200), StubInspector()
    result = stub.inspect(part, references=[part])
    summary = json.loads(result.summary().to_json())
    assert summary == {
        "schema_version": SCHEMA_VERSION, "image": "part.png", "verdict": "defect",
        "probability": result.probability, "threshold": 0.5, "defect_type": "glare", "place": "top left",
        "box": {"x1": 0, "y1": 1, "x2": 9, "y2": 9}, "explanation": "The plate is too bright.", "model": "nano",
        "caution": None,
    }  # fmt: skip
    passed = stub.inspect(make_image("good.png", 60)).summary()
    assert (passed.verdict, passed.defect_type, passed.place, passed.box) == ("pass", None, None, None)
    assert passed.caution == ALONE, "there was no good part"


def test_an_answer_is_found_by_its_key() -> None:
    def answer(key: str, **how: bool) -> Answer:
        return Answer(key=key, question="?", text=f"{key} {how}", **how)  # type: ignore[arg-type]

    given = (
        answer("detection"), answer("detection", closer=True), answer("type"), answer("type", described=True),
        answer("type", closer=True),
    )  # fmt: skip
    for answers in (given, given[::-1]):
        evidence = Evidence(category=CategoryEvidence(name=None, origin="unknown"), answers=answers)
        for each in given:
            assert evidence.answer(each.key, closer=each.closer, described=each.described) == each
        assert evidence.answer("place") is None and evidence.answer("detection", described=True) is None


def test_unknown_and_impossible_values_are_refused(make_image: Callable[..., Path]) -> None:
    good = json.loads(StubInspector().inspect(make_image()).to_json())
    for change in ({"probability": 1.5}, {"verdict": "maybe"}, {"surprise": 1}):
        with pytest.raises(ValidationError):
            Inspection.model_validate(good | change)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(good | change, json.loads(schema_text("inspection")))


def test_results_cannot_be_changed(make_image: Callable[..., Path]) -> None:
    with pytest.raises(ValidationError):
        StubInspector().inspect(make_image()).verdict = "pass"


def test_places_are_the_nine_parts_in_reading_order() -> None:
    assert len(set(PLACES)) == 9
    assert PLACES[0] == "top left" and PLACES[4] == "center" and PLACES[8] == "bottom right"


def test_what_was_weighed_is_said_in_words() -> None:
    def words(usual: Usual, pixels: float | None = None) -> str:
        return FusionEvidence(
            model_probability=0.5, standing_out=1.0, patches=math.log(2.5), pixels=pixels, usual=usual
        ).in_words()

    among = "One spot differs more from the good parts than they differ from one another."
    assert words("references") == among
    alone = "One spot differs far more from the good part than the rest of the picture does."
    assert words("median", math.log(35.2)) == alone
    no_more = "No spot differs clearly more from the good part than the rest of the picture does."
    assert words("median", math.log(0.2)) == no_more


def test_one_type_alone_is_clear(make_image: Callable[..., Path]) -> None:
    found = StubInspector().inspect(make_image(brightness=250))
    assert found.verdict == "defect" and found.defect_type
    one = Claim(fact="type", names=(found.defect_type,), probability=0.9)
    two = one.model_copy(update={"names": (found.defect_type, "dent")})
    for claims, said, clear in (
        (None, found.defect_type, True),
        ((one,), found.defect_type, True),
        ((two,), f"{found.defect_type} or dent", False),
        ((), f"not clear, perhaps {found.defect_type}", False),
    ):
        result = found.model_copy(update={"claims": claims})
        assert (result.in_words("type"), result.is_clear("type")) == (said, clear)
    assert not found.model_copy(update={"defect_type": None}).is_clear("type")
