from __future__ import annotations

import unicodedata

import pytest

from reason_iad.errors import did_you_mean
from reason_iad.schema.names import name_key, words_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ball-screw Spindle", "ball_screw_spindle"),
        ("BALLSCREW spindle.", "ball screw spindle"),
        ("Straße", "STRASSE"),
        ("Café", unicodedata.normalize("NFD", "café")),
        ("İZMİR", "İzmİr"),
        ("ΣΊΣΥΦΟΣ", "Σίσυφος"),
        ("می\u200cخواهم", "میخواهم"),
        ("划痕", "划 痕"),
    ],
)
def test_case_composition_and_punctuation_do_not_count(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("गल", "गुल"),  # Hindi: melt, and flower
        ("कल", "काल"),
        ("ปา", "ป้า"),  # Thai: throw, and aunt
        ("มด", "มืด"),
        ("cafe", "café"),
        ("İzmir", "Izmir"),  # the Turkish dotted i is another letter
        ("kır", "kir"),
        ("pcb1", "pcb2"),
    ],
)
def test_vowel_signs_and_accents_make_another_name(one: str, other: str) -> None:
    assert name_key(one) != name_key(other)


def test_a_word_keeps_its_marks() -> None:
    assert words_of("ฝา-ปิด (बड़ा गुल) 2.5") == ["ฝา", "ปิด", "बड़ा", "गुल", "2", "5"]


def test_marks_without_a_letter_are_no_name() -> None:
    assert name_key("\u0301 - \u0941") == ""


@pytest.mark.parametrize(("word", "known"), [("cafe", "Café"), ("गल", "गुल"), ("ＰＣＢ", "pcb"), ("Izmir", "İzmir")])
def test_a_near_spelling_gets_a_suggestion(word: str, known: str) -> None:
    assert did_you_mean(word, [known, "something else"]) == f" Did you mean '{known}'?"


def test_names_that_differ_by_an_accent_are_both_suggested() -> None:
    assert did_you_mean("resume", ["résumé", "resumé"]) == " Did you mean 'résumé' or 'resumé'?"
