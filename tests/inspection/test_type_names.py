"""Options in the words of whoever asks, shown under the names that the knowledge uses."""

from __future__ import annotations

import pytest

from reason_iad.inspection.questions import Question
from reason_iad.inspection.type_names import under_known_names
from reason_iad.schema import Entry

KNOWN = [
    Entry(
        id=f"pcb/defect/{name}",
        category="pcb",
        kind="defect",
        name=name,
        text=f"What a {name} is.",
        source="pcb.md",
    )
    for name in ("open circuit", "pin-hole", "mousebite", "spur")
]
ALIASES = {"pcb/defect/open circuit": ("open", "broken trace"), "pcb/defect/spur": ("protrusion",)}


def shown(*options: str) -> tuple[str, ...]:
    return under_known_names(Question("q", "Which defect is it?", options), KNOWN, ALIASES).options


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("Mouse bite: a notch in the edge of a conductor.", "mousebite"),
        ("Pinhole", "pin-hole"),
        ("pin_hole (a small hole)", "pin-hole"),
        ("An open – the conductor is interrupted", "open circuit"),
        ("OPEN CIRCUIT.", "open circuit"),
        ("A protrusion defect (small)", "spur"),
        ("A broken trace – beside the pad", "open circuit"),
    ],
)
def test_an_option_that_begins_with_a_name_is_shown_under_the_known_one(option: str, name: str) -> None:
    assert shown(option, "Stain") == (name, "Stain")


@pytest.mark.parametrize(
    "option",
    [
        "A stain on the spur", "No spur: something else", "Spurious", "Openness", "", ":", "...", "None of these",
        "Spur, pin-hole and mousebite", "Open, spur", "Spur - none visible",
    ],
)  # fmt: skip
def test_what_only_mentions_a_name_stays(option: str) -> None:
    assert shown(option, "Stain") == (option, "Stain")


def test_two_options_that_mean_the_same_stay_apart() -> None:
    assert shown("Open: at the pad", "Broken trace: beside it", "Spur") == (
        "Open: at the pad", "Broken trace: beside it", "spur"
    )  # fmt: skip


def test_the_letters_and_the_question_stay() -> None:
    question = Question("q", "Which defect is it?", ("Spur: a tip", "Mouse bite: a notch"))
    named = under_known_names(question, KNOWN, {})
    assert (named.key, named.text, named.lettered) == (question.key, question.text, {"A": "spur", "B": "mousebite"})
    assert under_known_names(question, [], {}) == question


def test_a_whole_name_goes_before_its_beginning() -> None:
    others = [KNOWN[3].model_copy(update={"name": name, "id": name}) for name in ("spur (hairline)", "--")]
    named = under_known_names(Question("q", "?", ("Spur (hairline)", "Spur: a tip", "...")), [*KNOWN, *others], {})
    assert named.options == ("spur (hairline)", "spur", "...")
